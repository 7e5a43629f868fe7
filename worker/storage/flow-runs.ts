import { and, asc, count, desc, eq, inArray, sql, type SQL } from 'drizzle-orm'
import { runTail } from '#core/flow-run-id.ts'
import type { Micros } from '#core/time.ts'
import type { FlowRun, FlowRunRow } from '#core/wire/flow-run.ts'
import type { FlowRunSort } from '#core/wire/query.ts'
import type { State } from '#core/wire/state.ts'
import { flowRunCondition, type Filters } from '#domain/filter.ts'
import { toFlowRun, toFlowRunRow, type RunNames } from '#domain/flow-run.ts'
import { toSql } from './condition.ts'
import { deployment, flow, workPool, workQueue } from './schema/config.ts'
import { flowRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

/** Only the current state: a list of 200 runs must not carry 200 histories. */
const currentState = sql<State[]>`CASE WHEN json_array_length(${flowRun.states}) = 0 THEN '[]'
  ELSE '[' || (${flowRun.states} -> '$[#-1]') || ']' END`.mapWith((text: string): State[] =>
  JSON.parse(text),
)

const columns = {
  id: flowRun.id,
  seq: flowRun.seq,
  deleted: flowRun.deleted,
  created: flowRun.created,
  updated: flowRun.updated,
  name: flowRun.name,
  flow_id: flowRun.flow_id,
  deployment_id: flowRun.deployment_id,
  deployment_version: flowRun.deployment_version,
  work_pool_id: flowRun.work_pool_id,
  work_queue_id: flowRun.work_queue_id,
  flow_version: flowRun.flow_version,
  idempotency_key: flowRun.idempotency_key,
  empirical_policy: flowRun.empirical_policy,
  tags: flowRun.tags,
  labels: flowRun.labels,
  parent_task_run_id: flowRun.parent_task_run_id,
  state_id: flowRun.state_id,
  state_type: flowRun.state_type,
  state_name: flowRun.state_name,
  states: currentState,
  run_count: flowRun.run_count,
  expected_start_time: flowRun.expected_start_time,
  next_scheduled_start_time: flowRun.next_scheduled_start_time,
  start_time: flowRun.start_time,
  end_time: flowRun.end_time,
  total_run_time: flowRun.total_run_time,
  auto_scheduled: flowRun.auto_scheduled,
  infrastructure_pid: flowRun.infrastructure_pid,
  created_by: flowRun.created_by,
  concurrency_key: flowRun.concurrency_key,
  start_before: flowRun.start_before,
}

/** What can be large and is in no row of a list. */
const large = {
  parameters: flowRun.parameters,
  context: flowRun.context,
  job_variables: flowRun.job_variables,
}

const names = {
  flow_name: flow.name,
  deployment_name: deployment.name,
  work_pool_name: workPool.name,
  work_queue_name: workQueue.name,
}

/** What a sort compares; never null but for a run that has never been given a state. */
const started = sql`coalesce(${flowRun.start_time}, ${flowRun.expected_start_time})`
const ORDERS: Record<FlowRunSort, { key: SQL; descending: boolean }> = {
  ID_DESC: { key: sql`${flowRun.id}`, descending: true },
  START_TIME_ASC: { key: started, descending: false },
  START_TIME_DESC: { key: started, descending: true },
  EXPECTED_START_TIME_ASC: { key: sql`${flowRun.expected_start_time}`, descending: false },
  EXPECTED_START_TIME_DESC: { key: sql`${flowRun.expected_start_time}`, descending: true },
  NAME_ASC: { key: sql`${flowRun.name}`, descending: false },
  NAME_DESC: { key: sql`${flowRun.name}`, descending: true },
  // Runs without such a time stand last, whichever way.
  NEXT_SCHEDULED_START_TIME_ASC: {
    key: sql`coalesce(${flowRun.next_scheduled_start_time}, '~')`,
    descending: false,
  },
  END_TIME_DESC: { key: sql`coalesce(${flowRun.end_time}, '')`, descending: true },
}

/** Where a page ended: what the sort compares, and the id, which decides between equals. */
export interface Position {
  key: string
  id: string
}

export async function findFlowRun(
  workspace: Workspace,
  id: string,
  now: Micros,
): Promise<FlowRun | undefined> {
  const [row] = await selectRuns(workspace, { ...columns, ...large }).where(own(workspace, id))
  return row === undefined ? undefined : toFlowRun(row.run, shownNames(row.names), now)
}

/** All states of a run, oldest first; undefined when the store has no such run. */
export async function findFlowRunStates(
  workspace: Workspace,
  id: string,
): Promise<State[] | undefined> {
  const [row] = await workspace.store
    .select({ states: flowRun.states })
    .from(flowRun)
    .where(own(workspace, id))
  return row?.states
}

/** The run that a state's id leads to. Whether the run has that state is known to its home, which may be ahead. */
export async function findRunIdOfState(
  workspace: Workspace,
  stateId: string,
): Promise<string | undefined> {
  const [row] = await workspace.store
    .select({ id: flowRun.id })
    .from(flowRun)
    .where(
      and(
        eq(flowRun.workspace_id, workspace.id),
        eq(flowRun.deleted, false),
        // By the index, which holds the ids as well: else all runs of the workspace are read.
        inArray(
          flowRun.id,
          workspace.store
            .select({ id: flowRun.id })
            .from(flowRun)
            .where(and(eq(flowRun.workspace_id, workspace.id), eq(flowRun.tail, runTail(stateId)))),
        ),
      ),
    )
    // Two runs with one tail are next to impossible; the one that has the state is the right one.
    .orderBy(sql`instr(${flowRun.states}, ${stateId}) DESC`)
    .limit(1)
  return row?.id
}

export async function listFlowRuns(
  workspace: Workspace,
  filters: Filters,
  sort: FlowRunSort,
  slice: { limit: number; offset: number },
  now: Micros,
): Promise<FlowRun[]> {
  const chosen = selectIds(workspace, toSql(flowRunCondition(workspace.id, filters)), sort)
    .limit(slice.limit)
    .offset(slice.offset)
  const rows = await selectRuns(workspace, { ...columns, ...large })
    .where(and(eq(flowRun.workspace_id, workspace.id), inArray(flowRun.id, chosen)))
    .orderBy(...orderChosen(sort))
  return rows.map((row) => toFlowRun(row.run, shownNames(row.names), now))
}

/** The ids of runs that filters choose, the newest first. */
export async function listFlowRunIds(
  workspace: Workspace,
  filters: Filters,
  limit: number,
): Promise<string[]> {
  const condition = toSql(flowRunCondition(workspace.id, filters))
  const rows = await selectIds(workspace, condition, 'ID_DESC').limit(limit)
  return rows.map((row) => row.id)
}

/** The dates for which a deployment's schedules have made a run, with the schedules' ids. */
export async function listAutomaticDates(
  workspace: Workspace,
  deploymentId: string,
  span: { from: string; to: string },
): Promise<{ schedule_id: string; expected_start_time: string }[]> {
  return await workspace.store.all(
    sql`SELECT ${flowRun.created_by} ->> '$.id' AS schedule_id, ${flowRun.expected_start_time}
      FROM ${flowRun}
      WHERE ${flowRun.workspace_id} = ${workspace.id} AND ${flowRun.deployment_id} = ${deploymentId}
        AND ${flowRun.auto_scheduled} = 1 AND ${flowRun.deleted} = 0
        AND ${flowRun.expected_start_time} BETWEEN ${span.from} AND ${span.to}`,
  )
}

/** Also of a flow that is gone itself, so that no filter of flows finds them. */
export async function listRunIdsOfFlow(
  workspace: Workspace,
  flowId: string,
  limit: number,
): Promise<string[]> {
  const rows = await workspace.store
    .select({ id: flowRun.id })
    .from(flowRun)
    .where(
      and(
        eq(flowRun.workspace_id, workspace.id),
        eq(flowRun.flow_id, flowId),
        eq(flowRun.deleted, false),
      ),
    )
    .limit(limit)
  return rows.map((row) => row.id)
}

/** The runs that follow a position, with where the last of them stands. */
export async function listFlowRunRows(
  workspace: Workspace,
  filters: Filters,
  sort: FlowRunSort,
  page: { limit: number; after: Position | undefined },
  now: Micros,
): Promise<{ rows: FlowRunRow[]; next: Position | undefined }> {
  const { key, descending } = ORDERS[sort]
  const after =
    page.after === undefined
      ? undefined
      : sql`(${key}, ${flowRun.id}) ${sql.raw(descending ? '<' : '>')} (${page.after.key}, ${page.after.id})`
  const condition = and(toSql(flowRunCondition(workspace.id, filters)), after)
  const rows = await selectRuns(workspace, {
    ...columns,
    parameters: sql<Record<string, never>>`'{}'`.mapWith(flowRun.parameters),
    context: sql<Record<string, never>>`'{}'`.mapWith(flowRun.context),
    job_variables: sql<null>`NULL`,
    sort_key: sql<string | null>`${key}`,
  })
    .where(
      and(
        eq(flowRun.workspace_id, workspace.id),
        // One more than asked for tells whether there is a next page.
        inArray(flowRun.id, selectIds(workspace, condition, sort).limit(page.limit + 1)),
      ),
    )
    .orderBy(...orderChosen(sort))
  const shown = rows.slice(0, page.limit)
  const last = rows.length > page.limit ? shown.at(-1) : undefined
  return {
    rows: shown.map(({ run: { sort_key: _key, ...run }, names: ofRun }) =>
      toFlowRunRow(run, ofRun, now),
    ),
    next: last === undefined ? undefined : { key: last.run.sort_key ?? '', id: last.run.id },
  }
}

export async function countFlowRuns(workspace: Workspace, filters: Filters): Promise<number> {
  const [row] = await workspace.store
    .select({ count: count() })
    .from(flowRun)
    .where(toSql(flowRunCondition(workspace.id, filters)))
  return row?.count ?? 0
}

/** A run has fewer names than a row of a list. */
function shownNames({ work_pool_name, work_queue_name }: RunNames): RunNames {
  return { work_pool_name, work_queue_name }
}

function own(workspace: Workspace, id: string): SQL | undefined {
  return and(eq(flowRun.workspace_id, workspace.id), eq(flowRun.id, id), eq(flowRun.deleted, false))
}

/** Chosen by their ids first, so that sorting moves ids, not whole runs. */
function selectIds(workspace: Workspace, condition: SQL | undefined, sort: FlowRunSort) {
  return workspace.store
    .select({ id: flowRun.id })
    .from(flowRun)
    .where(condition)
    .orderBy(...flowRunOrder(sort))
    .$dynamic()
}

export function flowRunOrder(sort: FlowRunSort): SQL[] {
  const { key, descending } = ORDERS[sort]
  const order = descending ? desc : asc
  return sort === 'ID_DESC' ? [order(key)] : [order(key), order(flowRun.id)]
}

/** The plus keeps SQLite from walking an index in this order, rather than reading the few rows that were chosen. */
function orderChosen(sort: FlowRunSort): SQL[] {
  const { key, descending } = ORDERS[sort]
  const order = descending ? desc : asc
  return [order(sql`+${key}`), order(flowRun.id)]
}

function selectRuns<Columns extends typeof columns>(workspace: Workspace, ofRun: Columns) {
  const { id } = workspace
  return workspace.store
    .select({ run: ofRun, names })
    .from(flowRun)
    .leftJoin(flow, and(eq(flow.id, flowRun.flow_id), eq(flow.workspace_id, id)))
    .leftJoin(
      deployment,
      and(eq(deployment.id, flowRun.deployment_id), eq(deployment.workspace_id, id)),
    )
    .leftJoin(workPool, and(eq(workPool.id, flowRun.work_pool_id), eq(workPool.workspace_id, id)))
    .leftJoin(
      workQueue,
      and(eq(workQueue.id, flowRun.work_queue_id), eq(workQueue.workspace_id, id)),
    )
    .$dynamic()
}
