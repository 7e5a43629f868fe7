import type { Client } from '../../core/client.ts'
import type { Log } from '../../core/wire/log.ts'

/** Knows what the task runs are called that log lines belong to, asking once for each that is new. */
export class TaskNames {
  readonly #client: Client
  readonly #names = new Map<string, string | undefined>()

  constructor(client: Client) {
    this.#client = client
  }

  /** Reads the names of the task runs of these lines that are not known yet. */
  async learn(logs: readonly Log[]): Promise<void> {
    const ids = new Set(logs.map(({ task_run_id }) => task_run_id))
    const unknown = [...ids].filter((id) => id !== null && !this.#names.has(id)) as string[]
    for (let start = 0; start < unknown.length; start += PAGE) {
      const some = unknown.slice(start, start + PAGE)
      const found = await this.#client.filterTaskRuns({
        task_runs: { id: { any_: some } },
        limit: PAGE,
      })
      // A task run becomes known to the API a moment after its first lines: those are asked for again.
      for (const { id, name } of found) {
        this.#names.set(id, name)
      }
    }
  }

  of(log: Log): string | undefined {
    return log.task_run_id === null ? undefined : this.#names.get(log.task_run_id)
  }
}

const PAGE = 200
