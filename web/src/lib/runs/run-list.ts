import type { FlowRunRow } from '#core/wire/flow-run.ts'

interface RunListRules {
  matches: (row: FlowRunRow) => boolean
  compare: (a: FlowRunRow, b: FlowRunRow) => number
}

interface Page {
  rows: readonly FlowRunRow[]
  next_cursor: string | null
  /** The feed's version when the page was read. */
  version: number
}

interface Entry {
  row: FlowRunRow
  /** The feed's version that brought the row: an older page that lacks it does not speak against it. */
  seen: number
  /** `waiting` rows are new and held back; `beyond` ones belong to pages that are not loaded yet. */
  place: 'shown' | 'waiting' | 'beyond'
}

/**
 * The rows of a list that changes under the reader's eyes. Pages and the feed's changes may come in any order, twice or not
 * at all: the highest version of a row wins, and a deleted one stays away. Nothing moves while the reader is at work
 * (`hold`): new rows wait until they are asked for.
 */
export class RunList {
  rows: readonly FlowRunRow[] = []
  nextCursor: string | null = null
  waitingCount = 0
  readonly #rules: RunListRules
  readonly #entries = new Map<string, Entry>()
  /** The newest version seen of every row, those included that are not in the list; Infinity for deleted ones. */
  readonly #versions = new Map<string, number>()

  constructor(rules: RunListRules) {
    this.#rules = rules
  }

  /** The first page, as it is now. Rows of later pages stay where the first page still joins them. */
  load(page: Page): void {
    const last = page.rows.at(-1)
    const inPage = new Set(page.rows.map((row) => row.id))
    const joins = page.rows.some((row) => this.#entries.get(row.id)?.place === 'shown')
    let keptLater = false
    for (const [id, entry] of this.#entries) {
      if (inPage.has(id) || entry.seen > page.version) {
        continue
      }
      const isLater = last !== undefined && this.#rules.compare(entry.row, last) > 0
      if (joins && isLater && page.next_cursor !== null) {
        keptLater ||= entry.place === 'shown'
      } else {
        this.#entries.delete(id)
      }
    }
    if (!keptLater) {
      this.nextCursor = page.next_cursor
    }
    this.#take(page)
    this.showWaiting()
  }

  /** The page that follows what is loaded. */
  append(page: Page): void {
    this.nextCursor = page.next_cursor
    this.#take(page)
    this.#settle()
  }

  /** Changes that the feed brought. With `hold`, new rows wait, and rows that no longer match stay in their place. */
  apply(changes: readonly FlowRunRow[], version: number, hold: boolean): void {
    for (const row of changes) {
      if (row.version <= (this.#versions.get(row.id) ?? -1)) {
        continue
      }
      this.#versions.set(row.id, row.version)
      const known = this.#entries.get(row.id)
      const isShown = known?.place === 'shown'
      if (!this.#rules.matches(row) && !(isShown && hold)) {
        this.#entries.delete(row.id)
        continue
      }
      const place = isShown || (!hold && this.#isWithin(row)) ? 'shown' : 'waiting'
      this.#entries.set(row.id, { row, seen: version, place })
    }
    this.#settle(hold)
  }

  remove(ids: readonly string[]): void {
    for (const id of ids) {
      this.#versions.set(id, Number.POSITIVE_INFINITY)
      this.#entries.delete(id)
    }
    this.#settle(true)
  }

  /** Lets the waiting rows in, and those that no longer match go. */
  showWaiting(): void {
    for (const [id, entry] of this.#entries) {
      if (!this.#rules.matches(entry.row)) {
        this.#entries.delete(id)
      } else if (entry.place === 'waiting') {
        entry.place = 'shown'
      }
    }
    this.#settle()
  }

  #take(page: Page): void {
    for (const row of page.rows) {
      const known = this.#entries.get(row.id)
      if (known) {
        known.place = 'shown'
      }
      if (row.version >= (this.#versions.get(row.id) ?? -1)) {
        this.#versions.set(row.id, row.version)
        this.#entries.set(row.id, { row, seen: page.version, place: 'shown' })
      }
    }
  }

  /** Rows that are later than the last page belong to pages that are not loaded yet, and come with those. */
  #isWithin(row: FlowRunRow): boolean {
    const last = this.rows.at(-1)
    return this.nextCursor === null || last === undefined || this.#rules.compare(row, last) < 0
  }

  /** Works out what is shown; with `hold`, shown rows keep their order. */
  #settle(hold = false): void {
    const shown: FlowRunRow[] = []
    for (const { row, place } of this.#entries.values()) {
      if (place === 'shown') {
        shown.push(row)
      }
    }
    if (hold) {
      const order = new Map(this.rows.map((row, index) => [row.id, index]))
      const at = (row: FlowRunRow) => order.get(row.id) ?? Number.POSITIVE_INFINITY
      this.rows = shown.toSorted((a, b) => at(a) - at(b))
    } else {
      this.rows = shown.toSorted(this.#rules.compare)
    }
    this.waitingCount = 0
    for (const entry of this.#entries.values()) {
      if (entry.place !== 'shown') {
        entry.place = this.#isWithin(entry.row) ? 'waiting' : 'beyond'
        this.waitingCount += entry.place === 'waiting' ? 1 : 0
      }
    }
  }
}
