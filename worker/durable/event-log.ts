import type { ReceivedEvent } from '#core/wire/event.ts'
import { formatTimestamp } from '#core/time.ts'
import type { Order, Place, Span } from '#domain/event-query.ts'

/**
 * The second step of the stream's tables: chunks know their place in the stream and their span of time, so that reading and
 * publishing find them without opening them. The text comes last: what stands before it is read without it.
 */
export const EVENT_LOG_TABLES: readonly string[] = [
  'ALTER TABLE event_chunk RENAME TO former_event_chunk',
  `CREATE TABLE event_chunk (
    position INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL, -- of its first event; the others follow without gaps
    count INTEGER NOT NULL,
    received INTEGER NOT NULL,  -- milliseconds; of the last one in it
    first TEXT NOT NULL,        -- the earliest and the latest time at which one of them occurred
    last TEXT NOT NULL,
    chars INTEGER NOT NULL,
    body TEXT NOT NULL          -- an event per line of text, in the order of arrival
  )`,
  `INSERT INTO event_chunk
    SELECT position,
      1 + (SELECT coalesce(sum(count), 0) FROM former_event_chunk AS earlier WHERE earlier.position < chunk.position),
      count, received,
      (SELECT min(value ->> 'occurred') FROM json_each('[' || replace(body, char(10), ',') || ']')),
      (SELECT max(value ->> 'occurred') FROM json_each('[' || replace(body, char(10), ',') || ']')),
      length(body), body
    FROM former_event_chunk AS chunk`,
  // Up to where the hub has taken the stream's events; written now and then, so that it may be behind.
  'CREATE TABLE publication (one INTEGER PRIMARY KEY CHECK (one = 1), taken INTEGER NOT NULL)',
  // Events of that time were told to nobody, and nobody waits for them any more.
  'INSERT INTO publication SELECT 1, coalesce(sum(count), 0) FROM former_event_chunk',
  'DROP TABLE former_event_chunk',
]

/** A later step: in the newest chunk stands how many task runs the stream has ever recorded, since that row is written anyway. */
export const EVENT_COUNTS =
  'ALTER TABLE event_chunk ADD COLUMN task_runs INTEGER NOT NULL DEFAULT 0'

/** A chunk grows to this size before the next one begins. */
const CHUNK_CHARS = 65_536
/** What is deleted in one go: some MB, and some thousand rows. */
const SWEEP_CHUNKS = 100
const SWEEP_IDS = 5000

/** An event with its number in its stream. */
export interface NumberedEvent {
  seq: number
  event: ReceivedEvent
}

export interface ChunkHead {
  position: number
  first_seq: number
  count: number
  received: number
  first: string
  last: string
  chars: number
}
type Row<T> = T & Record<string, SqlStorageValue>

const HEAD = 'position, first_seq, count, received, first, last, chars'

/** The events of a stream, in the order of their arrival, many to a row. */
export class EventLog {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Notes that the event has arrived; false when it had before. */
  noteEvent(id: string): boolean {
    const chunk = this.#newest()?.position ?? 0
    return (
      this.#sql.exec('INSERT OR IGNORE INTO event_id (id, chunk) VALUES (?, ?)', id, chunk)
        .rowsWritten > 0
    )
  }

  /** Which of the events are among those that arrived since then, without a note of their ids. */
  keptSince(ids: readonly string[], sinceMs: number): Set<string> {
    const kept = new Set<string>()
    const chunks = this.#sql.exec<Row<{ body: string }>>(
      'SELECT body FROM event_chunk WHERE received >= ? ORDER BY position DESC',
      sinceMs,
    )
    for (const { body } of chunks) {
      for (const id of ids) {
        if (body.includes(`{"id":"${id}"`)) {
          kept.add(id)
        }
      }
      if (kept.size === ids.length) {
        break
      }
    }
    return kept
  }

  /** @param taskRuns how many task runs have been recorded in all */
  append(events: readonly ReceivedEvent[], taskRuns: number, nowMs: number): void {
    let head = this.#newest()
    let position = head?.position ?? 0
    let seq = this.newestSeq()
    let texts: string[] = []
    let part: readonly ReceivedEvent[] = []
    const write = (): void => {
      if (part.length > 0) {
        this.#write(head, position, seq - part.length + 1, part, texts, taskRuns, nowMs)
      }
    }
    let room = head === undefined ? 0 : CHUNK_CHARS - head.chars
    for (const event of events) {
      // The id stands first, where `keptSince` looks for it.
      const { id, ...rest } = event
      const text = JSON.stringify({ id, ...rest })
      if (text.length + 1 > room) {
        write()
        head = undefined
        position += 1
        texts = []
        part = []
        room = CHUNK_CHARS
      }
      texts.push(text)
      part = [...part, event]
      seq += 1
      room -= text.length + 1
    }
    write()
  }

  #write(
    head: ChunkHead | undefined,
    position: number,
    firstSeq: number,
    events: readonly ReceivedEvent[],
    texts: readonly string[],
    taskRuns: number,
    nowMs: number,
  ): void {
    const times = events.map(({ occurred }) => occurred).toSorted()
    const body = texts.join('\n')
    this.#sql.exec(
      `INSERT INTO event_chunk (${HEAD}, body, task_runs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (position) DO UPDATE SET count = count + excluded.count, received = excluded.received,
         first = min(first, excluded.first), last = max(last, excluded.last),
         chars = chars + 1 + excluded.chars, body = body || char(10) || excluded.body,
         task_runs = excluded.task_runs`,
      position,
      head?.first_seq ?? firstSeq,
      events.length,
      nowMs,
      times[0] ?? '',
      times.at(-1) ?? '',
      body.length,
      body,
      taskRuns,
    )
  }

  /** The number of the newest event. Numbers go on after old events are gone. */
  newestSeq(): number {
    const newest = this.#newest()
    return Math.max(newest === undefined ? 0 : newest.first_seq + newest.count - 1, this.taken())
  }

  /** How many task runs had been recorded when the newest event was. */
  taskRuns(): number {
    const [newest] = this.#sql
      .exec<{
        task_runs: number
      }>('SELECT task_runs FROM event_chunk ORDER BY position DESC LIMIT 1')
      .toArray()
    return newest?.task_runs ?? 0
  }

  /** Up to where the hub is known to have taken events. */
  taken(): number {
    return (
      this.#sql.exec<{ taken: number }>('SELECT taken FROM publication').toArray()[0]?.taken ?? 0
    )
  }

  noteTaken(seq: number): void {
    this.#sql.exec('INSERT OR REPLACE INTO publication (one, taken) VALUES (1, ?)', seq)
  }

  /** The events after a number: at most so many, and more than one only up to so many characters. */
  after(seq: number, most: number, mostChars: number): NumberedEvent[] {
    const found: NumberedEvent[] = []
    let chars = 0
    for (const chunk of this.#chunksAfter(seq)) {
      for (const [index, line] of chunk.body.split('\n').entries()) {
        const number = chunk.first_seq + index
        if (number <= seq) {
          continue
        }
        chars += line.length
        if (found.length >= most || (found.length > 0 && chars > mostChars)) {
          return found
        }
        found.push({ seq: number, event: parseEvent(line, chunk.received) })
      }
    }
    return found
  }

  *#chunksAfter(seq: number): Generator<Row<ChunkHead & { body: string }>> {
    // Backwards, since the newest ones are asked for: all others are not looked at.
    const start = this.#sql
      .exec<Row<{ position: number }>>(
        'SELECT position FROM event_chunk WHERE first_seq <= ? ORDER BY position DESC LIMIT 1',
        seq + 1,
      )
      .toArray()[0]
    yield* this.#sql.exec<Row<ChunkHead & { body: string }>>(
      `SELECT ${HEAD}, body FROM event_chunk WHERE position >= ? ORDER BY position`,
      start?.position ?? 0,
    )
  }

  /** The chunks that may hold events of a span of time, from a place on in that order. */
  heads({ since, until }: Span, order: Order, from: Place | null): ChunkHead[] {
    const edge = from?.occurred ?? null
    return this.#sql
      .exec<Row<ChunkHead>>(
        `SELECT ${HEAD} FROM event_chunk WHERE last >= ? AND first <= ?
         ORDER BY ${order === 'ASC' ? 'first, position' : 'last DESC, position DESC'}`,
        order === 'ASC' && edge !== null && edge > since ? edge : since,
        order === 'DESC' && edge !== null && edge < until ? edge : until,
      )
      .toArray()
  }

  body(position: number): string {
    return this.#sql
      .exec<{ body: string }>('SELECT body FROM event_chunk WHERE position = ?', position)
      .one().body
  }

  /** Lets go of some events that arrived by then, in milliseconds. @returns whether there are more */
  sweep(until: number): boolean {
    const old = this.#sql
      .exec<Row<Pick<ChunkHead, 'position' | 'first_seq' | 'count'>>>(
        'SELECT position, first_seq, count FROM event_chunk WHERE received <= ? ORDER BY position LIMIT ?',
        until,
        SWEEP_CHUNKS,
      )
      .toArray()
    const last = old.at(-1)
    if (last === undefined) {
      return false
    }
    const ids = this.#sql.exec(
      'DELETE FROM event_id WHERE id IN (SELECT id FROM event_id WHERE chunk <= ? LIMIT ?)',
      last.position,
      SWEEP_IDS,
    ).rowsWritten
    if (ids < SWEEP_IDS) {
      // Numbers must go on from here even when nothing is left.
      const newest = last.first_seq + last.count - 1
      if (this.taken() < newest) {
        this.noteTaken(newest)
      }
      this.#sql.exec('DELETE FROM event_chunk WHERE position <= ?', last.position)
    }
    return ids >= SWEEP_IDS || old.length === SWEEP_CHUNKS
  }

  /** When the oldest events arrived, in milliseconds; null when there are none. */
  oldest(): number | null {
    const { oldest } = this.#sql
      .exec<{ oldest: number | null }>(
        'SELECT (SELECT received FROM event_chunk ORDER BY position LIMIT 1) AS oldest',
      )
      .one()
    return oldest
  }

  #newest(): ChunkHead | undefined {
    return this.#sql
      .exec<Row<ChunkHead>>(`SELECT ${HEAD} FROM event_chunk ORDER BY position DESC LIMIT 1`)
      .toArray()[0]
  }
}

/** Events that were kept before they were given a time of arrival have that of their chunk. */
export function parseEvent(line: string, chunkReceivedMs: number): ReceivedEvent {
  const event = JSON.parse(line) as ReceivedEvent
  return {
    ...event,
    related: event.related ?? [],
    payload: event.payload ?? {},
    follows: event.follows ?? null,
    received: event.received ?? formatTimestamp(chunkReceivedMs * 1000),
  }
}
