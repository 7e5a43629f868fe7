import type { Backend, FlowRunRecord } from './backend.ts'
import type { FlowOutcome } from './engine.ts'
import { describeError, explainError, RunStopped } from './errors.ts'
import { Logger } from './logger.ts'
import { makeController } from './signals.ts'
import { proposal } from './states.ts'
import { complain } from './terminal.ts'

/** How long the last lines of a run may take; the API answered a moment ago. */
const FINAL_FLUSH_MS = 30_000

/** The same for a run that is to stop: whoever stops it waits. */
const STOP_FLUSH_MS = 3000

/** How long a crash is reported for before the process ends. */
const CRASH_REPORT_MS = 5000

/** Between looks whether a run that nobody else watches is being cancelled. */
const CANCEL_POLL_MS = 10_000

export interface GuardedRun {
  backend: Backend
  run: FlowRunRecord
  /**
   * `agent`: an agent started the process, it watches the end and reports what the process can't.
   * `alone`: the process was started for this run, and nobody watches it.
   * `called`: user code called the flow, the process is the user's.
   * `served`: one of several runs of a process that looks after signals and cancellations itself.
   */
  mode: 'agent' | 'alone' | 'called' | 'served'
  /** Where the stop comes from in a served run. */
  controller?: AbortController
}

/**
 * Executes a run with an eye on the process: SIGTERM and SIGINT abort the run's signal, and whatever ends the process, the
 * log lines and task run states that it still holds are delivered first.
 */
export async function guardRun(
  guarded: GuardedRun,
  execute: (signal: AbortSignal) => Promise<FlowOutcome>,
): Promise<FlowOutcome> {
  const guard = new RunGuard(guarded)
  watch(guard)
  try {
    const outcome = await execute(guard.signal)
    await guard.finish(outcome)
    return outcome
  } finally {
    guard.release()
    unwatch(guard)
  }
}

/** The runs of this process. The process's events have one listener each, however many they are. */
const guards = new Set<RunGuard>()

function watch(guard: RunGuard): void {
  if (guards.size === 0) {
    process.on('exit', onExit)
  }
  guards.add(guard)
  if (guard.ownsSignals && countOf('ownsSignals') === 1) {
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  }
  if (guard.ownsProcess && countOf('ownsProcess') === 1) {
    process.on('uncaughtException', onUncaught)
  }
}

function unwatch(guard: RunGuard): void {
  guards.delete(guard)
  if (guards.size === 0) {
    process.off('exit', onExit)
  }
  if (guard.ownsProcess && countOf('ownsProcess') === 0) {
    process.off('uncaughtException', onUncaught)
  }
  if (guard.ownsSignals && countOf('ownsSignals') === 0) {
    giveSignalsBack(guard)
  }
}

function countOf(property: 'ownsSignals' | 'ownsProcess'): number {
  return [...guards].filter((guard) => guard[property]).length
}

/** A signal that the last run swallowed would have ended the process without it; the user's process then ends so now. */
function giveSignalsBack({ received, ownsProcess }: RunGuard): void {
  process.off('SIGTERM', onSignal)
  process.off('SIGINT', onSignal)
  if (received !== undefined && !ownsProcess && process.listenerCount(received) === 0) {
    process.kill(process.pid, received)
  }
}

function onSignal(signal: NodeJS.Signals): void {
  const owners = [...guards].filter(({ ownsSignals }) => ownsSignals)
  const isOrder = owners.every(
    ({ received, ownsProcess }) => received !== undefined && !ownsProcess,
  )
  if (isOrder) {
    // The second one at a terminal: end as the process would have ended without these runs.
    process.off(signal, onSignal)
    process.kill(process.pid, signal)
    return
  }
  for (const guard of owners) {
    guard.stop(signal)
  }
}

function onUncaught(thrown: unknown): void {
  void crashAll(thrown)
}

async function crashAll(thrown: unknown): Promise<void> {
  const reported = await Promise.all([...guards].map((guard) => guard.crash(thrown)))
  guards.clear()
  process.exit(reported.every(Boolean) ? 0 : 1)
}

function onExit(code: number): void {
  for (const guard of guards) {
    guard.exit(code)
  }
}

class RunGuard {
  readonly #guarded: GuardedRun
  readonly #controller: AbortController
  readonly #logger: Logger
  readonly #cancelPoll: NodeJS.Timeout | undefined
  /** Signals are this run's business. */
  readonly ownsSignals: boolean
  /** The process lives for this run alone. */
  readonly ownsProcess: boolean
  /** The signal that stopped the run. */
  received: NodeJS.Signals | undefined

  constructor(guarded: GuardedRun) {
    const { mode, run, backend } = guarded
    this.#guarded = guarded
    this.ownsSignals = mode !== 'served'
    this.ownsProcess = mode === 'agent' || mode === 'alone'
    this.#controller = guarded.controller ?? makeController()
    this.#logger = new Logger({
      name: 'headgate.engine',
      speaker: `flow run '${run.name}'`,
      flowRunId: run.id,
      sink: backend.log,
    })
    if (mode === 'called' || mode === 'alone') {
      this.#cancelPoll = setInterval(() => void this.#stopIfCancelled(), CANCEL_POLL_MS).unref()
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  stop(signal: NodeJS.Signals): void {
    if (this.received === undefined) {
      this.received = signal
      this.#logger.warning('Received %s; stopping', signal)
      this.#controller.abort(new RunStopped(`the run was stopped by ${signal}`))
    }
  }

  async finish(outcome: FlowOutcome): Promise<void> {
    const { backend, run, mode } = this.#guarded
    const stopped = outcome.kind === 'stopped'
    const arrived = await backend.flush(stopped ? STOP_FLUSH_MS : FINAL_FLUSH_MS)
    if (!arrived) {
      complain('not all log lines and task run states could be delivered before the run ended')
    }
    if (stopped && mode !== 'agent') {
      // Nobody else says how the run ended.
      const state = proposal('CANCELLED', { message: describeError(outcome.reason) })
      await backend.propose(run, state, AbortSignal.timeout(STOP_FLUSH_MS)).catch(() => undefined)
    }
  }

  release(): void {
    clearInterval(this.#cancelPoll)
  }

  /** The process can't go on: reports why; gives whether that succeeded. */
  async crash(thrown: unknown): Promise<boolean> {
    const { backend, run } = this.#guarded
    this.#logger.critical('Uncaught exception: %s', explainError(thrown))
    const state = proposal('CRASHED', {
      message: `The flow run's process had an uncaught exception: ${describeError(thrown)}`,
    })
    await backend.flush(CRASH_REPORT_MS)
    return backend.propose(run, state, AbortSignal.timeout(CRASH_REPORT_MS)).then(
      () => true,
      () => false,
    )
  }

  /** The process exits in the middle of the run; nothing asynchronous is possible. */
  exit(code: number): void {
    const { backend, run, mode } = this.#guarded
    this.#logger.error(
      'The process exited with code %d before the flow run had ended (process.exit() in its code, or nothing left to wait for)',
      code,
    )
    const message = `The process exited with code ${code} before the flow run had ended`
    // An agent sees the exit and reports it.
    const state = mode === 'agent' ? undefined : proposal('CRASHED', { message })
    backend.flushAtExit(state === undefined ? undefined : { run, state })
  }

  async #stopIfCancelled(): Promise<void> {
    const { backend, run } = this.#guarded
    const cancelled = await backend.findCancelled([run.id]).catch(() => [])
    if (cancelled.length > 0) {
      this.#controller.abort(new RunStopped('the run was cancelled'))
    }
  }
}
