import type { Log } from '#core/wire/log.ts'
import { toLogLine, type LogLine } from './log-line.ts'

/** More lines than this are not kept in memory; those farthest from where the reader went are let go. */
const MOST_LINES = 100_000

interface Edge {
  /** The time to ask from, itself included; undefined before anything was loaded. */
  time: string | undefined
  /** How many lines of that time to skip: more than a page of lines can have one time. */
  offset: number
}

/**
 * A stretch of a run's log without gaps, that grows at both ends. Pages overlap by the lines of one time, since lines are
 * asked for by time; each line is kept once.
 */
export class LogWindow {
  lines: readonly LogLine[] = []
  atStart = false
  atEnd = false
  readonly #ids = new Set<string>()
  readonly #capacity: number
  #skipBefore = 0
  #skipAfter = 0

  constructor(capacity = MOST_LINES) {
    this.#capacity = capacity
  }

  get before(): Edge {
    return { time: this.lines[0]?.timestamp, offset: this.#skipBefore }
  }

  get after(): Edge {
    return { time: this.lines.at(-1)?.timestamp, offset: this.#skipAfter }
  }

  /**
   * Adds a page of earlier lines, latest first, as the server answers.
   * @returns how many lines stand before those that were first until now
   */
  prepend(page: readonly Log[], pageSize: number): number {
    const fresh = this.#fresh(page.toReversed())
    this.atStart = page.length < pageSize
    this.#skipBefore = fresh.length === 0 ? this.#skipBefore + page.length : 0
    const lines = [...fresh, ...this.lines]
    if (lines.length > this.#capacity) {
      this.#forget(lines.splice(this.#capacity))
      this.atEnd = false
      this.#skipAfter = 0
    }
    this.lines = lines
    return fresh.length
  }

  /**
   * Adds a page of later lines, earliest first.
   * @returns how many lines at the start were let go for it
   */
  append(page: readonly Log[], pageSize: number): number {
    const fresh = this.#fresh(page)
    this.atEnd = page.length < pageSize
    this.#skipAfter = fresh.length === 0 && !this.atEnd ? this.#skipAfter + page.length : 0
    if (fresh.length === 0) {
      return 0
    }
    const lines = [...this.lines, ...fresh]
    const excess = Math.max(0, lines.length - this.#capacity)
    if (excess > 0) {
      this.#forget(lines.splice(0, excess))
      this.atStart = false
      this.#skipBefore = 0
    }
    this.lines = lines
    return excess
  }

  #fresh(page: readonly Log[]): LogLine[] {
    const fresh: LogLine[] = []
    for (const log of page) {
      if (!this.#ids.has(log.id)) {
        this.#ids.add(log.id)
        fresh.push(toLogLine(log))
      }
    }
    return fresh
  }

  #forget(lines: readonly LogLine[]): void {
    for (const line of lines) {
      this.#ids.delete(line.id)
    }
  }
}
