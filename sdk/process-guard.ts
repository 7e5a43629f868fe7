import type { Backend, FlowRunRecord } from './backend.ts'
import type { FlowOutcome } from './engine.ts'
import { describeError, explainError, RunStopped } from './errors.ts'
import { Logger } from './logger.ts'
import { makeController } from './signals.ts'
import { proposal } from './states.ts'

/** How long the last lines of a run may take; the API answered a moment ago. */
const FINAL_FLUSH_MS = 10_000

/** The same for a run that is to stop: whoever stops it waits. */
const STOP_FLUSH_MS = 3000

/** How long a crash is reported for before the process ends. */
const CRASH_REPORT_MS = 5000

export interface GuardedRun {
  backend: Backend
  run: FlowRunRecord
  /**
   * `agent`: an agent started the process, it watches the end and reports what the process can't.
   * `alone`: the process was started for this run, and nobody watches it.
   * `called`: user code called the flow, the process is the user's.
   * `served`: one of several runs of a process that looks after its signals itself.
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
  const guard = new ProcessGuard(guarded)
  guard.watch()
  let outcome: FlowOutcome
  try {
    outcome = await execute(guard.signal)
    await guarded.backend.flush(outcome.kind === 'stopped' ? STOP_FLUSH_MS : FINAL_FLUSH_MS)
    if (outcome.kind === 'stopped' && guarded.mode !== 'agent') {
      await guard.reportStop(outcome.reason)
    }
  } finally {
    guard.release()
  }
  return outcome
}

class ProcessGuard {
  readonly #guarded: GuardedRun
  readonly #controller: AbortController
  readonly #logger: Logger
  #received: NodeJS.Signals | undefined

  constructor(guarded: GuardedRun) {
    this.#guarded = guarded
    this.#controller = guarded.controller ?? makeController()
    this.#logger = new Logger({
      name: 'headgate.engine',
      speaker: `flow run '${guarded.run.name}'`,
      flowRunId: guarded.run.id,
      sink: guarded.backend.log,
    })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  watch(): void {
    const { mode } = this.#guarded
    process.on('exit', this.#onExit)
    if (mode !== 'served') {
      process.on('SIGTERM', this.#onSignal)
      process.on('SIGINT', this.#onSignal)
    }
    if (mode === 'agent' || mode === 'alone') {
      process.on('uncaughtException', this.#onUncaught)
    }
  }

  release(): void {
    process.off('SIGTERM', this.#onSignal)
    process.off('SIGINT', this.#onSignal)
    process.off('exit', this.#onExit)
    process.off('uncaughtException', this.#onUncaught)
    const received = this.#received
    if (
      received !== undefined &&
      this.#guarded.mode === 'called' &&
      process.listenerCount(received) === 0
    ) {
      // Without this run the signal would have ended the process.
      process.kill(process.pid, received)
    }
  }

  /** Nobody else says how a stopped run ended. */
  async reportStop(reason: unknown): Promise<void> {
    const { backend, run } = this.#guarded
    const state = proposal('CANCELLED', { message: describeError(reason) })
    await backend.propose(run, state, AbortSignal.timeout(STOP_FLUSH_MS)).catch(() => undefined)
  }

  #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#received === undefined) {
      this.#received = signal
      this.#logger.warning('Received %s; stopping', signal)
      this.#controller.abort(new RunStopped(`the run was stopped by ${signal}`))
    } else if (this.#guarded.mode === 'called') {
      // The second one is an order: end the process as it would have ended without this run.
      this.release()
    }
  }

  #onUncaught = (error: unknown): void => {
    this.#logger.critical('Uncaught exception: %s', explainError(error))
    void this.#crash(error)
  }

  async #crash(thrown: unknown): Promise<void> {
    const { backend, run } = this.#guarded
    const state = proposal('CRASHED', {
      message: `The flow run's process had an uncaught exception: ${describeError(thrown)}`,
    })
    await backend.flush(CRASH_REPORT_MS)
    const reported = await backend.propose(run, state, AbortSignal.timeout(CRASH_REPORT_MS)).then(
      () => true,
      () => false,
    )
    await backend.flush(CRASH_REPORT_MS)
    process.off('exit', this.#onExit)
    process.exit(reported ? 0 : 1)
  }

  #onExit = (code: number): void => {
    this.#logger.error(
      'The process exited with code %d before the flow run had ended (process.exit() in its code, or nothing left to wait for)',
      code,
    )
    const { backend, run, mode } = this.#guarded
    const state =
      mode === 'agent'
        ? undefined
        : proposal('CRASHED', {
            message: `The process exited with code ${code} before the flow run had ended`,
          })
    backend.flushAtExit(state === undefined ? undefined : { run, state })
  }
}
