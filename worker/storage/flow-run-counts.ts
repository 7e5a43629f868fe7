import { count, sql, type Column, type SQL } from 'drizzle-orm'
import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type {
  Facet,
  FlowRunFacets,
  FlowRunHistogram,
  FlowRunHistogramQuery,
  FlowRunHistoryQuery,
  HistoryInterval,
} from '#core/wire/query.ts'
import { flowRunCondition, type Filters } from '#domain/filter.ts'
import { toSql } from './condition.ts'
import { deployment, flow, workPool, workQueue } from './schema/config.ts'
import { flowRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

// Flow runs counted by what they have in common.

/** More values than this are of no use to choose from. */
const MAX_FACET_VALUES = 100

/** A stored time, of fixed width, as integer microseconds. */
const micros = (column: SQL) =>
  sql`(unixepoch(substr(${column}, 1, 19)) * 1000000 + CAST(substr(${column}, 21, 6) AS INTEGER))`
const expected = micros(sql`${flowRun.expected_start_time}`)

/** Seconds, as `estimates` in domain/flow-run computes them of one run. */
const runTime = (now: Micros) => sql`(${flowRun.total_run_time}
  + CASE ${flowRun.state_type} WHEN 'RUNNING'
    THEN max(0, ${now} - ${micros(sql`(${flowRun.states} ->> '$[#-1].timestamp')`)}) / 1e6 ELSE 0 END)`
const lateness = (now: Micros) => sql`max(0, CASE
  WHEN ${flowRun.expected_start_time} IS NULL THEN 0
  WHEN ${flowRun.start_time} IS NOT NULL THEN ${micros(sql`${flowRun.start_time}`)} - ${expected}
  WHEN ${flowRun.state_type} IN ('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED') THEN 0
  ELSE ${now} - ${expected} END) / 1e6`

const FACETS: Record<Facet, { id: SQL; label: SQL; from?: SQL }> = {
  state_name: { id: sql`${flowRun.state_name}`, label: sql`${flowRun.state_name}` },
  state_type: { id: sql`${flowRun.state_type}`, label: sql`${flowRun.state_type}` },
  flow: { id: sql`${flowRun.flow_id}`, label: nameIn(flow, flowRun.flow_id) },
  deployment: {
    id: sql`${flowRun.deployment_id}`,
    label: nameIn(deployment, flowRun.deployment_id),
  },
  work_pool: { id: sql`${flowRun.work_pool_id}`, label: nameIn(workPool, flowRun.work_pool_id) },
  work_queue: {
    id: sql`${flowRun.work_queue_id}`,
    label: nameIn(workQueue, flowRun.work_queue_id),
  },
  tag: {
    id: sql`tag.value`,
    label: sql`tag.value`,
    from: sql`, json_each(${flowRun.tags}) AS tag`,
  },
}

function nameIn(
  table: typeof flow | typeof deployment | typeof workPool | typeof workQueue,
  id: Column,
): SQL {
  return sql`(SELECT ${table.name} FROM ${table} WHERE ${table.id} = ${id} AND ${table.workspace_id} = ${flowRun.workspace_id})`
}

/** For each facet its values with the number of runs that have them, most first. */
export async function countByFacets(
  workspace: Workspace,
  filters: Filters,
  facets: Facet[],
): Promise<FlowRunFacets> {
  const condition = toSql(flowRunCondition(workspace.id, filters))
  const [total, ...counts] = await Promise.all([
    workspace.store.select({ count: count() }).from(flowRun).where(condition),
    ...facets.map((facet) => {
      const { id, label, from } = FACETS[facet]
      return workspace.store.all<{ id: string | null; label: string | null; count: number }>(
        sql`SELECT ${id} AS id, ${label} AS label, count(*) AS count FROM ${flowRun}${from ?? sql``}
          WHERE ${condition} GROUP BY 1 ORDER BY 3 DESC, 2 LIMIT ${MAX_FACET_VALUES}`,
      )
    }),
  ])
  return {
    total: total[0]?.count ?? 0,
    facets: Object.fromEntries(facets.map((facet, index) => [facet, counts[index] ?? []])),
  }
}

/** Runs by when they were expected to start, in equal parts of a span of time, by their state's type. */
export async function countByTime(
  workspace: Workspace,
  filters: Filters,
  span: Pick<FlowRunHistogramQuery, 'start' | 'end' | 'buckets'>,
): Promise<FlowRunHistogram> {
  const start = toMicros(span.start)
  const length = toMicros(span.end) - start
  const rows = await workspace.store.all<{ bucket: number; type: string | null; count: number }>(
    sql`SELECT (${expected} - ${integer(start)}) * ${integer(span.buckets)} / ${integer(length)} AS bucket,
        ${flowRun.state_type} AS type, count(*) AS count
      FROM ${flowRun}
      WHERE ${toSql(flowRunCondition(workspace.id, filters))}
        AND ${flowRun.expected_start_time} >= ${span.start} AND ${flowRun.expected_start_time} < ${span.end}
      GROUP BY 1, 2`,
  )
  // The first microsecond that falls into the bucket.
  const edge = (index: number) =>
    formatTimestamp(start + Math.ceil((index * length) / span.buckets))
  const buckets = Array.from({ length: span.buckets }, (_, index) => ({
    start: edge(index),
    end: edge(index + 1),
    counts: {} as Record<string, number>,
  }))
  for (const { bucket, type, count: runs } of rows) {
    const counts = buckets[bucket]?.counts
    if (counts !== undefined && type !== null) {
      counts[type] = runs
    }
  }
  return { buckets }
}

/** Runs by when they were expected to start and by state, with their run time and lateness summed up. */
export async function flowRunHistory(
  workspace: Workspace,
  filters: Filters,
  query: Pick<FlowRunHistoryQuery, 'history_start' | 'history_end' | 'history_interval_seconds'>,
  now: Micros,
): Promise<HistoryInterval[]> {
  const start = toMicros(query.history_start)
  const step = Math.round(query.history_interval_seconds * MICROS_PER_SECOND)
  const intervals = historyIntervals(query)
  const end = formatTimestamp(start + intervals * step)
  const rows = await workspace.store.all<HistoryInterval['states'][number] & { bucket: number }>(
    sql`SELECT (${expected} - ${integer(start)}) / ${integer(step)} AS bucket,
        ${flowRun.state_type} AS state_type, ${flowRun.state_name} AS state_name, count(*) AS count_runs,
        sum(${runTime(now)}) AS sum_estimated_run_time, sum(${lateness(now)}) AS sum_estimated_lateness
      FROM ${flowRun}
      WHERE ${toSql(flowRunCondition(workspace.id, filters))} AND ${flowRun.state_type} IS NOT NULL
        AND ${flowRun.expected_start_time} >= ${query.history_start} AND ${flowRun.expected_start_time} < ${end}
      GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
  )
  return Array.from({ length: intervals }, (_, index) => ({
    interval_start: formatTimestamp(start + index * step),
    interval_end: formatTimestamp(start + (index + 1) * step),
    states: rows
      .filter((row) => row.bucket === index)
      .map(({ bucket: _bucket, ...state }) => state),
  }))
}

/** How many intervals it takes to reach the end; the last one may end after it. */
export function historyIntervals(
  query: Pick<FlowRunHistoryQuery, 'history_start' | 'history_end' | 'history_interval_seconds'>,
): number {
  const length = toMicros(query.history_end) - toMicros(query.history_start)
  return Math.ceil(length / Math.round(query.history_interval_seconds * MICROS_PER_SECOND))
}

/** Seconds on average by which the runs started, or wait, after they were expected to; null when there are none. */
export async function averageLateness(
  workspace: Workspace,
  filters: Filters,
  now: Micros,
): Promise<number | null> {
  const [row] = await workspace.store
    .select({ seconds: sql<number | null>`avg(${lateness(now)})` })
    .from(flowRun)
    .where(toSql(flowRunCondition(workspace.id, filters)))
  return row?.seconds ?? null
}

/** D1 binds numbers as they come; integer division needs an integer. */
function integer(value: number): SQL {
  return sql`CAST(${value} AS INTEGER)`
}

/** Of a time that the wire's schema has already read. */
function toMicros(text: string): Micros {
  const time = parseTimestamp(text)
  if (time === undefined) {
    throw new RangeError(`'${text}' is no time`)
  }
  return time
}
