import { ApiError } from '../core/client.ts'
import { sleep } from '../core/sleep.ts'
import { isTerminal } from '../core/state.ts'
import { MICROS_PER_SECOND } from '../core/time.ts'
import type { OrchestrationResult, State, StateCreate } from '../core/wire/state.ts'
import type { Backend, FlowFacts, FlowRunRecord } from './backend.ts'
import { runBody } from './body.ts'
import { nowMicros } from './clock.ts'
import { describeError, explainError, TimedOut } from './errors.ts'
import { scheduledTime } from './local-backend.ts'
import { Logger } from './logger.ts'
import { validateParameters } from './parameters.ts'
import { type FlowScope, inScope, makeContext, type RunContext } from './run-context.ts'
import { unlessAborted } from './signals.ts'
import { Slots } from './slots.ts'
import type { StandardSchema } from './standard-schema.ts'
import { FinalState, proposal, toResultRecord } from './states.ts'
import { TaskFuture } from './task-future.ts'

/** What code that doesn't look at its signal gets to settle once the run is to stop. */
const STOP_GRACE_MS = 3000

/** How long stopped tasks get to say so. */
const TASKS_SETTLE_MS = 1500

/** How long the end of a run waits for its last lines, so that who sees the end sees them too. */
const FLUSH_BEFORE_END_MS = 5000

/** How long a run that ended although it was told to stop tries to say so. */
const REPORT_AFTER_STOP_MS = 5000

/** The pause before asking again, when the server puts a run off without saying until when. */
const ASK_AGAIN_SECONDS = 1

/** A flow as it was defined. */
export interface FlowDefinition extends FlowFacts {
  readonly schema: StandardSchema | undefined
  readonly timeoutSeconds: number | undefined
  readonly taskConcurrency: number | undefined
  readonly body: (parameters: unknown, context: RunContext) => unknown
}

/** A flow run that is to be executed here. */
export interface FlowJob {
  readonly definition: FlowDefinition
  readonly run: FlowRunRecord
  /** As they were given; they are validated first. */
  readonly parameters: unknown
  readonly backend: Backend
  /** Aborts when the run is to stop. */
  readonly signal: AbortSignal
}

/** How an execution ended. */
export type FlowOutcome =
  /** In a terminal state that the server has. */
  | { kind: 'ended'; state: State; value: unknown; error: unknown }
  /** The server ends it here, and has its reasons; or the API takes nothing of this run any more (`lost`). */
  | { kind: 'aborted'; reason: string; lost: boolean }
  /** It stopped because it was told to; its state is for the one who told it. */
  | { kind: 'stopped'; reason: unknown }

/**
 * Executes a flow run: proposes Running, runs the code, proposes the end, and again for as long as the server answers a failure
 * with a retry. Every state is the server's decision.
 */
export async function runFlow(job: FlowJob): Promise<FlowOutcome> {
  return new FlowRunner(job).run()
}

/** What the flow's code came to. */
type Attempt = { value: unknown } | { error: unknown }

class FlowRunner {
  readonly #job: FlowJob
  readonly #logger: Logger

  constructor(job: FlowJob) {
    this.#job = job
    this.#logger = new Logger({
      name: 'headgate.flow_runs',
      speaker: `flow run '${job.run.name}'`,
      flowRunId: job.run.id,
      sink: job.backend.log,
    })
  }

  async run(): Promise<FlowOutcome> {
    const { definition, signal } = this.#job
    try {
      const parameters = await this.#parameters()
      if ('error' in parameters) {
        return await this.#refuse(parameters.error)
      }
      for (let name = 'Running'; ; name = 'Retrying') {
        // oxlint-disable-next-line no-await-in-loop -- each attempt follows the one before it
        const outcome = await this.#execute(name, parameters.value)
        if (outcome !== 'again') {
          return outcome
        }
        this.#logger.info("Flow '%s' will be tried again", definition.name)
      }
    } catch (error) {
      if (signal.aborted) {
        return { kind: 'stopped', reason: signal.reason }
      }
      // The API refused the run itself: its token has ended, or the run is gone.
      return { kind: 'aborted', reason: describeError(error), lost: true }
    }
  }

  async #parameters(): Promise<Attempt> {
    const { definition, parameters } = this.#job
    try {
      const owner = `flow '${definition.name}'`
      return { value: await validateParameters(definition.schema, parameters, owner) }
    } catch (error) {
      return { error }
    }
  }

  /** Parameters that are not valid end the run without a start: no retry can help. */
  async #refuse(error: unknown): Promise<FlowOutcome> {
    this.#logger.error(describeError(error))
    const end = await this.#end(proposal('FAILED', { message: describeError(error) }), { error })
    return end === 'again' ? { kind: 'aborted', reason: describeError(error), lost: false } : end
  }

  async #execute(stateName: string, parameters: unknown): Promise<FlowOutcome | 'again'> {
    const refused = await this.#begin(stateName)
    if (refused !== undefined) {
      return refused
    }
    const { backend, definition, run, signal } = this.#job
    this.#logger.info("Beginning flow run '%s' for flow '%s'", run.name, definition.name)
    const policy = backend.adoptPolicy(run, definition).catch((fault: unknown) => {
      this.#logger.warning('The retries of the flow could not be set: %s', describeError(fault))
    })
    const attempt = await this.#attempt(parameters)
    if ('error' in attempt && signal.aborted) {
      return { kind: 'stopped', reason: signal.reason }
    }
    if ('error' in attempt) {
      await unlessAborted(policy, signal)
    }
    await backend.flush(FLUSH_BEFORE_END_MS)
    return this.#end(this.#endState(attempt), attempt)
  }

  /** Proposes Running until the server takes it; gives an outcome when it won't. */
  async #begin(name: string): Promise<FlowOutcome | undefined> {
    const { backend, run, signal } = this.#job
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- the next proposal depends on the answer
      const result = await backend.propose(run, proposal('RUNNING', { name }), signal)
      if (result.status === 'ACCEPT' || result.state?.type === 'RUNNING') {
        run.runCount += run.policy['resuming'] === true ? 0 : 1
        return undefined
      }
      const delay = result.status === 'ABORT' ? undefined : putOff(result)
      if (delay === undefined) {
        return this.#settled(result, { error: undefined })
      }
      // oxlint-disable-next-line no-await-in-loop -- as above
      await sleep(delay * 1000, signal)
    }
  }

  async #attempt(parameters: unknown): Promise<Attempt> {
    const { definition, signal } = this.#job
    const flow = this.#flowScope()
    try {
      const value = await runBody(
        async (bodySignal, onSignalRead) => {
          const context = this.#context(parameters, bodySignal, onSignalRead)
          const scope = { backend: this.#job.backend, context, signal: bodySignal, flow }
          const returned = await inScope(scope, async () => definition.body(parameters, context))
          const settled = await settledFutures(returned)
          await allSettled(flow)
          return settled
        },
        {
          parent: signal,
          timeoutSeconds: definition.timeoutSeconds,
          graceMs: STOP_GRACE_MS,
          what: 'Flow run',
        },
      )
      return { value }
    } catch (error) {
      flow.closed = true
      await this.#leave(flow, error)
      return { error }
    }
  }

  /** What runs already can't be taken back: its states belong to this attempt. */
  async #leave(flow: FlowScope, reason: unknown): Promise<void> {
    const { signal } = this.#job
    if (!signal.aborted && !(reason instanceof TimedOut)) {
      await unlessAborted(allSettled(flow), signal).catch(() => undefined)
    }
    if (flow.submitted.size > 0) {
      await Promise.race([allSettled(flow), sleep(TASKS_SETTLE_MS)])
    }
  }

  #flowScope(): FlowScope {
    const { run, definition } = this.#job
    const { taskConcurrency } = definition
    return {
      run,
      slots: taskConcurrency === undefined ? undefined : new Slots(taskConcurrency),
      submitted: new Set(),
      counters: new Map(),
      closed: false,
    }
  }

  #context(parameters: unknown, signal: AbortSignal, onSignalRead: () => void): RunContext {
    const { run } = this.#job
    return makeContext(
      {
        flowRun: run,
        taskRun: undefined,
        parameters,
        logger: this.#logger,
        attempt: Math.max(1, run.runCount),
      },
      signal,
      onSignalRead,
    )
  }

  #endState(attempt: Attempt): StateCreate {
    if ('error' in attempt) {
      return this.#failure(attempt.error)
    }
    const final = attempt.value instanceof FinalState ? attempt.value : undefined
    const value: unknown = final === undefined ? attempt.value : final.value
    const record = toResultRecord(value)
    if ('omitted' in record) {
      this.#logger.info('The returned value is not kept with the state: %s', record.omitted)
    }
    return proposal(final?.type ?? 'COMPLETED', {
      ...(final === undefined ? {} : { name: final.stateName, message: final.message }),
      data: 'data' in record ? record.data : null,
    })
  }

  #failure(error: unknown): StateCreate {
    this.#logger.error('Flow run encountered an exception: %s', explainError(error))
    if (error instanceof TimedOut) {
      return proposal('FAILED', { name: 'TimedOut', message: error.message })
    }
    const message = `Flow run encountered an exception: ${describeError(error)}`
    return proposal('FAILED', { message })
  }

  async #end(state: StateCreate, attempt: Attempt): Promise<FlowOutcome | 'again'> {
    const { backend, run, signal } = this.#job
    const patience = signal.aborted ? AbortSignal.timeout(REPORT_AFTER_STOP_MS) : signal
    const result = await backend.propose(run, state, patience).catch((refusal: unknown) => {
      if (!isRefusalOfData(state, refusal)) {
        throw refusal
      }
      this.#logger.warning('The API does not keep the returned value: %s', describeError(refusal))
      return backend.propose(run, { ...state, data: null }, patience)
    })
    if (result.status === 'REJECT' && result.state?.type === 'SCHEDULED') {
      return 'again'
    }
    return this.#settled(result, attempt)
  }

  #settled({ status, state, details }: OrchestrationResult, attempt: Attempt): FlowOutcome {
    if (status !== 'ABORT' && state !== null && isTerminal(state.type)) {
      this.#logger.info('Finished in state %s', describeState(state))
      const value: unknown = 'value' in attempt ? plainValue(attempt.value) : undefined
      return { kind: 'ended', state, value, error: 'error' in attempt ? attempt.error : undefined }
    }
    const why = 'reason' in details ? details.reason : null
    return {
      kind: 'aborted',
      lost: false,
      reason: why ?? `the server answered ${status} with state ${state?.name ?? 'none'}`,
    }
  }
}

/** An end is worth more than its value. */
function isRefusalOfData(state: StateCreate, refusal: unknown): boolean {
  return (
    state.data !== null &&
    refusal instanceof ApiError &&
    (refusal.status === 413 || refusal.status === 422)
  )
}

/** Seconds until the server is to be asked again; undefined when asking again is no use. */
function putOff({ details, state }: OrchestrationResult): number | undefined {
  if (details.type === 'wait_details') {
    return details.delay_seconds
  }
  if (state?.type !== 'SCHEDULED' && state?.type !== 'PENDING') {
    return undefined
  }
  const due = scheduledTime(state)
  const seconds = due === undefined ? 0 : (due - nowMicros()) / MICROS_PER_SECOND
  return Math.max(ASK_AGAIN_SECONDS, seconds)
}

/** A future, or a list of them, that a flow returns stands for its values. */
async function settledFutures(returned: unknown): Promise<unknown> {
  return Array.isArray(returned) && returned.some((item) => item instanceof TaskFuture)
    ? Promise.all(returned)
    : returned
}

/** Waits for all submitted task runs, also for those that they submit meanwhile; their errors are their own. */
async function allSettled(flow: FlowScope): Promise<void> {
  while (flow.submitted.size > 0) {
    // oxlint-disable-next-line no-await-in-loop -- the set changes meanwhile
    await Promise.allSettled(flow.submitted)
  }
}

function plainValue(value: unknown): unknown {
  return value instanceof FinalState ? (value as FinalState<unknown>).value : value
}

function describeState(state: State): string {
  return state.message === null || state.message === ''
    ? `${state.name}()`
    : `${state.name}('${state.message}')`
}
