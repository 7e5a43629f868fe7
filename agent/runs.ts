import type { ExecutionKey } from '../core/wire/execution.ts'
import type { Run } from './run.ts'

/** The executions that this agent answers for, from the claim until their end is acknowledged. */
export class Runs {
  #limit: number
  readonly #runs = new Map<string, Run>()
  #waiters = new Set<() => void>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many runs at once, from now on; those that are there go on. */
  set limit(limit: number) {
    this.#limit = limit
    this.changed()
  }

  /** How many more runs may be taken now. */
  get room(): number {
    return this.#limit - [...this.#runs.values()].filter((run) => run.occupies).length
  }

  add(run: Run): void {
    this.#runs.set(key(run.folder.flowRunId, run.folder.fence), run)
    this.changed()
  }

  remove(run: Run): void {
    this.#runs.delete(key(run.folder.flowRunId, run.folder.fence))
    this.changed()
  }

  find(flowRunId: string, fence: number): Run | undefined {
    return this.#runs.get(key(flowRunId, fence))
  }

  /** Executions of the same flow run under other fences. */
  others(run: Run): Run[] {
    return [...this.#runs.values()].filter(
      (other) => other !== run && other.folder.flowRunId === run.folder.flowRunId,
    )
  }

  /** What a renewal names: all that the API has let start and whose end it has not acknowledged. */
  held(): ExecutionKey[] {
    return [...this.#runs.values()]
      .filter((run) => run.isAccepted)
      .map(({ folder }) => ({ flow_run_id: folder.flowRunId, fence: folder.fence }))
  }

  all(): Run[] {
    return [...this.#runs.values()]
  }

  /** Tells those who wait that a run has come, gone, or changed. */
  changed(): void {
    for (const wake of this.#waiters) {
      wake()
    }
  }

  /** Resolves when the condition holds; it is tried anew with every change. Rejects with the signal's reason. */
  until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        this.#waiters.delete(check)
        signal.removeEventListener('abort', onAbort)
        settle()
      }
      const check = () => {
        if (condition()) {
          end(resolve)
        }
      }
      const onAbort = () => end(() => reject(signal.reason))
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiters.add(check)
      check()
    })
  }
}

function key(flowRunId: string, fence: number): string {
  return `${flowRunId}.${fence}`
}
