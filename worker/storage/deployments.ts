import { and, eq, sql } from 'drizzle-orm'
import type { HomeKey } from '#core/flow-run-id.ts'
import type { Deployment } from '#core/wire/deployment.ts'
import type { Flow } from '#core/wire/flow.ts'
import type { DeploymentSchedule } from '#core/wire/schedule.ts'
import { deploymentLimit } from '#domain/deployment-limit.ts'
import { deployment, deploymentSchedule, flow, workPool, workQueue } from './schema/config.ts'
import type { Workspace } from './workspace.ts'

/** What the home of a deployment keeps of it. Its status and slots in use are left out: they move without a new version. */
export interface HomeDeployment {
  version_number: number
  home_key: HomeKey
  deployment: Deployment
  flow: Flow
  concurrency_limit: number | null
  work_pool_id: string | null
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
  storage_document_id: sql<null>`NULL`,
  infrastructure_document_id: sql<null>`NULL`,
  created_by: deployment.created_by,
  updated_by: deployment.updated_by,
  enforce_parameter_schema: deployment.enforce_parameter_schema,
}

/** A deployment's schedules in its own row, the latest changed first, so that a list is one query. */
const schedules = sql<DeploymentSchedule[]>`(
  SELECT json_group_array(json_object(
    'id', s.id, 'created', s.created, 'updated', s.updated, 'deployment_id', s.deployment_id,
    'schedule', json(s.schedule), 'active', json(iif(s.active, 'true', 'false')),
    'max_scheduled_runs', s.max_scheduled_runs, 'parameters', json(s.parameters), 'slug', s.slug
  ) ORDER BY s.updated DESC, s.id DESC)
  FROM ${deploymentSchedule} s WHERE s.deployment_id = ${deployment.id})`.mapWith(
  (text: string): DeploymentSchedule[] => JSON.parse(text),
)

const flowColumns = {
  id: flow.id,
  created: flow.created,
  updated: flow.updated,
  name: flow.name,
  tags: flow.tags,
  labels: flow.labels,
}

export async function readHomeDeployment(
  workspace: Workspace,
  deploymentId: string,
): Promise<HomeDeployment | undefined> {
  const [row] = await workspace.store
    .select({
      columns,
      schedules,
      flow: flowColumns,
      version_number: deployment.version_number,
      home_key: deployment.home_key,
      concurrency_limit: deployment.concurrency_limit,
      work_pool_id: workPool.id,
    })
    .from(deployment)
    .innerJoin(flow, eq(flow.id, deployment.flow_id))
    .leftJoin(workQueue, eq(workQueue.id, deployment.work_queue_id))
    .leftJoin(workPool, eq(workPool.id, workQueue.work_pool_id))
    .where(and(eq(deployment.workspace_id, workspace.id), eq(deployment.id, deploymentId)))
  if (row === undefined) {
    return undefined
  }
  const { columns: own, schedules: schedulesOf, ...home } = row
  return {
    ...home,
    deployment: {
      ...own,
      schedules: schedulesOf,
      concurrency_limit: null,
      global_concurrency_limit: deploymentLimit(own, home.concurrency_limit, 0),
      status: null,
    },
  }
}
