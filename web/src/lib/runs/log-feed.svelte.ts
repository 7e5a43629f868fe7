import type { LogFilter, LogSort } from '#core/wire/query.ts'
import type { Log } from '#core/wire/log.ts'
import { api } from '../api.ts'
import type { LogLine } from './log-line.ts'
import { LogWindow } from './log-window.ts'

/** The server's largest page. */
const PAGE_SIZE = 200
/** Pages in one go when catching up with a run that writes faster than pages are read. */
const CATCH_UP_PAGES = 25

export interface LogView {
  flowRunId: string
  taskRunId: string
  /** The lowest level shown; 0 for all. */
  level: number
  /** Searched by the server, over all lines. */
  search: string
}

/** The log of a run as a screen shows it: a `LogWindow`, and the requests that fill it. */
export class LogFeed {
  readonly view: LogView
  #window = new LogWindow()
  #revision = $state(0)
  failure = $state.raw<unknown>()
  /** The first lines are here, or are known not to exist. */
  loaded = $state(false)
  #busy = false
  #wanted = false

  constructor(view: LogView) {
    this.view = view
  }

  get lines(): readonly LogLine[] {
    return this.#current().lines
  }

  get atStart(): boolean {
    return this.#current().atStart
  }

  get atEnd(): boolean {
    return this.#current().atEnd
  }

  /** Shows the last lines there are. */
  async openEnd(): Promise<void> {
    await this.#open('TIMESTAMP_DESC', (window, page) => {
      window.prepend(page, PAGE_SIZE)
      window.atEnd = true
    })
  }

  /** Shows the first lines. */
  async openStart(): Promise<void> {
    await this.#open('TIMESTAMP_ASC', (window, page) => {
      window.append(page, PAGE_SIZE)
      window.atStart = true
    })
  }

  /** Reads a page of earlier lines; answers how many were put in at the start. */
  async earlier(): Promise<number> {
    const window = this.#window
    const { time, offset } = window.before
    if (this.#busy || window.atStart || time === undefined) {
      return 0
    }
    return (
      (await this.#read(async () => {
        const page = await this.#page('TIMESTAMP_DESC', { before_: time }, offset)
        return window === this.#window ? window.prepend(page, PAGE_SIZE) : 0
      })) ?? 0
    )
  }

  /** Reads later lines, up to the end where that is near; answers how many were let go at the start. */
  async later(): Promise<number> {
    if (this.#busy) {
      this.#wanted = true
      return 0
    }
    const window = this.#window
    let dropped = 0
    await this.#read(async () => {
      for (let pages = 0; pages < CATCH_UP_PAGES; pages += 1) {
        this.#wanted = false
        const { time, offset } = window.after
        // Each page is asked for by the last line of the one before.
        const page = await this.#page(
          'TIMESTAMP_ASC',
          time === undefined ? undefined : { after_: time },
          offset,
        )
        if (window !== this.#window) {
          return
        }
        dropped += window.append(page, PAGE_SIZE)
        this.#revision += 1
        if (window.atEnd && !this.#wanted) {
          return
        }
      }
    })
    return dropped
  }

  /** All lines of the view, page after page, for a file. */
  async *all(): AsyncGenerator<Log[]> {
    const window = new LogWindow(PAGE_SIZE)
    const seen = new Set<string>()
    while (!window.atEnd) {
      const { time, offset } = window.after
      const page = await this.#page(
        'TIMESTAMP_ASC',
        time === undefined ? undefined : { after_: time },
        offset,
      )
      window.append(page, PAGE_SIZE)
      const fresh = page.filter((log) => !seen.has(log.id))
      for (const log of fresh) {
        seen.add(log.id)
      }
      yield fresh
    }
  }

  async #open(sort: LogSort, fill: (window: LogWindow, page: Log[]) => void): Promise<void> {
    const window = new LogWindow()
    await this.#read(async () => {
      fill(window, await this.#page(sort, undefined, 0))
      this.#window = window
      this.loaded = true
    })
  }

  async #read<T>(work: () => Promise<T>): Promise<T | undefined> {
    this.#busy = true
    this.failure = undefined
    try {
      return await work()
    } catch (error) {
      this.failure = error
      return undefined
    } finally {
      this.#busy = false
      this.#revision += 1
    }
  }

  #page(sort: LogSort, timestamp: LogFilter['timestamp'], offset: number): Promise<Log[]> {
    const { flowRunId, taskRunId, level, search } = this.view
    const logs: LogFilter = { flow_run_id: { any_: [flowRunId] } }
    if (taskRunId !== '') {
      logs.task_run_id = { any_: [taskRunId] }
    }
    if (level > 0) {
      logs.level = { ge_: level }
    }
    if (search !== '') {
      logs.text = { query: search }
    }
    if (timestamp) {
      logs.timestamp = timestamp
    }
    return api().filterLogs({ logs, sort, limit: PAGE_SIZE, offset })
  }

  #current(): LogWindow {
    void this.#revision
    return this.#window
  }
}
