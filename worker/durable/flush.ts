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
  /** All ids in the object, for the time after a restart, when nobody knows which of them were flushed. */
  all(): string[]
  /** Writes rows to the store in one statement. Must be repeatable: the store takes newer `seq` only. */
  write(json: string): Promise<void>
  /** The store holds these versions now. */
  acknowledged(rows: FlushRow[]): void
  /** A row that the store refuses by itself, not because it is away; the rest goes through. */
  setAside(row: FlushRow, error: unknown): void
  /** The durable marker: something may not have been flushed. */
  readMarker(): boolean
  writeMarker(dirty: boolean): void
  now(): number
}

/** D1 takes statements of some MB, but a smaller one holds up its one thread for a shorter time. */
const MAX_BYTES = 1_000_000
const MAX_ROWS = 500
/** What nobody waits for is gathered this long, so that one statement carries many runs. */
const GATHER_MICROS = 500_000
/** A client waits this long for the store; then it is answered anyway, since the row is safe in the object. */
const CLIENT_WAIT_MS = 1000
/** D1 gives a statement up after 30 s. */
const IN_FLIGHT_MICROS = 35_000_000
const RETRY_MICROS = { first: 500_000, longest: 30_000_000 }

/**
 * Carries an object's rows to D1: which rows are not there yet is known in memory and, across restarts, by one durable
 * marker; there is no outbox. While one flush is in flight, what arrives waits for the next one.
 */
export class Flusher {
  readonly #target: FlushTarget
  readonly #dirty: Set<string>
  #inFlight: Promise<void> | undefined
  #failures = 0
  #marked: boolean
  /** When the alarm is to flush, in microseconds; null when there is nothing to do. */
  #due: number | null = null

  constructor(target: FlushTarget) {
    this.#target = target
    this.#marked = target.readMarker()
    this.#dirty = new Set(this.#marked ? target.all() : [])
    if (this.#marked) {
      this.#due = target.now()
    }
  }

  /** When the object's alarm must call `onAlarm`; null: not at all. */
  get due(): number | null {
    return this.#due
  }

  /** Call it in the same turn as the write of the row. */
  markDirty(id: string): void {
    if (!this.#marked) {
      this.#target.writeMarker(true)
      this.#marked = true
    }
    this.#dirty.add(id)
    this.#due ??= this.#target.now() + GATHER_MICROS
  }

  /**
   * Waits until everything that is dirty now is in the store: true; or for at most a second: false, and the alarm goes on.
   */
  async flushed(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | null = null
    const timeout = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), CLIENT_WAIT_MS)
    })
    const done = this.#drain().then(
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
    if (this.#due !== null && this.#due <= this.#target.now()) {
      await this.#drain().catch(() => undefined)
    }
  }

  /** One flush after the one in flight covers all that is dirty at the time of the call. */
  async #drain(): Promise<void> {
    if (this.#inFlight !== undefined) {
      await this.#inFlight.catch(() => undefined)
    }
    if (this.#inFlight === undefined && this.#dirty.size > 0) {
      this.#inFlight = this.#flush().finally(() => {
        this.#inFlight = undefined
      })
    }
    await this.#inFlight
  }

  async #flush(): Promise<void> {
    // Should the object die meanwhile, its alarm still comes.
    this.#due = this.#target.now() + IN_FLIGHT_MICROS
    const ids = [...this.#dirty]
    try {
      while (ids.length > 0) {
        const some = ids.splice(0, MAX_ROWS)
        await this.#target.prepare?.(some)
        const rows = this.#target.read(some)
        // From here on these versions are taken: a change that comes while they are written makes its row dirty again.
        for (const id of some) {
          this.#dirty.delete(id)
        }
        const unwritten = new Set(rows)
        try {
          for (const batch of byBytes(rows)) {
            await this.#writeBatch(batch, unwritten)
          }
        } finally {
          for (const row of unwritten) {
            this.#dirty.add(row.id)
          }
        }
      }
      this.#failures = 0
    } catch (error) {
      this.#failures += 1
      throw error
    } finally {
      this.#afterFlush()
    }
  }

  /** Takes what it wrote, or set aside, out of `unwritten`. */
  async #writeBatch(rows: FlushRow[], unwritten: Set<FlushRow>): Promise<void> {
    try {
      await this.#target.write(JSON.stringify(rows.map((row) => row.columns)))
    } catch (error) {
      if (!isRowFault(error)) {
        throw error
      }
      await this.#bisect(rows, unwritten, error)
      return
    }
    for (const row of rows) {
      unwritten.delete(row)
    }
    this.#target.acknowledged(rows)
  }

  /** A statement that the store refuses is halved until the bad row stands alone; it is set aside, the rest goes through. */
  async #bisect(rows: FlushRow[], unwritten: Set<FlushRow>, error: unknown): Promise<void> {
    const [only] = rows
    if (rows.length === 1 && only !== undefined) {
      unwritten.delete(only)
      this.#target.setAside(only, error)
      return
    }
    const middle = Math.ceil(rows.length / 2)
    await this.#writeBatch(rows.slice(0, middle), unwritten)
    await this.#writeBatch(rows.slice(middle), unwritten)
  }

  #afterFlush(): void {
    if (this.#dirty.size === 0) {
      if (this.#marked) {
        this.#target.writeMarker(false)
        this.#marked = false
      }
      this.#due = null
      return
    }
    const wait =
      this.#failures === 0
        ? GATHER_MICROS
        : Math.min(RETRY_MICROS.first * 2 ** (this.#failures - 1), RETRY_MICROS.longest)
    this.#due = this.#target.now() + wait
  }
}

function byBytes(rows: FlushRow[]): FlushRow[][] {
  const batches: FlushRow[][] = []
  let batch: FlushRow[] = []
  let bytes = 0
  for (const row of rows) {
    const size = JSON.stringify(row.columns).length
    if (batch.length > 0 && bytes + size > MAX_BYTES) {
      batches.push(batch)
      batch = []
      bytes = 0
    }
    batch.push(row)
    bytes += size
  }
  return batch.length === 0 ? batches : [...batches, batch]
}

/** The row itself is at fault (a constraint, a type, its size); anything else is the store being away or busy. */
function isRowFault(error: unknown): boolean {
  const text = error instanceof Error ? error.message : String(error)
  return /constraint|datatype mismatch|too big|malformed JSON/i.test(text)
}
