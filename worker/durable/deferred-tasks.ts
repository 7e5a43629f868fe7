import type { Micros } from '#core/time.ts'
import { toTaskRun, type TaskRunRecord } from '#domain/task-run.ts'
import type { Workspace } from '#storage/workspace.ts'
import { taskQueueStub } from '../operations/stubs.ts'

/** Schedulings of deferred task runs that the queue has not yet taken. */
export const DEFERRED_TABLE =
  'CREATE TABLE deferred_task (state_id TEXT PRIMARY KEY, task_run_id TEXT NOT NULL) WITHOUT ROWID'

/** After the queue could not be reached. */
const RETRY_MS = 5000

interface Surroundings {
  sql: SqlStorage
  workspace(): Workspace
  find(taskRunId: string): TaskRunRecord | undefined
}

/** Hands deferred task runs to the workspace's queue, which knows each scheduling by its state's id: until it has taken them. */
export class DeferredTasks {
  readonly #deps: Surroundings
  /** When the object's alarm must call `deliver`, in milliseconds; null: not at all. */
  due: number | null

  constructor(surroundings: Surroundings) {
    this.#deps = surroundings
    this.due = this.#rows().length > 0 ? Date.now() : null
  }

  /** Notes, in the caller's transaction, that a task run's current state schedules it for a task worker, if it does. */
  expect(run: TaskRunRecord): void {
    const state = run.states.at(-1)
    if (state?.type === 'SCHEDULED' && state.state_details.deferred === true) {
      this.#deps.sql.exec(
        'INSERT OR IGNORE INTO deferred_task (state_id, task_run_id) VALUES (?, ?)',
        state.id,
        run.id,
      )
      this.due ??= Date.now() + RETRY_MS
    }
  }

  async deliver(now: Micros): Promise<void> {
    if (this.due === null) {
      return
    }
    this.due = Date.now() + RETRY_MS
    try {
      for (const { state_id, task_run_id } of this.#rows()) {
        const run = this.#deps.find(task_run_id)
        // What has gone on meanwhile, or was deleted, waits for nobody.
        if (run !== undefined && !run.deleted && run.state_id === state_id) {
          await taskQueueStub(this.#deps.workspace()).enqueue(toTaskRun(run, now), now)
        }
        this.#deps.sql.exec('DELETE FROM deferred_task WHERE state_id = ?', state_id)
      }
    } catch {
      // The queue is away; the alarm comes back to it.
      return
    }
    this.due = this.#rows().length > 0 ? this.due : null
  }

  #rows(): { state_id: string; task_run_id: string }[] {
    return this.#deps.sql
      .exec<{ state_id: string; task_run_id: string }>('SELECT * FROM deferred_task LIMIT 100')
      .toArray()
  }
}
