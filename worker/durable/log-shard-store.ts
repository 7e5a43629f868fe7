import { formatTimestamp, type Micros } from '#core/time.ts'
import type { Log, LogCreate } from '#core/wire/log.ts'
import { compare, hash128, logId, type ChunkSpan } from '#domain/log-query.ts'

/** The shard's first tables. Rows written are the bill, so a row holds many lines. Written and read here only. */
export const LOG_TABLES: readonly string[] = [
  `CREATE TABLE log_chunk (
    flow_run_id TEXT NOT NULL, -- '' for lines of no flow run
    position INTEGER NOT NULL, -- the number of its first line within the run
    count INTEGER NOT NULL,
    first TEXT NOT NULL,       -- earliest and latest timestamp in it
    last TEXT NOT NULL,
    least_level INTEGER NOT NULL,
    most_level INTEGER NOT NULL,
    batches TEXT NOT NULL,     -- in a run's newest chunk: hashes of the batches of the last minutes
    body TEXT NOT NULL,        -- a JSON array per line of text
    PRIMARY KEY (flow_run_id, position)
  ) WITHOUT ROWID`,
]

/** The second step: chunks know when their lines arrived. The text stays last: what stands before it is read without it. */
export const LOG_ARRIVAL_TABLES: readonly string[] = [
  'ALTER TABLE log_chunk RENAME TO former_log_chunk',
  `CREATE TABLE log_chunk (
    flow_run_id TEXT NOT NULL, -- '' for lines of no flow run
    position INTEGER NOT NULL, -- the number of its first line within the run
    count INTEGER NOT NULL,
    first TEXT NOT NULL,       -- earliest and latest timestamp in it
    last TEXT NOT NULL,
    least_level INTEGER NOT NULL,
    most_level INTEGER NOT NULL,
    received INTEGER NOT NULL, -- milliseconds; when its last line arrived
    batches TEXT NOT NULL,     -- in a run's newest chunk: hashes of the batches of the last minutes
    body TEXT NOT NULL,        -- a JSON array per line of text
    PRIMARY KEY (flow_run_id, position)
  ) WITHOUT ROWID`,
  `INSERT INTO log_chunk
    SELECT flow_run_id, position, count, first, last, least_level, most_level,
      1000 * unixepoch('now'), batches, body
    FROM former_log_chunk`,
  'DROP TABLE former_log_chunk',
]

/** A chunk grows to this size before the next one begins: few rows, and none that is slow to read. */
const CHUNK_CHARS = 65_536
/** An object's row holds 2 MB; a line whose JSON is longer than this is cut. */
const MAX_LINE_BYTES = 1_500_000
/** A client that got no answer sends a batch again within this time. */
const BATCH_MEMORY_MICROS = 600_000_000
/** What begins so is remembered as long as the run has lines. */
const FOR_EVER = 'once '
const MAX_BATCHES = 64
/** Deleted in one go: some MB. */
const SWEEP_CHUNKS = 100

type Body = [
  level: number,
  timestamp: string,
  name: string,
  message: string,
  taskRunId: string | null,
  received: string,
]
type Batches = Record<string, Micros>

export interface Chunk extends ChunkSpan {
  least_level: number
  most_level: number
}

/** A line of a run; its id is made when it is shown, since that takes longer than to read it. */
export interface StoredLine extends Omit<Log, 'id'> {
  /** The number of the line within its run. */
  index: number
}

export function toLog({ index, ...line }: StoredLine): Log {
  return { id: logId(line.flow_run_id ?? '', index), ...line }
}

export class LogStore {
  readonly #storage: DurableObjectStorage

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  /**
   * Adds a batch of one run's lines, unless the same batch was added within the last minutes.
   * @returns the number of the first line, and how many bytes they take; undefined when the batch was known
   */
  append(flowRunId: string, logs: LogCreate[], now: Micros): Appended | undefined {
    return this.#appendOnce(flowRunId, hash128(JSON.stringify(logs)), logs, now)
  }

  /** Adds a line that a run has once. @returns undefined when it has it */
  appendOnce(flowRunId: string, key: string, log: LogCreate, now: Micros): Appended | undefined {
    return this.#appendOnce(flowRunId, `${FOR_EVER}${key}`, [log], now)
  }

  #appendOnce(
    flowRunId: string,
    key: string,
    logs: LogCreate[],
    now: Micros,
  ): Appended | undefined {
    const received = formatTimestamp(now)
    return this.#storage.transactionSync(() => {
      const newest = this.#newest(flowRunId)
      const batches = recent(newest?.batches ?? {}, now)
      if (key in batches) {
        return undefined
      }
      batches[key] = now
      const bytes = this.#write(
        flowRunId,
        newest,
        logs.map((log) => toBody(log, received)),
        batches,
      )
      return { first: (newest?.position ?? 0) + (newest?.count ?? 0), bytes }
    })
  }

  chunks(flowRunIds: readonly string[] | undefined): Chunk[] {
    const columns = 'flow_run_id, position, count, first, last, least_level, most_level'
    return (flowRunIds === undefined
      ? this.#storage.sql.exec(`SELECT ${columns} FROM log_chunk`)
      : this.#storage.sql.exec(
          `SELECT ${columns} FROM log_chunk WHERE flow_run_id IN (SELECT value FROM json_each(?))`,
          JSON.stringify(flowRunIds),
        )
    ).toArray() as unknown as Chunk[]
  }

  /** In the order of their runs. */
  chunksAfter(flowRunId: string, position: number, limit: number): Chunk[] {
    return this.#storage.sql
      .exec(
        `SELECT flow_run_id, position, count, first, last, least_level, most_level FROM log_chunk
         WHERE (flow_run_id, position) > (?, ?) ORDER BY flow_run_id, position LIMIT ?`,
        flowRunId,
        position,
        limit,
      )
      .toArray() as unknown as Chunk[]
  }

  lines(chunk: ChunkSpan): StoredLine[] {
    const rows = this.#storage.sql
      .exec<{
        body: string
      }>(
        'SELECT body FROM log_chunk WHERE flow_run_id = ? AND position = ?',
        chunk.flow_run_id,
        chunk.position,
      )
      .toArray()
    return rows.flatMap(({ body }) =>
      body
        .split('\n')
        .map((text, offset) =>
          toLine(JSON.parse(text) as Body, chunk.flow_run_id, chunk.position + offset),
        ),
    )
  }

  /** Lets go of some of the lines that arrived before that time, in milliseconds. @returns whether there are more */
  sweep(before: number): boolean {
    const { rowsWritten } = this.#storage.sql.exec(
      `DELETE FROM log_chunk WHERE (flow_run_id, position) IN
         (SELECT flow_run_id, position FROM log_chunk WHERE received < ? LIMIT ?)`,
      before,
      SWEEP_CHUNKS,
    )
    return rowsWritten >= SWEEP_CHUNKS
  }

  /** Whether there is any line. */
  holdsLines(): boolean {
    return this.#storage.sql.exec('SELECT 1 FROM log_chunk LIMIT 1').toArray().length > 0
  }

  remove(flowRunId: string): void {
    this.#storage.sql.exec('DELETE FROM log_chunk WHERE flow_run_id = ?', flowRunId)
  }

  #newest(flowRunId: string): NewestChunk | undefined {
    const row = this.#storage.sql
      .exec<{ position: number; count: number; chars: number; batches: string }>(
        `SELECT position, count, length(body) AS chars, batches FROM log_chunk
         WHERE flow_run_id = ? ORDER BY position DESC LIMIT 1`,
        flowRunId,
      )
      .toArray()[0]
    return row && { ...row, batches: JSON.parse(row.batches) as Batches }
  }

  /** Fills the newest chunk up, then begins others. @returns how many bytes that were */
  #write(
    flowRunId: string,
    newest: NewestChunk | undefined,
    bodies: Body[],
    batches: Batches,
  ): number {
    let bytes = 0
    const memory = JSON.stringify(batches)
    let position = (newest?.position ?? 0) + (newest?.count ?? 0)
    const room = newest === undefined ? 0 : CHUNK_CHARS - newest.chars
    for (const [index, part] of cut(bodies, room).entries()) {
      if (part.texts.length === 0) {
        continue
      }
      const text = part.texts.join('\n')
      bytes += new TextEncoder().encode(text).byteLength
      if (index === 0 && newest !== undefined) {
        this.#storage.sql.exec(
          `UPDATE log_chunk SET count = count + ?, first = min(first, ?), last = max(last, ?),
             least_level = min(least_level, ?), most_level = max(most_level, ?), received = ?, batches = ?,
             body = body || char(10) || ?
           WHERE flow_run_id = ? AND position = ?`,
          part.texts.length,
          part.first,
          part.last,
          part.leastLevel,
          part.mostLevel,
          Date.now(),
          memory,
          text,
          flowRunId,
          newest.position,
        )
      } else {
        this.#storage.sql.exec(
          `INSERT INTO log_chunk
             (flow_run_id, position, count, first, last, least_level, most_level, received, batches, body)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          flowRunId,
          position,
          part.texts.length,
          part.first,
          part.last,
          part.leastLevel,
          part.mostLevel,
          Date.now(),
          memory,
          text,
        )
      }
      position += part.texts.length
    }
    return bytes
  }
}

/** Lines that were added: the number of the first one within its run. */
export interface Appended {
  first: number
  bytes: number
}

interface NewestChunk {
  position: number
  count: number
  chars: number
  batches: Batches
}

/** Lines as they are stored when they are added to a run, the first one under that number. */
export function toStoredLines(
  flowRunId: string,
  first: number,
  logs: readonly LogCreate[],
  now: Micros,
): StoredLine[] {
  const received = formatTimestamp(now)
  return logs.map((log, offset) => toLine(toBody(log, received), flowRunId, first + offset))
}

function toLine(
  [level, timestamp, name, message, taskRunId, received]: Body,
  flowRunId: string,
  index: number,
): StoredLine {
  return {
    created: received,
    updated: received,
    name,
    level,
    message,
    timestamp,
    flow_run_id: flowRunId === '' ? null : flowRunId,
    task_run_id: taskRunId,
    index,
  }
}

function toBody(log: LogCreate, received: string): Body {
  const message = log.message.replaceAll('\u0000', '')
  const body: Body = [
    log.level,
    log.timestamp,
    log.name,
    message,
    log.task_run_id ?? null,
    received,
  ]
  const bytes = new TextEncoder().encode(JSON.stringify(body)).byteLength
  if (bytes > MAX_LINE_BYTES) {
    // One character is at most six bytes of JSON (a control character).
    body[2] = log.name.slice(0, 1000)
    body[3] = `${message.slice(0, Math.floor(MAX_LINE_BYTES / 6) - 10_000)}... [truncated]`
  }
  return body
}

interface Part {
  texts: string[]
  first: string
  last: string
  leastLevel: number
  mostLevel: number
}

/** Cuts lines into parts: the first one of at most `room` characters (perhaps none), the others of a chunk's size. */
function cut(bodies: Body[], room: number): Part[] {
  let part: Part = emptyPart()
  let left = room
  const parts = [part]
  for (const body of bodies) {
    const text = JSON.stringify(body)
    if (text.length + 1 > left && (part.texts.length > 0 || parts.length === 1)) {
      part = emptyPart()
      parts.push(part)
      left = CHUNK_CHARS
    }
    const [level, timestamp] = body
    part.texts.push(text)
    part.first = part.first === '' || compare(timestamp, part.first) < 0 ? timestamp : part.first
    part.last = compare(timestamp, part.last) > 0 ? timestamp : part.last
    part.leastLevel = Math.min(part.leastLevel, level)
    part.mostLevel = Math.max(part.mostLevel, level)
    left -= text.length + 1
  }
  return parts
}

function emptyPart(): Part {
  return { texts: [], first: '', last: '', leastLevel: Infinity, mostLevel: -Infinity }
}

function recent(batches: Batches, now: Micros): Batches {
  const entries = Object.entries(batches)
  return Object.fromEntries([
    ...entries.filter(([key]) => key.startsWith(FOR_EVER)),
    ...entries
      .filter(([key, time]) => !key.startsWith(FOR_EVER) && now - time < BATCH_MEMORY_MICROS)
      .slice(-MAX_BATCHES),
  ])
}
