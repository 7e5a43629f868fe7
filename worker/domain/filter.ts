import type * as wire from '#core/wire/query.ts'
import { condition, every, exists, type Condition, type Parts } from './condition.ts'
import {
  combined,
  isGiven,
  maybe,
  names,
  tags,
  values,
  within,
  type Given,
} from './filter-fields.ts'
import {
  artifactRows,
  deploymentRows,
  flowRows,
  flowRunRows,
  taskRunRows,
  workPoolRows,
  workQueueRows,
} from './filter-rows.ts'

/**
 * The one compiler from the filters of the wire to SQL. Columns are named with their tables, which a query must therefore
 * not rename. Every condition keeps to one workspace, in its sub-queries too. A filter of another entity holds when a
 * related row meets it; where several filters speak of one related row, the same row meets them all.
 */
export interface Filters {
  flows?: wire.FlowFilter | null | undefined
  flow_runs?: wire.FlowRunFilter | null | undefined
  task_runs?: wire.TaskRunFilter | null | undefined
  deployments?: wire.DeploymentFilter | null | undefined
  work_pools?: wire.WorkPoolFilter | null | undefined
  work_pool_queues?: wire.WorkQueueFilter | null | undefined
}

export function flowCondition(workspaceId: string, filters: Filters): Condition {
  const { flows, flow_runs, task_runs, deployments, work_pools } = filters
  return every([
    flowRows(workspaceId, flows),
    related('flow_run', 'flow_run.flow_id = flow.id', [flow_runs, task_runs], () => [
      flowRunRows(workspaceId, flow_runs),
      taskRunOf(workspaceId, task_runs),
    ]),
    related('deployment', 'deployment.flow_id = flow.id', [deployments, work_pools], () => [
      deploymentRows(workspaceId, deployments),
      queueOfDeployment(workspaceId, { work_pools }),
    ]),
  ])
}

export function flowRunCondition(workspaceId: string, filters: Filters): Condition {
  return every([
    flowRunRows(workspaceId, filters.flow_runs),
    ownersOfFlowRun(workspaceId, filters),
    taskRunOf(workspaceId, filters.task_runs),
  ])
}

export function taskRunCondition(workspaceId: string, filters: Filters): Condition {
  const { flows, flow_runs, deployments, work_pools, work_pool_queues } = filters
  return every([
    taskRunRows(workspaceId, filters.task_runs),
    related(
      'flow_run',
      'flow_run.id = task_run.flow_run_id',
      [flows, flow_runs, deployments, work_pools, work_pool_queues],
      () => [flowRunRows(workspaceId, flow_runs), ownersOfFlowRun(workspaceId, filters)],
    ),
  ])
}

export function deploymentCondition(workspaceId: string, filters: Filters): Condition {
  const { flow_runs, task_runs } = filters
  return every([
    deploymentRows(workspaceId, filters.deployments),
    flowOf('deployment', workspaceId, filters.flows),
    related('flow_run', 'flow_run.deployment_id = deployment.id', [flow_runs, task_runs], () => [
      flowRunRows(workspaceId, flow_runs),
      taskRunOf(workspaceId, task_runs),
    ]),
    queueOfDeployment(workspaceId, filters),
  ])
}

export function workPoolCondition(
  workspaceId: string,
  filter: Given<wire.WorkPoolFilter>,
): Condition {
  return workPoolRows(workspaceId, filter)
}

export function workQueueCondition(
  workspaceId: string,
  filters: { work_queues?: Given<wire.WorkQueueFilter>; work_pools?: Given<wire.WorkPoolFilter> },
): Condition {
  return every([
    workQueueRows(workspaceId, filters.work_queues),
    poolOf('work_queue', workspaceId, filters.work_pools),
  ])
}

export interface ArtifactFilters extends Pick<
  Filters,
  'flows' | 'flow_runs' | 'task_runs' | 'deployments'
> {
  artifacts?: Given<wire.ArtifactFilter>
}

export function artifactCondition(workspaceId: string, filters: ArtifactFilters): Condition {
  const { artifacts, flows, flow_runs, task_runs, deployments } = filters
  return every([
    artifactRows(workspaceId, artifacts),
    related(
      'flow_run',
      'flow_run.id = artifact.flow_run_id',
      [flows, flow_runs, deployments],
      () => [
        flowRunRows(workspaceId, flow_runs),
        ownersOfFlowRun(workspaceId, { flows, deployments }),
      ],
    ),
    related('task_run', 'task_run.id = artifact.task_run_id', [task_runs], () => [
      taskRunRows(workspaceId, task_runs),
    ]),
  ])
}

export function variableCondition(
  workspaceId: string,
  filter: Given<wire.VariableFilter>,
): Condition {
  return every([
    condition('variable.workspace_id = ?', workspaceId),
    combined(filter, (given) => [
      values('variable.id', given.id),
      names('variable.name', given.name),
      tags('variable.tags', given.tags),
    ]),
  ])
}

/** `status` is not stored: whoever filters by it judges the rows by `readiness.workerStatus`. */
export function workerCondition(workspaceId: string, filter: Given<wire.WorkerFilter>): Condition {
  return every([
    condition('worker.workspace_id = ?', workspaceId),
    maybe(filter, ({ last_heartbeat_time }) =>
      every([within('worker.last_heartbeat_time', last_heartbeat_time)]),
    ),
  ])
}

function ownersOfFlowRun(workspaceId: string, filters: Filters): Condition {
  const { deployments, work_pools, work_pool_queues } = filters
  return every([
    flowOf('flow_run', workspaceId, filters.flows),
    related('deployment', 'deployment.id = flow_run.deployment_id', [deployments], () => [
      deploymentRows(workspaceId, deployments),
    ]),
    poolOf('flow_run', workspaceId, work_pools),
    related('work_queue', 'work_queue.id = flow_run.work_queue_id', [work_pool_queues], () => [
      workQueueRows(workspaceId, work_pool_queues),
    ]),
  ])
}

function flowOf(
  table: 'flow_run' | 'deployment',
  workspaceId: string,
  filter: Given<wire.FlowFilter>,
) {
  return related('flow', `flow.id = ${table}.flow_id`, [filter], () => [
    flowRows(workspaceId, filter),
  ])
}

function poolOf(
  table: 'flow_run' | 'work_queue',
  workspaceId: string,
  filter: Given<wire.WorkPoolFilter>,
) {
  return related('work_pool', `work_pool.id = ${table}.work_pool_id`, [filter], () => [
    workPoolRows(workspaceId, filter),
  ])
}

/** A deployment names its queue only; the pool is the queue's. */
function queueOfDeployment(workspaceId: string, filters: Filters) {
  const { work_pools, work_pool_queues } = filters
  return related(
    'work_queue',
    'work_queue.id = deployment.work_queue_id',
    [work_pools, work_pool_queues],
    () => [
      workQueueRows(workspaceId, work_pool_queues),
      poolOf('work_queue', workspaceId, work_pools),
    ],
  )
}

function taskRunOf(workspaceId: string, filter: Given<wire.TaskRunFilter>) {
  return related('task_run', 'task_run.flow_run_id = flow_run.id', [filter], () => [
    taskRunRows(workspaceId, filter),
  ])
}

/** When any of the filters is given: there is a row in the table, joined so, for which all parts hold. */
function related(
  table: string,
  join: string,
  filters: readonly unknown[],
  parts: () => Parts,
): Condition | undefined {
  return filters.some(isGiven) ? exists(table, [condition(join), ...parts()]) : undefined
}
