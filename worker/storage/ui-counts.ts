import { and, count, eq, sql } from 'drizzle-orm'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { FlowRunSort } from '#core/wire/query.ts'
import type { CountByState, NextFlowRun, SimpleFlowRun, TaskRunBucket } from '#core/wire/ui.ts'
import { flowRunCondition, taskRunCondition, type Filters } from '#domain/filter.ts'
import { toSql } from './condition.ts'
import { flowRunOrder } from './flow-runs.ts'
import { integer, latenessSeconds, micros, runTimeSeconds } from './run-times.ts'
import { deployment } from './schema/config.ts'
import { flowRun, taskRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

// What Prefect's console shows beside the lists.

/** Runs as points of a scatter plot. */
export async function listSimpleFlowRuns(
  workspace: Workspace,
  filters: Filters,
  page: { sort: FlowRunSort; limit: number; offset: number },
  now: Micros,
): Promise<SimpleFlowRun[]> {
  const condition = toSql(flowRunCondition(workspace.id, filters))
  return await workspace.store.all<SimpleFlowRun>(
    sql`SELECT ${flowRun.id}, ${flowRun.state_type},
        coalesce(${flowRun.start_time}, ${flowRun.expected_start_time}) AS timestamp,
        ${runTimeSeconds(flowRun, now)} AS duration, ${latenessSeconds(flowRun, now)} AS lateness
      FROM ${flowRun}
      WHERE ${condition} AND ${flowRun.state_type} IS NOT NULL
        AND coalesce(${flowRun.start_time}, ${flowRun.expected_start_time}) IS NOT NULL
      ORDER BY ${sql.join(flowRunOrder(page.sort), sql`, `)} LIMIT ${page.limit} OFFSET ${page.offset}`,
  )
}

/** Of each flow run; what stands for a subflow is none of its tasks. */
export async function countTasksOfFlowRuns(
  workspace: Workspace,
  flowRunIds: readonly string[],
): Promise<Record<string, number>> {
  const rows = await workspace.store.all<{ id: string; count: number }>(
    sql`SELECT flow_run_id AS id, count(*) AS count FROM task_run
      WHERE workspace_id = ${workspace.id} AND deleted = 0
        AND flow_run_id IN (SELECT value FROM json_each(${JSON.stringify(flowRunIds)}))
        AND NOT EXISTS (SELECT 1 FROM flow_run AS child WHERE child.workspace_id = task_run.workspace_id
          AND child.parent_task_run_id = task_run.id AND child.deleted = 0)
      GROUP BY 1`,
  )
  return counted(flowRunIds, rows)
}

export async function countDeploymentsOfFlows(
  workspace: Workspace,
  flowIds: readonly string[],
): Promise<Record<string, number>> {
  const rows = await workspace.store
    .select({ id: deployment.flow_id, count: count() })
    .from(deployment)
    .where(
      and(
        eq(deployment.workspace_id, workspace.id),
        sql`${deployment.flow_id} IN (SELECT value FROM json_each(${JSON.stringify(flowIds)}))`,
      ),
    )
    .groupBy(deployment.flow_id)
  return counted(flowIds, rows)
}

/** Of each flow the run that is scheduled next. */
export async function findNextFlowRuns(
  workspace: Workspace,
  flowIds: readonly string[],
): Promise<Record<string, NextFlowRun | null>> {
  // Beside min() the other columns are those of the row that has it.
  const rows = await workspace.store.all<NextFlowRun>(
    sql`SELECT id, flow_id, name, state_name, state_type,
        min(next_scheduled_start_time) AS next_scheduled_start_time
      FROM flow_run
      WHERE workspace_id = ${workspace.id} AND deleted = 0 AND state_type = 'SCHEDULED'
        AND next_scheduled_start_time IS NOT NULL
        AND flow_id IN (SELECT value FROM json_each(${JSON.stringify(flowIds)}))
      GROUP BY flow_id`,
  )
  const known = new Map(rows.map((row) => [row.flow_id, row]))
  return Object.fromEntries(flowIds.map((id) => [id, known.get(id) ?? null]))
}

export async function countTaskRunsByState(
  workspace: Workspace,
  filters: Filters,
): Promise<CountByState> {
  const rows = await workspace.store
    .select({ type: taskRun.state_type, count: count() })
    .from(taskRun)
    .where(toSql(taskRunCondition(workspace.id, filters)))
    .groupBy(taskRun.state_type)
  const counts: CountByState = {
    COMPLETED: 0,
    PENDING: 0,
    RUNNING: 0,
    FAILED: 0,
    CANCELLED: 0,
    CRASHED: 0,
    PAUSED: 0,
    CANCELLING: 0,
    SCHEDULED: 0,
  }
  for (const { type, count: runs } of rows) {
    if (type !== null) {
      counts[type] = runs
    }
  }
  return counts
}

const BUCKETS = 20
const MINUTE: Micros = 60 * MICROS_PER_SECOND

/** Task runs that are over, by when they started, in twenty equal parts of whole minutes. */
export async function countTaskRunsByTime(
  workspace: Workspace,
  filters: Filters,
  span: { from: Micros; to: Micros },
): Promise<TaskRunBucket[]> {
  const start = Math.floor(span.from / MINUTE) * MINUTE
  const end = (Math.floor(span.to / MINUTE) + 1) * MINUTE
  const failed = sql`${taskRun.state_type} IN ('CRASHED', 'FAILED')`
  const rows = await workspace.store.all<TaskRunBucket & { bucket: number }>(
    sql`SELECT (${micros(sql`${taskRun.start_time}`)} - ${integer(start)}) * ${integer(BUCKETS)} / ${integer(end - start)}
        AS bucket, sum(${failed}) AS failed, sum(NOT ${failed}) AS completed
      FROM ${taskRun}
      WHERE ${toSql(taskRunCondition(workspace.id, filters))}
        AND ${taskRun.state_type} IN ('COMPLETED', 'CANCELLED', 'CRASHED', 'FAILED')
        AND ${taskRun.start_time} >= ${formatTimestamp(start)} AND ${taskRun.start_time} < ${formatTimestamp(end)}
      GROUP BY 1`,
  )
  return Array.from({ length: BUCKETS }, (_, index) => {
    const row = rows.find(({ bucket }) => bucket === index)
    return { completed: row?.completed ?? 0, failed: row?.failed ?? 0 }
  })
}

function counted(
  ids: readonly string[],
  rows: readonly { id: string; count: number }[],
): Record<string, number> {
  const known = new Map(rows.map((row) => [row.id, row.count]))
  return Object.fromEntries(ids.map((id) => [id, known.get(id) ?? 0]))
}
