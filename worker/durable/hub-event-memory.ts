import { parseTimestamp, type Micros } from '#core/time.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import type { EventMemory } from '#domain/event-order.ts'
import { LOOKBACK_MICROS } from '#domain/trigger-buckets.ts'
import { bounded } from './hub-automation-store.ts'

/** Written and read here only. */
export const EVENT_MEMORY_TABLES: readonly string[] = [
  // Which events were judged, many to a row, kept as long as one that follows them may come.
  'CREATE TABLE judged (batch INTEGER PRIMARY KEY, at INTEGER NOT NULL, ids TEXT NOT NULL, last TEXT NOT NULL)',
  // Events that wait for the one that they follow.
  `CREATE TABLE parked_event (
    id TEXT PRIMARY KEY, follows TEXT NOT NULL, received INTEGER NOT NULL, body TEXT NOT NULL
  ) WITHOUT ROWID`,
  'CREATE INDEX parked_event_behind ON parked_event (follows)',
  // Since when every judged event is remembered.
  'CREATE TABLE memory (one INTEGER PRIMARY KEY CHECK (one = 1), since INTEGER NOT NULL)',
]

/** Prefect's number. */
const REMEMBERED_MICROS: Micros = 2 * LOOKBACK_MICROS
/** A busy workspace forgets earlier: ids are held in memory. */
const MOST_REMEMBERED = 50_000
/** Who names an event that it follows does so within this time. */
const FOLLOWS_WITHIN_MICROS: Micros = 5 * 60 * 1_000_000

export interface LastJudged {
  id: string
  event: string
  occurred: string
}

/**
 * Which events have been judged. It is in memory, and in the tables once there are automations, since a workspace without any
 * should not pay for rows.
 */
export class HubEventMemory implements EventMemory {
  readonly #sql: SqlStorage
  readonly #judged = new Map<string, Micros>()
  readonly #now: () => Micros
  #since: Micros
  #isKept: boolean
  #unwritten: string[] = []
  #last: LastJudged | null = null

  constructor(sql: SqlStorage, now: () => Micros) {
    this.#sql = sql
    this.#now = now
    const begin = sql.exec<{ since: number }>('SELECT since FROM memory').toArray()[0]?.since
    this.#isKept = begin !== undefined
    this.#since = begin ?? now()
    this.#load()
  }

  /** The newest event that was judged. */
  get last(): LastJudged | null {
    return this.#last
  }

  /** From now on what is judged is kept in the tables, or no more. */
  keep(isKept: boolean): void {
    if (isKept === this.#isKept) {
      return
    }
    this.#isKept = isKept
    if (isKept) {
      this.#sql.exec('INSERT OR REPLACE INTO memory (one, since) VALUES (1, ?)', this.#since)
      this.#unwritten = [...this.#judged.keys()]
      this.write()
      return
    }
    for (const table of ['memory', 'judged', 'parked_event']) {
      this.#sql.exec(`DELETE FROM ${table}`)
    }
  }

  noteLast({ id, event, occurred }: ReceivedEvent): void {
    this.#last = { id, event, occurred }
  }

  /** Nobody waits for what may have come before the memory began. */
  remembersBefore(event: ReceivedEvent): boolean {
    return (parseTimestamp(event.occurred) ?? 0) - FOLLOWS_WITHIN_MICROS >= this.#since
  }

  hasJudged(id: string): boolean {
    return this.#judged.has(id)
  }

  noteJudged(id: string): void {
    this.#judged.set(id, this.#now())
    this.#unwritten.push(id)
    if (this.#judged.size > MOST_REMEMBERED) {
      const [oldest] = this.#judged.keys()
      this.#judged.delete(oldest ?? '')
    }
  }

  park(event: ReceivedEvent): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO parked_event (id, follows, received, body) VALUES (?, ?, ?, ?)',
      event.id,
      event.follows ?? '',
      parseTimestamp(event.received) ?? this.#now(),
      bounded(event),
    )
  }

  unpark(id: string): void {
    if (this.#isKept) {
      this.#sql.exec('DELETE FROM parked_event WHERE id = ?', id)
    }
  }

  parkedBehind(id: string): ReceivedEvent[] {
    return this.#isKept ? this.#events('SELECT body FROM parked_event WHERE follows = ?', id) : []
  }

  parkedUntil(received: Micros): ReceivedEvent[] {
    return this.#events('SELECT body FROM parked_event WHERE received <= ?', received)
  }

  parkedCount(): number {
    return this.#sql.exec<{ count: number }>('SELECT count(*) AS count FROM parked_event').one()
      .count
  }

  /** Writes what was judged since the last time, as one row. */
  write(): void {
    const ids = this.#unwritten
    this.#unwritten = []
    if (!this.#isKept || ids.length === 0) {
      return
    }
    this.#sql.exec(
      'INSERT INTO judged (at, ids, last) VALUES (?, ?, ?)',
      this.#now(),
      JSON.stringify(ids),
      JSON.stringify(this.#last),
    )
  }

  /** When the longest waiting event has waited for long enough. */
  nextDue(): Micros | null {
    const { received } = this.#sql
      .exec<{ received: number | null }>('SELECT min(received) AS received FROM parked_event')
      .one()
    return received === null ? null : received + LOOKBACK_MICROS
  }

  sweep(): void {
    const before = this.#now() - REMEMBERED_MICROS
    for (const [id, at] of this.#judged) {
      if (at >= before) {
        break
      }
      this.#judged.delete(id)
    }
    this.#since = Math.max(this.#since, before)
    if (this.#isKept) {
      this.#sql.exec('DELETE FROM judged WHERE at < ?', before)
    }
  }

  /** The newest ones, in the order in which they were judged. */
  #load(): void {
    const newest: { at: number; ids: string[] }[] = []
    let count = 0
    for (const { at, ids, last } of this.#sql.exec<{ at: number; ids: string; last: string }>(
      'SELECT at, ids, last FROM judged WHERE at > ? ORDER BY batch DESC',
      this.#now() - REMEMBERED_MICROS,
    )) {
      this.#last ??= JSON.parse(last) as LastJudged
      newest.push({ at, ids: JSON.parse(ids) as string[] })
      count += newest.at(-1)?.ids.length ?? 0
      if (count >= MOST_REMEMBERED) {
        break
      }
    }
    for (const { at, ids } of newest.toReversed()) {
      for (const id of ids) {
        this.#judged.set(id, at)
      }
    }
  }

  #events(query: string, parameter: string | number): ReceivedEvent[] {
    return this.#sql
      .exec<{ body: string }>(query, parameter)
      .toArray()
      .map(({ body }) => JSON.parse(body) as ReceivedEvent)
  }
}
