import { createHash } from 'node:crypto'
import { sleep } from '../core/sleep.ts'
import { MICROS_PER_SECOND } from '../core/time.ts'
import type { Backend } from './backend.ts'
import { runBody } from './body.ts'
import { nowMicros } from './clock.ts'
import {
  describeError,
  explainError,
  RunFailed,
  RunStopped,
  TimedOut,
  UpstreamFailed,
} from './errors.ts'
import { Logger } from './logger.ts'
import { validateParameters } from './parameters.ts'
import { type RetryOptions, retryDelay, type TaskRetryOptions } from './retry-policy.ts'
import { type FlowScope, inScope, makeContext, type RunContext, type Scope } from './run-context.ts'
import { unlessAborted } from './signals.ts'
import type { Slots } from './slots.ts'
import type { StandardSchema } from './standard-schema.ts'
import { FinalState } from './states.ts'
import { TaskFuture } from './task-future.ts'
import { awaitAll, rememberOrigin, resolveFutures } from './task-inputs.ts'
import { makeRecord } from './task-run-record.ts'
import { enterState, type TaskRunRecord, type TaskRunState, taskRunState } from './task-run.ts'

/** What code that doesn't look at its signal gets to settle; short, so that the flow's own clean-up has time. */
const STOP_GRACE_MS = 1000

/** A task as it was defined. */
export interface TaskDefinition {
  readonly name: string
  readonly key: string
  readonly version: string | undefined
  readonly tags: readonly string[]
  readonly schema: StandardSchema | undefined
  readonly retry: TaskRetryOptions<RunContext>
  readonly timeoutSeconds: number | undefined
  readonly body: (input: unknown, context: RunContext) => unknown
}

/** A run of a task that is wanted. */
export interface TaskJob {
  readonly definition: TaskDefinition
  readonly input: unknown
  readonly waitFor: readonly TaskFuture<unknown>[]
  /** Where the calling code runs. */
  readonly backend: Backend
  readonly flow: FlowScope | undefined
  readonly callerTaskRunId: string | undefined
  readonly signal: AbortSignal
  /** Each is held while the task runs. */
  readonly slots: readonly Slots[]
}

/** The name and a hash of the code, so that two tasks of one name differ, as in Prefect. */
export function taskKey(name: string, body: (...args: never) => unknown): string {
  return `${name}-${createHash('sha256').update(body.toString()).digest('hex').slice(0, 8)}`
}

/** Starts a task run: Pending at once, Running as soon as what it waits for is there. */
export function startTask(job: TaskJob): TaskFuture<unknown> {
  const run = new TaskRunner(job)
  return new TaskFuture(run.record, run.run())
}

class TaskRunner {
  readonly record: TaskRunRecord
  readonly #job: TaskJob
  readonly #logger: Logger

  constructor(job: TaskJob) {
    this.#job = job
    this.record = makeRecord(job)
    this.#logger = new Logger({
      name: 'headgate.task_runs',
      speaker: `task run '${this.record.name}'`,
      flowRunId: job.flow?.run.id,
      taskRunId: this.record.id,
      sink: job.backend.log,
    })
    job.backend.reportTaskRun(this.record, undefined, job.flow?.run)
  }

  async run(): Promise<unknown> {
    const { definition, signal, slots } = this.#job
    let input: unknown
    try {
      input = await unlessAborted(this.#inputs(), signal)
      input = await validateParameters(definition.schema, input, `task '${definition.name}'`)
    } catch (error) {
      throw this.#endBeforeStart(error)
    }
    const holdAll = slots.reduceRight<() => Promise<unknown>>(
      (work, slot) => () => slot.hold(work),
      () => this.#tries(input),
    )
    return holdAll()
  }

  async #inputs(): Promise<unknown> {
    await awaitAll(this.#job.waitFor)
    return resolveFutures(this.#job.input)
  }

  #endBeforeStart(error: unknown): unknown {
    if (this.#job.signal.aborted) {
      this.#enter(taskRunState('CANCELLED', { message: describeError(error) }))
    } else if (error instanceof UpstreamFailed) {
      this.#enter(taskRunState('PENDING', { name: 'NotReady', message: error.message }))
    } else {
      this.#logger.error(describeError(error))
      this.#enter(taskRunState('FAILED', { message: describeError(error) }))
    }
    return error
  }

  async #tries(input: unknown): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      this.#throwIfStopped()
      this.#enter(taskRunState('RUNNING', attempt === 1 ? {} : { name: 'Retrying' }))
      try {
        // oxlint-disable-next-line no-await-in-loop -- a retry follows the try before it
        const value = await this.#try(input, attempt)
        return this.#complete(value)
      } catch (error) {
        // oxlint-disable-next-line no-await-in-loop -- as above
        await this.#recover(error, attempt, input)
      }
    }
  }

  #throwIfStopped(): void {
    const { signal, flow } = this.#job
    if (signal.aborted || flow?.closed === true) {
      const reason: unknown = signal.aborted
        ? signal.reason
        : new RunStopped('the flow run failed before this task run began')
      this.#enter(taskRunState('CANCELLED', { message: describeError(reason) }))
      throw reason
    }
  }

  #try(input: unknown, attempt: number): Promise<unknown> {
    const { definition, signal } = this.#job
    return runBody(
      async (bodySignal, onSignalRead) => {
        const scope = this.#scope(input, attempt, bodySignal, onSignalRead)
        return inScope(scope, async () => definition.body(input, scope.context))
      },
      {
        parent: signal,
        timeoutSeconds: definition.timeoutSeconds,
        graceMs: STOP_GRACE_MS,
        what: 'Task run',
      },
    ).then((value) => unwrap(value))
  }

  #scope(input: unknown, attempt: number, signal: AbortSignal, onSignalRead: () => void): Scope {
    const { flow, backend, definition } = this.#job
    const context = makeContext(
      {
        flowRun: flow?.run,
        taskRun: { id: this.record.id, name: this.record.name, taskName: definition.name },
        parameters: input,
        logger: this.#logger,
        attempt,
      },
      signal,
      onSignalRead,
    )
    return { backend, context, signal, flow }
  }

  #complete(value: unknown): unknown {
    const final = value instanceof FinalState ? value : undefined
    const message = final?.message
    this.#enter(
      taskRunState('COMPLETED', {
        ...(final === undefined ? {} : { name: final.stateName }),
        ...(message === undefined ? {} : { message }),
      }),
    )
    const plain: unknown = final === undefined ? value : final.value
    rememberOrigin(plain, this.record.id)
    this.#logger.info('Finished in state %s', this.record.state.name)
    return plain
  }

  /** Waits for the next try; throws when there is none. */
  async #recover(thrown: unknown, attempt: number, input: unknown): Promise<void> {
    const { definition, signal } = this.#job
    if (signal.aborted) {
      this.#enter(taskRunState('CANCELLED', { message: describeError(signal.reason) }))
      throw thrown
    }
    const { retries = 0 } = definition.retry as RetryOptions
    if (attempt > retries || !(await this.#isWorthRetry(thrown, attempt, input))) {
      throw this.#fail(thrown, attempt)
    }
    const delay = retryDelay(attempt, definition.retry, Math.random())
    this.#logger.info(
      'Task run failed with %s - retry %d/%d starts %s',
      describeError(thrown),
      attempt,
      retries,
      delay > 0 ? `in ${Number(delay.toFixed(3))} seconds` : 'at once',
    )
    if (delay > 0) {
      const scheduledTime = nowMicros() + Math.round(delay * MICROS_PER_SECOND)
      this.#enter(taskRunState('SCHEDULED', { name: 'AwaitingRetry', scheduledTime }))
      await sleep(delay * 1000, signal).catch(() => this.#throwIfStopped())
    }
  }

  async #isWorthRetry(error: unknown, attempt: number, input: unknown): Promise<boolean> {
    const { definition, signal } = this.#job
    if (definition.retry.retryIf === undefined) {
      return true
    }
    try {
      const { context } = this.#scope(input, attempt, signal, () => undefined)
      return await definition.retry.retryIf(error, context)
    } catch (fault) {
      this.#logger.error('retryIf of task %s threw: %s', definition.name, explainError(fault))
      return false
    }
  }

  #fail(error: unknown, attempt: number): unknown {
    const exhausted = attempt > 1 ? ' - retries are exhausted' : ''
    this.#logger.error('Task run failed%s: %s', exhausted, explainError(error))
    if (error instanceof RunFailed && error.cause instanceof FinalState) {
      const { type, stateName, message } = error.cause as FinalState<unknown>
      this.#enter(taskRunState(type, { name: stateName, message: message ?? '' }))
    } else if (error instanceof TimedOut) {
      this.#enter(taskRunState('FAILED', { name: 'TimedOut', message: error.message }))
    } else {
      const message = `Task run encountered an exception ${describeError(error)}`
      this.#enter(taskRunState('FAILED', { message }))
    }
    return error
  }

  #enter(state: TaskRunState): void {
    const { backend, flow } = this.#job
    const initial = this.record.state
    enterState(this.record, state)
    backend.reportTaskRun(this.record, initial, flow?.run)
  }
}

/** A returned state that is not COMPLETED counts as an error, so that retries apply to it. */
function unwrap(value: unknown): unknown {
  if (value instanceof FinalState && value.type !== 'COMPLETED') {
    const final = value as FinalState<unknown>
    throw new RunFailed(final.message ?? `the task returned state ${final.stateName}`, {
      cause: final,
    })
  }
  return value
}
