import { sql } from 'drizzle-orm'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { FlowRunHistoryQuery, HistoryInterval } from '#core/wire/query.ts'
import { flowRunCondition, taskRunCondition, type Filters } from '#domain/filter.ts'
import { toSql } from './condition.ts'
import {
  integer,
  latenessSeconds,
  micros,
  runTimeSeconds,
  toMicros,
  type Runs,
} from './run-times.ts'
import { flowRun, taskRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

/** As many intervals as are answered, as in Prefect; what is asked for beyond them is left out. */
const MAX_INTERVALS = 500

export type HistorySpan = Pick<
  FlowRunHistoryQuery,
  'history_start' | 'history_end' | 'history_interval_seconds'
>

/** Runs by when they were expected to start and by state, with their run time and lateness summed up. */
export async function runHistory(
  workspace: Workspace,
  kind: 'flow_run' | 'task_run',
  filters: Filters,
  span: HistorySpan,
  now: Micros,
): Promise<HistoryInterval[]> {
  const start = toMicros(span.history_start)
  const step = Math.round(span.history_interval_seconds * MICROS_PER_SECOND)
  const wanted = Math.ceil((toMicros(span.history_end) - start) / step)
  const intervals = Math.min(Math.max(wanted, 0), MAX_INTERVALS)
  const end = formatTimestamp(start + intervals * step)
  const runs: Runs = kind === 'flow_run' ? flowRun : taskRun
  const compile = kind === 'flow_run' ? flowRunCondition : taskRunCondition
  const rows = await workspace.store.all<HistoryInterval['states'][number] & { bucket: number }>(
    sql`SELECT (${micros(sql`${runs.expected_start_time}`)} - ${integer(start)}) / ${integer(step)} AS bucket,
        ${runs.state_type} AS state_type, ${runs.state_name} AS state_name, count(*) AS count_runs,
        sum(${runTimeSeconds(runs, now)}) AS sum_estimated_run_time,
        sum(${latenessSeconds(runs, now)}) AS sum_estimated_lateness
      FROM ${runs}
      WHERE ${toSql(compile(workspace.id, filters))} AND ${runs.state_type} IS NOT NULL
        AND ${runs.expected_start_time} >= ${span.history_start} AND ${runs.expected_start_time} < ${end}
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
