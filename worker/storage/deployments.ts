import { and, asc, count, desc, eq, sql, type SQL } from 'drizzle-orm'
import type { HomeKey } from '#core/flow-run-id.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { Deployment } from '#core/wire/deployment.ts'
import type { Flow } from '#core/wire/flow.ts'
import type { FlowSort } from '#core/wire/query.ts'
import type { DeploymentSchedule } from '#core/wire/schedule.ts'
import { deploymentLimit } from '#domain/deployment-limit.ts'
import { deploymentCondition, type Filters } from '#domain/filter.ts'
import { deploymentStatus, NOTED_EVERY_SECONDS } from '#domain/readiness.ts'
import { nextVersion, type Statement } from './commit.ts'
import { toSql } from './condition.ts'
import { deployment, deploymentSchedule, flow, workPool, workQueue } from './schema/config.ts'
import { flowRun } from './schema/runs.ts'
import { lastPolled } from './workers.ts'
import type { Workspace } from './workspace.ts'

/** A deployment with what its home and the check of concurrent changes need. */
export interface StoredDeployment {
  version_number: number
  home_key: HomeKey
  deployment: Deployment
  concurrency_limit: number | null
  work_pool_id: string | null
}

/** What the home of a deployment keeps of it. Its status and slots in use are left out: they move without a new version. */
export interface HomeDeployment extends StoredDeployment {
  flow: Flow
}

const columns = {
  id: deployment.id,
  created: deployment.created,
  updated: deployment.updated,
  name: deployment.name,
  version: deployment.version,
  description: deployment.description,
  flow_id: deployment.flow_id,
  paused: deployment.paused,
  concurrency_options: deployment.concurrency_options,
  concurrency_key: deployment.concurrency_key,
  max_waiting_runs: deployment.max_waiting_runs,
  start_within_seconds: deployment.start_within_seconds,
  signature: deployment.signature,
  job_variables: deployment.job_variables,
  parameters: deployment.parameters,
  tags: deployment.tags,
  labels: deployment.labels,
  work_queue_name: workQueue.name,
  work_queue_id: deployment.work_queue_id,
  work_pool_name: workPool.name,
  last_polled: deployment.last_polled,
  parameter_openapi_schema: deployment.parameter_openapi_schema,
  path: deployment.path,
  pull_steps: deployment.pull_steps,
  entrypoint: deployment.entrypoint,
  storage_document_id: deployment.storage_document_id,
  infrastructure_document_id: deployment.infrastructure_document_id,
  created_by: deployment.created_by,
  updated_by: deployment.updated_by,
  enforce_parameter_schema: deployment.enforce_parameter_schema,
}

/**
 * A deployment's schedules in its own row, so that a list is one query. The latest changed first; those made at once in the
 * order in which they came.
 */
const schedules = sql<DeploymentSchedule[]>`(
  SELECT json_group_array(json_object(
    'id', s.id, 'created', s.created, 'updated', s.updated, 'deployment_id', s.deployment_id,
    'schedule', json(s.schedule), 'active', json(iif(s.active, 'true', 'false')),
    'max_scheduled_runs', s.max_scheduled_runs, 'parameters', json(s.parameters), 'slug', s.slug,
    'missed_runs', json(s.missed_runs)
  ) ORDER BY s.updated DESC, s.rowid)
  FROM ${deploymentSchedule} s WHERE s.deployment_id = ${deployment.id})`.mapWith(
  (text: string): DeploymentSchedule[] => JSON.parse(text),
)

/** Slots are held by live executions; they are counted only where a limit gives the number a meaning. */
const activeSlots = sql<number>`CASE WHEN ${deployment.concurrency_limit} IS NULL THEN 0 ELSE (
  SELECT count(*) FROM ${flowRun}
  WHERE ${flowRun.workspace_id} = ${deployment.workspace_id} AND ${flowRun.deleted} = 0
    AND ${flowRun.deployment_id} = ${deployment.id}
    AND ${flowRun.state_type} IN ('PENDING', 'RUNNING', 'CANCELLING')) END`

const homeColumns = {
  version_number: deployment.version_number,
  home_key: deployment.home_key,
  concurrency_limit: deployment.concurrency_limit,
  work_pool_id: workPool.id,
}

const flowColumns = {
  id: flow.id,
  created: flow.created,
  updated: flow.updated,
  name: flow.name,
  tags: flow.tags,
  labels: flow.labels,
}

const ORDERS: Record<FlowSort, SQL> = {
  NAME_ASC: asc(deployment.name),
  NAME_DESC: desc(deployment.name),
  CREATED_DESC: desc(deployment.created),
  UPDATED_DESC: desc(deployment.updated),
}

export async function readHomeDeployment(
  workspace: Workspace,
  deploymentId: string,
): Promise<HomeDeployment | undefined> {
  const [row] = await workspace.store
    .select({ columns, schedules, flow: flowColumns, ...homeColumns })
    .from(deployment)
    .innerJoin(flow, eq(flow.id, deployment.flow_id))
    .leftJoin(workQueue, eq(workQueue.id, deployment.work_queue_id))
    .leftJoin(workPool, eq(workPool.id, workQueue.work_pool_id))
    .where(and(eq(deployment.workspace_id, workspace.id), eq(deployment.id, deploymentId)))
  if (row === undefined) {
    return undefined
  }
  const { columns: own, schedules: ofDeployment, ...home } = row
  const limit = deploymentLimit(own, home.concurrency_limit, 0)
  return { ...home, deployment: toDeployment(own, ofDeployment, limit, null) }
}

export async function findDeployment(
  workspace: Workspace,
  id: string,
  now: Micros,
): Promise<StoredDeployment | undefined> {
  const [found] = await selectStored(workspace, eq(deployment.id, id), 'NAME_ASC', ONE, now)
  return found
}

export async function findDeploymentByName(
  workspace: Workspace,
  flowName: string,
  name: string,
  now: Micros,
): Promise<StoredDeployment | undefined> {
  const condition = and(eq(flow.name, flowName), eq(deployment.name, name))
  const [found] = await selectStored(workspace, condition, 'NAME_ASC', ONE, now)
  return found
}

/** By the natural key of the upsert. */
export async function findDeploymentOfFlow(
  workspace: Workspace,
  flowId: string,
  name: string,
  now: Micros,
): Promise<StoredDeployment | undefined> {
  const condition = and(eq(deployment.flow_id, flowId), eq(deployment.name, name))
  const [found] = await selectStored(workspace, condition, 'NAME_ASC', ONE, now)
  return found
}

/** The deployments that the filters name. */
export async function listDeployments(
  workspace: Workspace,
  filters: Filters,
  sort: FlowSort,
  page: { limit: number; offset: number },
  now: Micros,
): Promise<Deployment[]> {
  const condition = toSql(deploymentCondition(workspace.id, filters))
  const stored = await selectStored(workspace, condition, sort, page, now)
  return stored.map((row) => row.deployment)
}

export async function countDeployments(workspace: Workspace, filters: Filters): Promise<number> {
  const [row] = await workspace.store
    .select({ count: count() })
    .from(deployment)
    .where(
      and(
        eq(deployment.workspace_id, workspace.id),
        toSql(deploymentCondition(workspace.id, filters)),
      ),
    )
  return row?.count ?? 0
}

const ONE = { limit: 1, offset: 0 }

async function selectStored(
  workspace: Workspace,
  condition: SQL | undefined,
  sort: FlowSort,
  page: { limit: number; offset: number },
  now: Micros,
): Promise<StoredDeployment[]> {
  const rows = await workspace.store
    .select({
      columns,
      schedules,
      active_slots: activeSlots,
      queue_last_polled: lastPolled(now),
      ...homeColumns,
    })
    .from(deployment)
    .innerJoin(flow, eq(flow.id, deployment.flow_id))
    .leftJoin(workQueue, eq(workQueue.id, deployment.work_queue_id))
    .leftJoin(workPool, eq(workPool.id, workQueue.work_pool_id))
    .where(and(eq(deployment.workspace_id, workspace.id), condition))
    .orderBy(ORDERS[sort], asc(deployment.id))
    .limit(page.limit)
    .offset(page.offset)
  return rows.map((row) => {
    const { columns: own, schedules: ofDeployment, active_slots, queue_last_polled, ...home } = row
    const limit = deploymentLimit(own, home.concurrency_limit, active_slots)
    const polled = { deployment: own.last_polled, queue: queue_last_polled }
    const status = deploymentStatus(polled, now)
    return { ...home, deployment: toDeployment(own, ofDeployment, limit, status) }
  })
}

type Own = Omit<
  Deployment,
  'schedules' | 'concurrency_limit' | 'global_concurrency_limit' | 'status'
>

function toDeployment(
  own: Own,
  ofDeployment: DeploymentSchedule[],
  limit: Deployment['global_concurrency_limit'],
  status: Deployment['status'],
): Deployment {
  return {
    ...own,
    schedules: ofDeployment,
    concurrency_limit: null,
    global_concurrency_limit: limit,
    status,
  }
}

export type NewDeployment = Omit<
  typeof deployment.$inferInsert,
  'workspace_id' | 'created' | 'updated' | 'version_number' | 'last_polled'
>

export function insertDeployment(workspace: Workspace, row: NewDeployment, now: Micros): Statement {
  const created = formatTimestamp(now)
  return workspace.store.insert(deployment).values({
    ...row,
    workspace_id: workspace.id,
    created,
    updated: created,
    version_number: 1,
    last_polled: null,
  })
}

export type DeploymentFields = Partial<Omit<NewDeployment, 'id' | 'flow_id' | 'name'>>

/** Refuses the batch when the deployment is no longer at the version that was read. */
export function updateDeployment(
  workspace: Workspace,
  read: { id: string; version_number: number },
  fields: DeploymentFields,
  now: Micros,
): Statement {
  return workspace.store
    .update(deployment)
    .set({
      ...fields,
      updated: formatTimestamp(now),
      version_number: nextVersion(deployment.version_number, read.version_number),
    })
    .where(and(eq(deployment.workspace_id, workspace.id), eq(deployment.id, read.id)))
}

/** Takes its schedules with it. */
export function removeDeployment(workspace: Workspace, id: string): Statement {
  return workspace.store
    .delete(deployment)
    .where(and(eq(deployment.workspace_id, workspace.id), eq(deployment.id, id)))
}

/** Records that someone asks these deployments for runs. No new version: their homes do not need to know. */
export async function recordDeploymentsPolled(
  workspace: Workspace,
  ids: string[],
  now: Micros,
): Promise<void> {
  const recent = formatTimestamp(now - NOTED_EVERY_SECONDS * MICROS_PER_SECOND)
  await workspace.store
    .update(deployment)
    .set({ last_polled: formatTimestamp(now) })
    .where(
      and(
        eq(deployment.workspace_id, workspace.id),
        sql`${deployment.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
        sql`(${deployment.last_polled} IS NULL OR ${deployment.last_polled} <= ${recent})`,
      ),
    )
}
