import type { FeedFrame } from '#core/wire/feed.ts'
import type { FlowRunRow } from '#core/wire/flow-run.ts'
import type { FlowRunRows } from '#core/wire/query.ts'
import { api } from '../api.ts'
import { RunList } from './run-list.ts'
import { compareRows, matchesView, toRowsQuery, type RunsView } from './runs-view.ts'

/** The runs list as a screen shows it: a `RunList` behind one counter, so that rows are not proxied. */
export class LiveRuns {
  #view: RunsView | undefined
  #list: RunList | undefined
  #revision = $state(0)
  /** What is being loaded at the end of the list, if anything. */
  loadingMore = $state(false)
  failure = $state.raw<unknown>()

  get rows(): readonly FlowRunRow[] {
    return this.#current()?.rows ?? []
  }

  get waitingCount(): number {
    return this.#current()?.waitingCount ?? 0
  }

  get hasMore(): boolean {
    return (this.#current()?.nextCursor ?? null) !== null
  }

  /** Takes a first page. One of another view begins another list. */
  load(view: RunsView, page: FlowRunRows): void {
    if (this.#view !== view || !this.#list) {
      this.#view = view
      this.#list = new RunList({
        matches: (row) => matchesView(row, view, Date.now()),
        compare: compareRows(view.sort),
      })
      this.failure = undefined
    }
    this.#list.load(page)
    this.#revision += 1
  }

  apply(frame: FeedFrame, hold: boolean): void {
    if (frame.type === 'flow_runs') {
      this.#list?.apply(frame.rows, frame.version, hold)
    } else if (frame.type === 'flow_runs_deleted') {
      this.#list?.remove(frame.ids)
    } else {
      return
    }
    this.#revision += 1
  }

  showWaiting(): void {
    this.#list?.showWaiting()
    this.#revision += 1
  }

  async loadMore(): Promise<void> {
    const list = this.#list
    const cursor = list?.nextCursor
    if (!list || !this.#view || !cursor || this.loadingMore) {
      return
    }
    this.loadingMore = true
    this.failure = undefined
    try {
      list.append(await api().flowRunRows(toRowsQuery(this.#view, Date.now(), cursor)))
    } catch (error) {
      this.failure = error
    } finally {
      this.loadingMore = false
      this.#revision += 1
    }
  }

  #current(): RunList | undefined {
    void this.#revision
    return this.#list
  }
}
