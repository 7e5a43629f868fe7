import { and, asc, count, desc, eq, getTableColumns, sql, type SQL } from 'drizzle-orm'
import type { Micros } from '#core/time.ts'
import type { TaskRunSort } from '#core/wire/query.ts'
import type { State } from '#core/wire/state.ts'
import type { TaskRun } from '#core/wire/task-run.ts'
import { taskRunCondition, type Filters } from '#domain/filter.ts'
import { toTaskRun, type TaskRunRecord } from '#domain/task-run.ts'
import { toSql } from './condition.ts'
import { taskRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

/** By what a task run is found: its id, or its natural key where it belongs to a flow run. */
export type TaskRunKey = Pick<TaskRunRecord, 'id' | 'flow_run_id' | 'task_key' | 'dynamic_key'>

const { workspace_id: _workspaceId, ...columns } = getTableColumns(taskRun)

/** Only the current state: a list of 200 task runs must not carry 200 histories. */
const currentState = sql<State[]>`CASE WHEN json_array_length(${taskRun.states}) = 0 THEN '[]'
  ELSE '[' || (${taskRun.states} -> '$[#-1]') || ']' END`.mapWith((text: string): State[] =>
  JSON.parse(text),
)

/** Seconds, with what the current state adds while it is RUNNING. */
const runTime = sql`(${taskRun.total_run_time} + CASE ${taskRun.state_type} WHEN 'RUNNING'
  THEN unixepoch('now', 'subsec') - unixepoch(${taskRun.states} ->> '$[#-1].timestamp', 'subsec') ELSE 0 END)`

/** Rows without a time come last, as far as a time is asked for; the id last, so that the order is total. */
const ORDERS: Record<TaskRunSort, SQL[]> = {
  ID_DESC: [desc(taskRun.id)],
  EXPECTED_START_TIME_ASC: [asc(taskRun.expected_start_time), asc(taskRun.id)],
  EXPECTED_START_TIME_DESC: [desc(taskRun.expected_start_time), desc(taskRun.id)],
  NAME_ASC: [asc(taskRun.name), asc(taskRun.id)],
  NAME_DESC: [desc(taskRun.name), desc(taskRun.id)],
  NEXT_SCHEDULED_START_TIME_ASC: [
    sql`${taskRun.next_scheduled_start_time} IS NULL`,
    asc(taskRun.next_scheduled_start_time),
    asc(taskRun.id),
  ],
  END_TIME_DESC: [desc(taskRun.end_time), desc(taskRun.id)],
  DURATION_ASC: [asc(runTime), desc(taskRun.expected_start_time), desc(taskRun.id)],
  DURATION_DESC: [desc(runTime), desc(taskRun.expected_start_time), desc(taskRun.id)],
}

export async function listTaskRuns(
  workspace: Workspace,
  filters: Filters,
  page: { sort: TaskRunSort; limit: number; offset: number },
  now: Micros,
): Promise<TaskRun[]> {
  const rows = await workspace.store
    .select({ ...columns, states: currentState })
    .from(taskRun)
    .where(toSql(taskRunCondition(workspace.id, filters)))
    .orderBy(...ORDERS[page.sort])
    .limit(page.limit)
    .offset(page.offset)
  return rows.map((row) => toTaskRun(row, now))
}

export async function countTaskRuns(workspace: Workspace, filters: Filters): Promise<number> {
  const [row] = await workspace.store
    .select({ count: count() })
    .from(taskRun)
    .where(toSql(taskRunCondition(workspace.id, filters)))
  return row?.count ?? 0
}

/** With all its states; a deleted one too. */
export async function findTaskRunRecord(
  workspace: Workspace,
  id: string,
): Promise<TaskRunRecord | undefined> {
  const [row] = await workspace.store
    .select(columns)
    .from(taskRun)
    .where(and(eq(taskRun.workspace_id, workspace.id), eq(taskRun.id, id)))
  return row
}

/** The task run that has this state. Reads all rows of the workspace: states have no index, and few ever ask by their id. */
export async function findTaskRunRecordByState(
  workspace: Workspace,
  stateId: string,
): Promise<TaskRunRecord | undefined> {
  const [row] = await workspace.store
    .select(columns)
    .from(taskRun)
    .where(
      and(
        eq(taskRun.workspace_id, workspace.id),
        eq(taskRun.deleted, false),
        sql`instr(${taskRun.states}, ${`"${stateId}"`}) > 0`,
      ),
    )
    .limit(1)
  return row
}

/** The rows that have one of the ids (deleted ones too) or one of the natural keys. */
export async function findTaskRunRecords(
  workspace: Workspace,
  keys: readonly TaskRunKey[],
): Promise<TaskRunRecord[]> {
  const ids = JSON.stringify(keys.map((key) => key.id))
  const naturalKeys = JSON.stringify(
    keys
      .filter((key) => key.flow_run_id !== null)
      .map((key) => [key.flow_run_id, key.task_key, key.dynamic_key]),
  )
  const inWorkspace = eq(taskRun.workspace_id, workspace.id)
  // Two queries: joined by OR, SQLite might use no index.
  const [byId, byKey] = await workspace.store.batch([
    workspace.store
      .select(columns)
      .from(taskRun)
      .where(and(inWorkspace, sql`${taskRun.id} IN (SELECT value FROM json_each(${ids}))`)),
    workspace.store
      .select(columns)
      .from(taskRun)
      .where(
        and(
          inWorkspace,
          sql`(${taskRun.flow_run_id}, ${taskRun.task_key}, ${taskRun.dynamic_key}) IN
            (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(${naturalKeys}))`,
          eq(taskRun.deleted, false),
        ),
      ),
  ])
  return [...byId, ...byKey]
}

/** Makes all task runs of flow runs invisible, under a higher `seq` than they had. */
export async function removeTaskRunsOf(
  workspace: Workspace,
  flowRunIds: readonly string[],
): Promise<void> {
  await workspace.store
    .update(taskRun)
    .set({ deleted: true, seq: sql`${taskRun.seq} + 1` })
    .where(
      and(
        eq(taskRun.workspace_id, workspace.id),
        sql`${taskRun.flow_run_id} IN (SELECT value FROM json_each(${JSON.stringify(flowRunIds)}))`,
        eq(taskRun.deleted, false),
      ),
    )
}
