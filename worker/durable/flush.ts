/** One row as it is written to the store, with the version that the store will then hold. */
export interface FlushRow {
  id: string
  seq: number
  /** The row's columns; goes into one JSON parameter. */
  columns: Record<string, unknown>
}

export interface FlushTarget {
  /** What must be asked of the store before these rows can be written; throws when the store is away, as `write` does. */
  prepare?(ids: string[]): Promise<void>
  /** The present rows of these ids; an id that is gone is left out. Synchronous: it reads the object's own SQLite. */
  read(ids: string[]): FlushRow[]
  /**
   * For the time after a restart: rows that follow this id and were written since then, or about then, in the order of their
   * ids. It may look at part of them only, so that it takes no time to speak of.
   */
  inDoubt(since: number, after: string, limit: number): RowsInDoubt
  /** Writes rows to the store in one statement. Must be repeatable: the store takes newer `seq` only. */
  write(json: string, count: number): Promise<void>
  /** The store holds these versions now. */
  acknowledged(rows: FlushRow[]): void
  /** A row that the store refuses by itself, not because it is away; the rest goes through. Kept for the time after a restart. */
  setAside(row: FlushRow, error: unknown): void
  /** The store has taken a row that it had refused. */
  takeBack(id: string): void
  /** What was set aside and not taken back. */
  refused(): string[]
  /** Rows wait for the store since then, for longer than usual; null: no longer. Said again with every try. */
  lags(since: number | null): void
  /** The durable marker: what was written since then may not have been flushed; null: all was. */
  readMarker(): number | null
  writeMarker(since: number | null): void
  now(): number
}

export interface RowsInDoubt {
  ids: string[]
  /** Where to go on; null: that was all. */
  next: string | null
}

/** D1 takes statements of some MB, but a smaller one holds up its one thread for a shorter time. */
const MAX_BYTES = 1_000_000
const MAX_ROWS = 500
/** What nobody waits for is gathered this long, so that one statement carries many runs. */
const GATHER_MICROS = 500_000
/** With so many rows it is gathered longer: more changes of a run go in one write, which is what costs. */
const MANY = { rows: 20, gather: 1_500_000 }
/** A client waits this long for the store; then it is answered anyway, since the row is safe in the object. */
const CLIENT_WAIT_MS = 1000
/** The same while the store is known to be silent. */
const SHORT_WAIT_MS = 50
/** A statement takes milliseconds, and D1 gives it up after 30 s; one that is repeated while it still goes on does no harm. */
const WRITE_WAIT_MS = 10_000
const IN_FLIGHT_MICROS = 35_000_000
/** In an object that never rests the marker follows so far behind: what a restart finds in doubt is bounded by it. */
const MARKER_MICROS = 60_000_000
/** What waits longer than this is worth a word to those who read the store. */
const LAG_MICROS = 2_500_000
/** A row that is refused is tried again, since a new version of the Worker may have mended its table. */
const REFUSED_MICROS = { first: 60_000_000, longest: 3_600_000_000 }
const RETRY_MICROS = { first: 500_000, longest: 30_000_000 }

/**
 * Carries an object's rows to D1: which rows are not there yet is known in memory and, across restarts, by one durable
 * marker, a time; there is no outbox. While one flush is in flight, what arrives waits for the next one.
 */
export class Flusher {
  readonly #target: FlushTarget
  /** What the store does not have yet, and since when. */
  readonly #dirty = new Map<string, number>()
  /** Since a restart: rows after this id may not be in the store either. They are taken page by page, since there may be millions. */
  #unread: string | null = null
  readonly #started: number
  /** What the next flush carries; all else waits for its time, so that one write carries several changes of a row. */
  readonly #urgent = new Set<string>()
  /** Rows that the store refuses: how often it has, and when they are tried again. */
  readonly #refused: Map<string, { tries: number; at: number }>
  #inFlight: Promise<void> | undefined
  #failures = 0
  #marker: number | null
  /** When the alarm is to flush, in microseconds; null when there is nothing to do. */
  #due: number | null = null
  #waitingSince: number | null = null
  #toldLag = false
  /** A client has waited in vain, and no write has succeeded since. */
  #isSilent = false

  constructor(target: FlushTarget) {
    this.#target = target
    this.#marker = target.readMarker()
    const now = target.now()
    this.#started = now
    if (this.#marker !== null) {
      this.#due = now
      this.#waitingSince = now
      this.#unread = ''
      this.#readPage()
    }
    this.#refused = new Map(target.refused().map((id) => [id, { tries: 0, at: now }]))
  }

  /** When the object's alarm must call `onAlarm`; null: not at all. */
  get due(): number | null {
    const times = [this.#due ?? Infinity, ...[...this.#refused.values()].map(({ at }) => at)]
    const next = Math.min(...times)
    return next === Infinity ? null : next
  }

  /** Since when something waits for the store, in microseconds; null when nothing does. */
  get waitingSince(): number | null {
    return this.#waitingSince
  }

  /** Call it in the same turn as the write of the row. */
  markDirty(id: string): void {
    const now = this.#target.now()
    if (this.#marker === null) {
      this.#mark(now)
    }
    this.#dirty.set(id, this.#dirty.get(id) ?? now)
    this.#waitingSince ??= now
    this.#due ??= now + GATHER_MICROS
  }

  /**
   * Waits until these rows, or all that are dirty now, are in the store: true; or for at most a second: false, and the alarm
   * goes on.
   */
  async flushed(ids?: readonly string[]): Promise<boolean> {
    this.#hurry(ids ?? [])
    let timer: ReturnType<typeof setTimeout> | null = null
    const timeout = new Promise<boolean>((resolve) => {
      timer = setTimeout(
        () => {
          this.#isSilent = true
          resolve(false)
        },
        this.#isSilent ? SHORT_WAIT_MS : CLIENT_WAIT_MS,
      )
    })
    const done = (ids === undefined ? this.#drainAll() : this.#drain()).then(
      () => true,
      () => false,
    )
    try {
      return await Promise.race([done, timeout])
    } finally {
      // A timer that goes on would keep the object awake, and billed.
      clearTimeout(timer)
    }
  }

  /** Flushes when it is time; never throws. */
  async onAlarm(): Promise<void> {
    const now = this.#target.now()
    for (const [id, refused] of this.#refused) {
      if (refused.at <= now) {
        refused.at = Infinity
        this.#dirty.set(id, this.#dirty.get(id) ?? now)
        this.#due = now
      }
    }
    if (this.#due !== null && this.#due <= now && this.#mayGather) {
      this.#due = Math.max(this.#due, (this.#waitingSince ?? 0) + this.#gather)
    }
    if (this.#due !== null && this.#due <= now) {
      if (this.#dirty.size === 0) {
        this.#readPage()
      }
      if (this.#dirty.size === 0) {
        this.#afterFlush()
        return
      }
      this.#hurry(this.#dirty.keys())
      await this.#drain().catch(() => undefined)
    }
  }

  /** Not what is tried again, or in doubt since a restart. */
  get #mayGather(): boolean {
    return this.#failures === 0 && (this.#waitingSince ?? 0) > this.#started
  }

  get #gather(): number {
    return this.#dirty.size < MANY.rows ? GATHER_MICROS : MANY.gather
  }

  #hurry(ids: Iterable<string>): void {
    for (const id of ids) {
      if (this.#dirty.has(id)) {
        this.#urgent.add(id)
      }
    }
  }

  async #drainAll(): Promise<void> {
    let isMore: boolean
    do {
      if (this.#dirty.size === 0) {
        this.#readPage()
      }
      isMore = this.#unread !== null
      this.#hurry(this.#dirty.keys())
      await this.#drain()
    } while (isMore)
  }

  #readPage(): void {
    if (this.#unread !== null) {
      const { ids, next } = this.#target.inDoubt(this.#marker ?? 0, this.#unread, MAX_ROWS)
      for (const id of ids) {
        this.#dirty.set(id, this.#dirty.get(id) ?? this.#started)
      }
      this.#unread = next
    }
  }

  /** One flush after the one in flight covers all that is urgent at the time of the call. */
  async #drain(): Promise<void> {
    if (this.#inFlight !== undefined) {
      await this.#inFlight.catch(() => undefined)
    }
    if (this.#inFlight === undefined && this.#urgent.size > 0) {
      this.#inFlight = this.#flush().finally(() => {
        this.#inFlight = undefined
      })
    }
    await this.#inFlight
  }

  async #flush(): Promise<void> {
    // Should the object die meanwhile, its alarm still comes.
    this.#due = this.#target.now() + IN_FLIGHT_MICROS
    const ids = [...this.#urgent]
    this.#urgent.clear()
    try {
      while (ids.length > 0) {
        const some = ids.splice(0, MAX_ROWS)
        if (this.#target.prepare !== undefined) {
          await inTime(this.#target.prepare(some), () => this.#tellLag())
        }
        const rows = this.#target.read(some)
        // From here on these versions are taken: a change that comes while they are written makes its row dirty again.
        const since = new Map(some.map((id) => [id, this.#dirty.get(id)]))
        for (const id of some) {
          this.#dirty.delete(id)
        }
        this.#forgetGone(some, rows)
        const unwritten = new Set(rows)
        try {
          for (const batch of byBytes(rows)) {
            await this.#writeBatch(batch, unwritten)
          }
        } finally {
          for (const { id } of unwritten) {
            this.#dirty.set(id, since.get(id) ?? this.#target.now())
          }
        }
      }
      this.#failures = 0
      this.#readPage()
      this.#waitingSince = this.#dirty.size === 0 ? null : Math.min(...this.#dirty.values())
    } catch (error) {
      this.#failures += 1
      throw error
    } finally {
      this.#afterFlush()
    }
  }

  /** What is no longer in the object need not be taken by the store. */
  #forgetGone(asked: string[], rows: FlushRow[]): void {
    if (this.#refused.size > 0) {
      const there = new Set(rows.map(({ id }) => id))
      for (const id of asked.filter((candidate) => !there.has(candidate))) {
        this.#takeBack(id)
      }
    }
  }

  #takeBack(id: string): void {
    if (this.#refused.delete(id)) {
      this.#target.takeBack(id)
    }
  }

  /** Takes what it wrote, or set aside, out of `unwritten`. */
  async #writeBatch(rows: RowText[], unwritten: Set<FlushRow>): Promise<void> {
    try {
      const json = `[${rows.map(({ text }) => text).join(',')}]`
      await inTime(this.#target.write(json, rows.length), () => this.#tellLag())
    } catch (error) {
      if (!isRowFault(error)) {
        throw error
      }
      await this.#bisect(rows, unwritten, error)
      return
    }
    this.#isSilent = false
    const written = rows.map(({ row }) => row)
    for (const row of written) {
      unwritten.delete(row)
      this.#takeBack(row.id)
    }
    this.#target.acknowledged(written)
  }

  /** A statement that the store refuses is halved until the bad row stands alone; it is set aside, the rest goes through. */
  async #bisect(rows: RowText[], unwritten: Set<FlushRow>, error: unknown): Promise<void> {
    const [only] = rows
    if (rows.length === 1 && only !== undefined) {
      unwritten.delete(only.row)
      const tries = this.#refused.get(only.row.id)?.tries ?? 0
      const wait = Math.min(REFUSED_MICROS.first * 2 ** tries, REFUSED_MICROS.longest)
      this.#refused.set(only.row.id, { tries: tries + 1, at: this.#target.now() + wait })
      this.#target.setAside(only.row, error)
      return
    }
    const middle = Math.ceil(rows.length / 2)
    await this.#writeBatch(rows.slice(0, middle), unwritten)
    await this.#writeBatch(rows.slice(middle), unwritten)
  }

  #mark(since: number | null): void {
    this.#target.writeMarker(since)
    this.#marker = since
  }

  #tellLag(): void {
    const since = this.#waitingSince
    if (since !== null && this.#target.now() - since >= LAG_MICROS) {
      this.#toldLag = true
      this.#target.lags(since)
    } else if (this.#toldLag) {
      this.#toldLag = false
      this.#target.lags(null)
    }
  }

  #afterFlush(): void {
    this.#tellLag()
    const now = this.#target.now()
    if (this.#dirty.size === 0) {
      if (this.#unread !== null) {
        this.#due = now
        return
      }
      if (this.#marker !== null) {
        this.#mark(null)
      }
      this.#waitingSince = null
      this.#due = null
      return
    }
    const since = this.#waitingSince ?? now
    // What a restart left in doubt may be older than the time at which it was found.
    if (since > this.#started && since - (this.#marker ?? since) >= MARKER_MICROS) {
      this.#mark(since)
    }
    this.#due =
      this.#failures === 0
        ? Math.max(now, since + this.#gather)
        : now + Math.min(RETRY_MICROS.first * 2 ** (this.#failures - 1), RETRY_MICROS.longest)
  }
}

interface RowText {
  row: FlushRow
  /** Its columns as JSON. */
  text: string
}

function byBytes(rows: FlushRow[]): RowText[][] {
  const batches: RowText[][] = []
  let batch: RowText[] = []
  let bytes = 0
  for (const row of rows) {
    const text = JSON.stringify(row.columns)
    const size = bytesOf(text)
    if (batch.length > 0 && bytes + size > MAX_BYTES) {
      batches.push(batch)
      batch = []
      bytes = 0
    }
    batch.push({ row, text })
    bytes += size
  }
  return batch.length === 0 ? batches : [...batches, batch]
}

/** As UTF-8, in which D1 counts: it takes no parameter over 2 MB. */
function bytesOf(text: string): number {
  return isAscii(text) ? text.length : new TextEncoder().encode(text).length
}

function isAscii(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- the range is what is meant
  return /^[\u0000-\u007f]*$/.test(text)
}

/** @param slow called when it takes longer than usual */
async function inTime(write: Promise<void>, slow: () => void): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timers = [
    setTimeout(slow, LAG_MICROS / 1000),
    setTimeout(() => {
      late.reject(new Error(`the store did not answer within ${WRITE_WAIT_MS} ms`))
    }, WRITE_WAIT_MS),
  ]
  try {
    await Promise.race([write, late.promise])
  } finally {
    for (const timer of timers) {
      clearTimeout(timer)
    }
  }
}

/** The row itself is at fault (a constraint, a type, its size); anything else is the store being away or busy. */
function isRowFault(error: unknown): boolean {
  const text = error instanceof Error ? error.message : String(error)
  return /constraint|datatype mismatch|too big|too large|out of range|malformed JSON/i.test(text)
}
