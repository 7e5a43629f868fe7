import type * as wire from '#core/wire/query.ts'
import {
  condition,
  contains,
  every,
  exists,
  isNull,
  not,
  oneOf,
  some,
  type Condition,
} from './condition.ts'
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

// The conditions of each entity's own filter. All keep to the workspace; runs that were deleted are left out.

type Rows<Filter> = (workspaceId: string, filter: Given<Filter>) => Condition

export const flowRows: Rows<wire.FlowFilter> = (workspaceId, filter) =>
  every([
    inWorkspace('flow', workspaceId),
    combined(filter, (given) => [
      values('flow.id', given.id),
      names('flow.name', given.name),
      tags('flow.tags', given.tags),
      maybe(given.deployment, ({ is_null_ }) =>
        every([
          maybe(is_null_, (wanted) => {
            const deployed = exists('deployment', [
              inWorkspace('deployment', workspaceId),
              condition('deployment.flow_id = flow.id'),
            ])
            return wanted ? not(deployed) : deployed
          }),
        ]),
      ),
    ]),
  ])

export const flowRunRows: Rows<wire.FlowRunFilter> = (workspaceId, filter) =>
  every([
    alive('flow_run', workspaceId),
    combined(filter, (given) => [
      values('flow_run.id', given.id),
      names('flow_run.name', given.name),
      tags('flow_run.tags', given.tags),
      combined(given.deployment_id, ({ any_, is_null_ }) => [
        maybe(any_, (wanted) => indexed('flow_run', workspaceId, 'deployment_id', wanted)),
        maybe(is_null_, (wanted) => isNull('flow_run.deployment_id', wanted)),
      ]),
      combined(given.work_queue_name, ({ any_, is_null_ }) => [
        maybe(any_, (wanted) => queueNamed('flow_run', workspaceId, wanted)),
        maybe(is_null_, (wanted) => isNull('flow_run.work_queue_id', wanted)),
      ]),
      combined(given.state, ({ type, name }) => [
        values('flow_run.state_type', type),
        values('flow_run.state_name', name),
      ]),
      values('flow_run.flow_version', given.flow_version),
      started('flow_run', given.start_time),
      within('flow_run.end_time', given.end_time),
      within('flow_run.expected_start_time', given.expected_start_time),
      within('flow_run.next_scheduled_start_time', given.next_scheduled_start_time),
      maybe(given.parent_flow_run_id, ({ any_ }) =>
        every([maybe(any_, (parents) => subflowsOf(workspaceId, parents))]),
      ),
      combined(given.parent_task_run_id, ({ any_, is_null_ }) => [
        maybe(any_, (wanted) => indexed('flow_run', workspaceId, 'parent_task_run_id', wanted)),
        maybe(is_null_, (wanted) => isNull('flow_run.parent_task_run_id', wanted)),
      ]),
      values('flow_run.idempotency_key', given.idempotency_key),
      combined(given.created_by, ({ id_, type_, is_null_ }) => [
        maybe(id_, (wanted) => oneOf("flow_run.created_by ->> '$.id'", wanted)),
        maybe(type_, (wanted) => oneOf("flow_run.created_by ->> '$.type'", wanted)),
        maybe(is_null_, (wanted) => isNull('flow_run.created_by', wanted)),
      ]),
    ]),
  ])

export const taskRunRows: Rows<wire.TaskRunFilter> = (workspaceId, filter) =>
  every([
    alive('task_run', workspaceId),
    combined(filter, (given) => [
      values('task_run.id', given.id),
      names('task_run.name', given.name),
      tags('task_run.tags', given.tags),
      combined(given.state, ({ type, name }) => [
        values('task_run.state_type', type),
        values('task_run.state_name', name),
      ]),
      started('task_run', given.start_time),
      within('task_run.end_time', given.end_time),
      within('task_run.expected_start_time', given.expected_start_time),
      maybe(given.subflow_runs, ({ exists_ }) =>
        every([
          maybe(exists_, (wanted) => {
            const subflow = exists('flow_run', [
              alive('flow_run', workspaceId),
              condition('flow_run.parent_task_run_id = task_run.id'),
            ])
            return wanted ? subflow : not(subflow)
          }),
        ]),
      ),
      combined(given.flow_run_id, ({ any_, is_null_ }) => [
        maybe(any_, (wanted) => indexed('task_run', workspaceId, 'flow_run_id', wanted)),
        // Prefect's client always sends `is_null_: false`; beside a list it says nothing.
        is_null_ === false && isGiven(any_)
          ? undefined
          : maybe(is_null_, (wanted) => isNull('task_run.flow_run_id', wanted)),
      ]),
    ]),
  ])

export const deploymentRows: Rows<wire.DeploymentFilter> = (workspaceId, filter) =>
  every([
    inWorkspace('deployment', workspaceId),
    combined(filter, (given) => [
      values('deployment.id', given.id),
      names('deployment.name', given.name),
      maybe(given.flow_or_deployment_name, ({ like_ }) =>
        every([
          maybe(like_, (text) =>
            some([
              contains('deployment.name', text),
              exists('flow', [
                inWorkspace('flow', workspaceId),
                condition('flow.id = deployment.flow_id'),
                contains('flow.name', text),
              ]),
            ]),
          ),
        ]),
      ),
      maybe(given.paused, ({ eq_ }) =>
        every([maybe(eq_, (paused) => condition(`deployment.paused = ${paused ? 1 : 0}`))]),
      ),
      tags('deployment.tags', given.tags),
      maybe(given.work_queue_name, ({ any_ }) =>
        every([maybe(any_, (wanted) => queueNamed('deployment', workspaceId, wanted))]),
      ),
      maybe(given.concurrency_limit, ({ ge_, le_, is_null_ }) =>
        every([
          maybe(ge_, (least) => condition('deployment.concurrency_limit >= ?', least)),
          maybe(le_, (most) => condition('deployment.concurrency_limit <= ?', most)),
          maybe(is_null_, (wanted) => isNull('deployment.concurrency_limit', wanted)),
        ]),
      ),
    ]),
  ])

export const workPoolRows: Rows<wire.WorkPoolFilter> = (workspaceId, filter) =>
  every([
    inWorkspace('work_pool', workspaceId),
    combined(filter, (given) => [
      values('work_pool.id', given.id),
      names('work_pool.name', given.name),
      values('work_pool.type', given.type),
    ]),
  ])

export const workQueueRows: Rows<wire.WorkQueueFilter> = (workspaceId, filter) =>
  every([
    inWorkspace('work_queue', workspaceId),
    combined(filter, (given) => [
      values('work_queue.id', given.id),
      maybe(given.name, ({ any_, startswith_ }) =>
        every([
          maybe(any_, (wanted) => oneOf('work_queue.name', wanted)),
          maybe(startswith_, (starts) =>
            condition(
              'EXISTS (SELECT 1 FROM json_each(?) AS start WHERE instr(lower(work_queue.name), lower(start.value)) = 1)',
              JSON.stringify(starts),
            ),
          ),
        ]),
      ),
    ]),
  ])

export const artifactRows: Rows<wire.ArtifactFilter> = (workspaceId, filter) =>
  every([
    inWorkspace('artifact', workspaceId),
    combined(filter, (given) => [
      values('artifact.id', given.id),
      names('artifact.key', given.key),
      maybe(given.key?.exists_, (wanted) => isNull('artifact.key', !wanted)),
      maybe(given.flow_run_id?.any_, (wanted) =>
        indexed('artifact', workspaceId, 'flow_run_id', wanted),
      ),
      maybe(given.task_run_id?.any_, (wanted) =>
        indexed('artifact', workspaceId, 'task_run_id', wanted),
      ),
      values('artifact.type', given.type),
    ]),
  ])

function inWorkspace(table: string, workspaceId: string): Condition {
  return condition(`${table}.workspace_id = ?`, workspaceId)
}

function alive(table: 'flow_run' | 'task_run', workspaceId: string): Condition {
  return condition(`${table}.workspace_id = ? AND ${table}.deleted = 0`, workspaceId)
}

/**
 * Found through the column's index, which holds the ids as well. Without this detour SQLite walks through all runs of the
 * workspace: it takes the primary key, of which it knows the first column, to be as selective.
 */
function indexed(
  table: 'flow_run' | 'task_run' | 'artifact',
  workspaceId: string,
  column: string,
  wanted: readonly string[],
): Condition {
  return condition(
    `${table}.id IN (SELECT found.id FROM ${table} AS found WHERE found.workspace_id = ? AND found.${column} IN (SELECT value FROM json_each(?)))`,
    workspaceId,
    JSON.stringify(wanted),
  )
}

function subflowsOf(workspaceId: string, parents: readonly string[]): Condition {
  return condition(
    `flow_run.id IN (SELECT child.id FROM flow_run AS child WHERE child.workspace_id = ? AND child.parent_task_run_id IN
      (SELECT caller.id FROM task_run AS caller WHERE caller.workspace_id = ? AND caller.flow_run_id IN (SELECT value FROM json_each(?))))`,
    workspaceId,
    workspaceId,
    JSON.stringify(parents),
  )
}

/** A run that has not started is placed by when it is expected to. */
function started(table: 'flow_run' | 'task_run', filter: wire.FlowRunFilter['start_time']) {
  const column = `${table}.start_time`
  return within(column, filter, `coalesce(${column}, ${table}.expected_start_time)`)
}

function queueNamed(
  table: 'flow_run' | 'deployment',
  workspaceId: string,
  wanted: readonly string[],
): Condition {
  return exists('work_queue', [
    inWorkspace('work_queue', workspaceId),
    condition(`work_queue.id = ${table}.work_queue_id`),
    oneOf('work_queue.name', wanted),
  ])
}
