import type { TaskRun } from '#core/wire/task-run.ts'
import { api } from '../api.ts'
import { TaskList } from './task-list.ts'

const PAGE_SIZE = 200

/** The task runs of one run: read page by page when first looked at, then kept up by the feed. */
export class LiveTasks {
  readonly #flowRunId: string
  readonly #list = new TaskList()
  #revision = $state(0)
  #offset = 0
  #busy = false
  loaded = $state(false)
  hasMore = $state(false)
  failure = $state.raw<unknown>()

  constructor(flowRunId: string) {
    this.#flowRunId = flowRunId
  }

  get rows(): readonly TaskRun[] {
    void this.#revision
    return this.#list.rows
  }

  apply(taskRuns: readonly TaskRun[]): void {
    this.#list.apply(taskRuns)
    this.#revision += 1
  }

  /** The next page; the first one when nothing was read yet. */
  async loadMore(): Promise<void> {
    if (!this.loaded || this.hasMore) {
      await this.#read(this.#offset)
    }
  }

  /** What was read, once more. */
  async refresh(): Promise<void> {
    if (this.loaded) {
      await this.#read(Math.max(0, this.#offset - PAGE_SIZE))
    }
  }

  async #read(offset: number): Promise<void> {
    if (this.#busy) {
      return
    }
    this.#busy = true
    this.failure = undefined
    try {
      const page = await api().filterTaskRuns({
        task_runs: { flow_run_id: { any_: [this.#flowRunId] } },
        sort: 'EXPECTED_START_TIME_ASC',
        limit: PAGE_SIZE,
        offset,
      })
      this.apply(page)
      this.#offset = offset + page.length
      this.hasMore = page.length === PAGE_SIZE
      this.loaded = true
    } catch (error) {
      this.failure = error
    } finally {
      this.#busy = false
    }
  }
}
