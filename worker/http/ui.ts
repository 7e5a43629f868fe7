import { parseTimestamp, type Micros } from '#core/time.ts'
import * as ui from '#core/wire/ui.ts'
import * as z from 'zod'
import { DomainError } from '#domain/errors.ts'
import { toTaskRun } from '#domain/task-run.ts'
import * as counts from '#storage/ui-counts.ts'
import { findTaskRun } from '../operations/find-task-run.ts'
import { judgeValues } from '../operations/judge-values.ts'
import { readFlowRun } from '../operations/read-flow-run.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

const tag = 'UI'
const MAX_POINTS = 1000

/** What Prefect's console asks its server for beyond the public lists. */
export function addUiRoutes(api: Api): void {
  addFlowRunCounts(api)
  addTaskRunCounts(api)
  endpoint(
    api,
    {
      method: 'post',
      path: '/ui/schemas/validate',
      tag,
      summary: 'Judge values by a JSON schema',
      body: ui.schemaValues,
      answers: { 200: ui.schemaValuesResult },
    },
    async ({ workspace, body }) => {
      const errors = await judgeValues(workspace, body.schema, body.values)
      return { status: 200, body: { errors, valid: errors.length === 0 } }
    },
  )
}

function addFlowRunCounts(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/ui/flow_runs/history',
      tag,
      summary: 'Flow runs as points in time',
      body: ui.simpleFlowRunsQuery,
      bodyOptional: true,
      answers: { 200: z.array(ui.simpleFlowRun) },
      listsRuns: true,
    },
    async ({ workspace, body, now }) => {
      const page = {
        sort: body.sort ?? ('EXPECTED_START_TIME_DESC' as const),
        limit: body.limit ?? MAX_POINTS,
        offset: body.offset ?? 0,
      }
      return { status: 200, body: await counts.listSimpleFlowRuns(workspace, body, page, now) }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/ui/flow_runs/count-task-runs',
      tag,
      summary: 'Count the task runs of each of some flow runs',
      body: ui.flowRunIds,
      answers: { 200: ui.countById },
      listsRuns: true,
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await counts.countTasksOfFlowRuns(workspace, body.flow_run_ids),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/ui/flows/count-deployments',
      tag,
      summary: 'Count the deployments of each of some flows',
      body: ui.flowIds,
      answers: { 200: ui.countById },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await counts.countDeploymentsOfFlows(workspace, body.flow_ids),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/ui/flows/next-runs',
      tag,
      summary: 'The next scheduled run of each of some flows',
      body: ui.flowIds,
      answers: { 200: ui.nextFlowRuns },
      listsRuns: true,
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await counts.findNextFlowRuns(workspace, body.flow_ids),
    }),
  )
}

function addTaskRunCounts(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/ui/task_runs/count',
      tag,
      summary: 'Count task runs by state',
      body: ui.taskRunCountsQuery,
      bodyOptional: true,
      answers: { 200: ui.countByState },
      listsRuns: true,
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await counts.countTaskRunsByState(workspace, body),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/ui/task_runs/dashboard/counts',
      tag,
      summary: 'Count task runs that are over, in twenty parts of a span of time',
      body: ui.taskRunBucketsQuery,
      answers: { 200: z.array(ui.taskRunBucket) },
      listsRuns: true,
    },
    async ({ workspace, body, now }) => {
      const { work_queues: work_pool_queues, ...filters } = body
      const { start_time } = body.task_runs
      const from = parseTimestamp(start_time?.after_ ?? '')
      if (from === undefined) {
        throw new DomainError('invalid', 'task_runs.start_time.after_ is required', {
          field: ['task_runs', 'start_time', 'after_'],
        })
      }
      const to: Micros = parseTimestamp(start_time?.before_ ?? '') ?? now
      const found = await counts.countTaskRunsByTime(
        workspace,
        { ...filters, work_pool_queues },
        { from, to },
      )
      return { status: 200, body: found }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/ui/task_runs/{id}',
      tag,
      summary: 'Read a task run with the name of its flow run',
      params: idParam,
      answers: { 200: ui.uiTaskRun },
      errors: [404, 503],
    },
    async ({ workspace, params, now }) => {
      const found = await findTaskRun(workspace, params.id)
      if (found === undefined) {
        throw new DomainError('not_found', 'Task not found')
      }
      const taskRun = toTaskRun(found.run, now)
      const flowRun =
        taskRun.flow_run_id === null
          ? null
          : await readFlowRun(workspace, taskRun.flow_run_id, now).catch(missing)
      return { status: 200, body: { ...taskRun, flow_run_name: flowRun?.name ?? null } }
    },
  )
}

/** Its flow run may have been deleted meanwhile. */
function missing(error: unknown): null {
  if (error instanceof DomainError && error.code === 'not_found') {
    return null
  }
  throw error
}
