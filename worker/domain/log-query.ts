import type { LogFilter } from '#core/wire/query.ts'

/** What a text query asks of a line: one of `any`, all of `all`, none of `none`; in lower case. */
export interface TextQuery {
  any: string[]
  all: string[]
  none: string[]
}

/**
 * Reads Prefect's text search (contract 6.2): terms are joined by OR, `+term` must be there, `-term` or `!term` must not,
 * quotes hold a phrase together. A sign without a term means nothing; an open quote reaches to the end.
 */
export function parseTextQuery(query: string): TextQuery {
  const parsed: TextQuery = { any: [], all: [], none: [] }
  for (const match of query.matchAll(/([-!+]?)(?:"((?:[^"\\]|\\.)*)"?|(\S+))/g)) {
    const [, sign, phrase, word] = match
    const term = (phrase?.replaceAll(/\\(.)/g, '$1') ?? word ?? '').trim().toLowerCase()
    if (term === '' || (word !== undefined && /^[-!+]$/.test(word))) {
      continue
    }
    const list = sign === '+' ? parsed.all : sign === '' ? parsed.any : parsed.none
    list.push(term)
  }
  return parsed
}

/** The fields of a line that a filter looks at. */
export interface FilteredLine {
  flow_run_id: string | null
  level: number
  timestamp: string
  task_run_id: string | null
  name: string
  message: string
}

/** The condition that a filter puts on lines. */
export function lineMatcher(filter: LogFilter | null | undefined): (line: FilteredLine) => boolean {
  const conditions = lineConditions(filter ?? {})
  if (filter?.operator === 'or_' && conditions.length > 0) {
    return (line) => conditions.some((condition) => condition(line))
  }
  return (line) => conditions.every((condition) => condition(line))
}

function lineConditions(filter: LogFilter): ((line: FilteredLine) => boolean)[] {
  const conditions: ((line: FilteredLine) => boolean)[] = []
  const { level, timestamp, task_run_id: taskRun, flow_run_id: flowRun, text } = filter
  if (flowRun?.any_) {
    const ids = new Set(flowRun.any_)
    conditions.push((line) => line.flow_run_id !== null && ids.has(line.flow_run_id))
  }
  const least = level?.ge_ ?? undefined
  const most = level?.le_ ?? undefined
  if (least !== undefined || most !== undefined) {
    conditions.push(
      (line) => line.level >= (least ?? -Infinity) && line.level <= (most ?? Infinity),
    )
  }
  const after = timestamp?.after_ ?? undefined
  const before = timestamp?.before_ ?? undefined
  if (after !== undefined || before !== undefined) {
    conditions.push(
      (line) =>
        (after === undefined || line.timestamp >= after) &&
        (before === undefined || line.timestamp <= before),
    )
  }
  if (taskRun?.any_) {
    const ids = new Set(taskRun.any_)
    conditions.push((line) => line.task_run_id !== null && ids.has(line.task_run_id))
  }
  if (typeof taskRun?.is_null_ === 'boolean') {
    const isNull = taskRun.is_null_
    conditions.push((line) => (line.task_run_id === null) === isNull)
  }
  if (text) {
    conditions.push(textCondition(parseTextQuery(text.query)))
  }
  return conditions
}

/** Prefect searches message and logger name. */
function textCondition(query: TextQuery): (line: FilteredLine) => boolean {
  return (line) => {
    const text = `${line.message} ${line.name}`.toLowerCase()
    return (
      (query.any.length === 0 || query.any.some((term) => text.includes(term))) &&
      query.all.every((term) => text.includes(term)) &&
      !query.none.some((term) => text.includes(term))
    )
  }
}

/**
 * What a filter demands of every line, so that chunks can be left out unread. With `or_` nothing is demanded of all.
 * `exact`: nothing else is demanded, so that lines can be counted unread.
 */
export function demands(filter: LogFilter | null | undefined): {
  flowRunIds: readonly string[] | undefined
  leastLevel: number
  mostLevel: number
  after: string | undefined
  before: string | undefined
  exact: boolean
} {
  const all = filter?.operator === 'or_' ? undefined : (filter ?? undefined)
  return {
    flowRunIds: all?.flow_run_id?.any_ ?? undefined,
    leastLevel: all?.level?.ge_ ?? -Infinity,
    mostLevel: all?.level?.le_ ?? Infinity,
    after: all?.timestamp?.after_ ?? undefined,
    before: all?.timestamp?.before_ ?? undefined,
    exact:
      filter === null ||
      filter === undefined ||
      (all !== undefined && !all.level && !all.timestamp && !all.task_run_id && !all.text),
  }
}

/** Where a chunk of lines lies in time and in its run. */
export interface ChunkSpan {
  flow_run_id: string
  /** The number of its first line within the run. */
  position: number
  count: number
  /** The earliest and the latest timestamp in it. */
  first: string
  last: string
}

/**
 * The chunks that can hold lines of the ranks `from` to `to` (exclusive) in the order (time, flow run, line number). Chunks
 * may overlap in time, since lines are written late; so a chunk is left out only when all its lines surely come before or
 * surely come after those ranks, which the spans alone tell.
 * @returns the chunks to read, and how many lines before `from` they hold
 */
export function chunksOfRanks<C extends ChunkSpan>(
  chunks: readonly C[],
  from: number,
  to: number,
): { chunks: C[]; skip: number } {
  const starts = runningCounts(chunks.toSorted((a, b) => compareLines(startOf(a), startOf(b))))
  const ends = runningCounts(chunks.toSorted((a, b) => compareLines(endOf(a), endOf(b))))
  let skip = from
  const chosen = chunks.filter((chunk) => {
    const upTo = countWhile(starts, (other) => compareLines(startOf(other), endOf(chunk)) <= 0)
    if (upTo <= from) {
      skip -= chunk.count
      return false
    }
    return countWhile(ends, (other) => compareLines(endOf(other), startOf(chunk)) < 0) < to
  })
  return { chunks: chosen, skip }
}

type LinePlace = readonly [timestamp: string, flowRunId: string, position: number]

/** The order of lines: by time; of one time, by run and number. */
export function compareLines(a: LinePlace, b: LinePlace): number {
  return compare(a[0], b[0]) || compare(a[1], b[1]) || a[2] - b[2]
}

export function startOf(chunk: ChunkSpan): LinePlace {
  return [chunk.first, chunk.flow_run_id, chunk.position]
}

export function endOf(chunk: ChunkSpan): LinePlace {
  return [chunk.last, chunk.flow_run_id, chunk.position]
}

interface RunningCount<C> {
  chunk: C
  /** The lines of this chunk and of all before it. */
  sum: number
}

function runningCounts<C extends ChunkSpan>(chunks: C[]): RunningCount<C>[] {
  let sum = 0
  return chunks.map((chunk) => {
    sum += chunk.count
    return { chunk, sum }
  })
}

/** The lines of the leading chunks that satisfy the condition; by halving. */
function countWhile<C>(counts: RunningCount<C>[], condition: (chunk: C) => boolean): number {
  let [low, high] = [0, counts.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const entry = counts[middle]
    if (entry !== undefined && condition(entry.chunk)) {
      low = middle + 1
    } else {
      high = middle
    }
  }
  return counts[low - 1]?.sum ?? 0
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * The id of a log line: the same for the same line for ever, made of its run and its number in it, since ids of lines are not
 * stored. A UUID of version 8.
 */
export function logId(flowRunId: string, index: number): string {
  return uuidOf(`${flowRunId}:${index}`)
}

/** The same id for the same text, for ever. */
export function uuidOf(text: string): string {
  const hex = hash128(text)
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** 128 bits in hexadecimal, well mixed but not secret (cyrb128, four lanes of multiply and xor). */
export function hash128(text: string): string {
  let [a, b, c, d] = [1_779_033_703, 3_144_134_277, 1_013_904_242, 2_773_480_762]
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    a = b ^ Math.imul(a ^ code, 597_399_067)
    b = c ^ Math.imul(b ^ code, 2_869_860_233)
    c = d ^ Math.imul(c ^ code, 951_274_213)
    d = a ^ Math.imul(d ^ code, 2_716_044_179)
  }
  a = Math.imul(c ^ (a >>> 18), 597_399_067)
  b = Math.imul(d ^ (b >>> 22), 2_869_860_233)
  c = Math.imul(a ^ (c >>> 17), 951_274_213)
  d = Math.imul(b ^ (d >>> 19), 2_716_044_179)
  return [a ^ b ^ c ^ d, b ^ a, c ^ a, d ^ a]
    .map((lane) => (lane >>> 0).toString(16).padStart(8, '0'))
    .join('')
}
