import { count, sql, type Column, type SQL } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type {
  Facet,
  FlowRunFacets,
  FlowRunHistogram,
  FlowRunHistogramQuery,
} from '#core/wire/query.ts'
import { flowRunCondition, type Filters } from '#domain/filter.ts'
import { toSql } from './condition.ts'
import { deployment, flow, workPool, workQueue } from './schema/config.ts'
import { integer, latenessSeconds, micros, toMicros } from './run-times.ts'
import { flowRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

// Flow runs counted by what they have in common.

/** More values than this are of no use to choose from. */
const MAX_FACET_VALUES = 100

const expected = micros(sql`${flowRun.expected_start_time}`)

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

/** Seconds on average by which the runs started, or wait, after they were expected to; null when there are none. */
export async function averageLateness(
  workspace: Workspace,
  filters: Filters,
  now: Micros,
): Promise<number | null> {
  const [row] = await workspace.store
    .select({ seconds: sql<number | null>`avg(${latenessSeconds(flowRun, now)})` })
    .from(flowRun)
    .where(toSql(flowRunCondition(workspace.id, filters)))
  return row?.seconds ?? null
}
