import * as z from 'zod'
import { flowRunsCreate, flowRunsCreated } from '#core/wire/bulk.ts'
import { timestamp, uuid } from '#core/wire/common.ts'
import { deploymentFlowRunCreate } from '#core/wire/deployment.ts'
import { flowRun } from '#core/wire/flow-run.ts'
import { MAX_PAGE } from '#core/wire/query.ts'
import { DomainError, domainFault } from '#domain/errors.ts'
import { recordDeploymentsPolled } from '#storage/deployments.ts'
import { listFlowRuns } from '#storage/flow-runs.ts'
import { getDeployment } from '../operations/change-deployment.ts'
import { createFlowRunFromDeployment, type CreatedFlowRun } from '../operations/create-flow-run.ts'
import { createFlowRunsFromDeployment } from '../operations/create-flow-runs.ts'
import { endpoint, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'
import { requireTasksWithin } from './run-reach.ts'

const tag = 'Deployments'
const idParam = z.object({ id: z.string().toLowerCase() })

/** As in Prefect; a longer list is a 400. */
const MAX_BULK = 100

const bulkResult = z
  .object({
    results: z.array(
      z.object({
        flow_run_id: z.string().nullable(),
        status: z.enum(['CREATED', 'FAILED']),
        error: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'FlowRunBulkCreateResponse' })

/** What `flow.serve()` asks for: the due runs of the deployments that it serves itself. */
const scheduledQuery = z
  .strictObject({
    deployment_ids: z.array(uuid),
    scheduled_before: timestamp.nullish(),
    limit: z.int().min(0).max(MAX_PAGE).nullish(),
  })
  .meta({ id: 'DeploymentScheduledFlowRunsQuery' })

/** Runs of deployments: made, and given out to whoever serves a deployment itself. */
export function addDeploymentFlowRunRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/{id}/create_flow_run',
      tag,
      summary: 'Make a run of a deployment',
      params: idParam,
      body: deploymentFlowRunCreate,
      answers: { 200: flowRun, 201: flowRun },
      errors: [400, 402, 404, 409, 503],
      survivesOutage: true,
    },
    async (request) => {
      const { workspace, caller, params, body, now } = request
      await requireTasksWithin(request, [body.parent_task_run_id])
      const { run, created } = await createFlowRunFromDeployment(
        workspace,
        caller,
        params.id,
        body,
        now,
      )
      return { status: created ? 201 : 200, body: run }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/{id}/create_flow_run/bulk',
      tag,
      summary: 'Make many runs of a deployment; each succeeds or fails by itself',
      params: idParam,
      body: z.array(deploymentFlowRunCreate),
      answers: { 200: bulkResult },
      errors: [400, 402, 404],
    },
    async ({ workspace, caller, params, body, now }) => {
      if (body.length > MAX_BULK) {
        throw new DomainError(
          'bad_request',
          `Cannot create more than ${MAX_BULK} flow runs at once.`,
        )
      }
      await getDeployment(workspace, params.id, now)
      const results = await Promise.allSettled(
        body.map((run) => createFlowRunFromDeployment(workspace, caller, params.id, run, now)),
      )
      return { status: 200, body: { results: results.map(toBulkResult) } }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/{id}/create_flow_runs',
      tag,
      summary: 'Make up to 1,000 runs of a deployment: all of them, or none',
      params: idParam,
      body: flowRunsCreate,
      answers: { 200: flowRunsCreated },
      errors: [402, 404, 503],
    },
    async (request) => {
      const { workspace, caller, params, body, now } = request
      await requireTasksWithin(
        request,
        body.flow_runs.map((run) => run.parent_task_run_id),
      )
      return {
        status: 200,
        body: {
          flow_runs: await createFlowRunsFromDeployment(
            workspace,
            caller,
            params.id,
            body.flow_runs,
            now,
          ),
        },
      }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/get_scheduled_flow_runs',
      tag,
      summary: 'List the scheduled runs of deployments, the earliest first',
      body: scheduledQuery,
      answers: { 200: z.array(flowRun) },
    },
    async ({ workspace, body, now }) => {
      const runs = await listFlowRuns(
        workspace,
        {
          deployments: { id: { any_: body.deployment_ids } },
          flow_runs: {
            state: { type: { any_: ['SCHEDULED'] } },
            next_scheduled_start_time: { before_: body.scheduled_before },
          },
        },
        'NEXT_SCHEDULED_START_TIME_ASC',
        toSlice(body),
        now,
      )
      await recordDeploymentsPolled(workspace, body.deployment_ids, now)
      return { status: 200, body: runs }
    },
  )
}

function toBulkResult(
  result: PromiseSettledResult<CreatedFlowRun>,
): z.infer<typeof bulkResult>['results'][number] {
  if (result.status === 'fulfilled') {
    return { flow_run_id: result.value.run.id, status: 'CREATED', error: null }
  }
  // What is not the request's fault fails the whole request, which may then be repeated.
  const fault = domainFault(result.reason)
  if (fault === undefined || fault.code === 'unavailable') {
    throw result.reason
  }
  return { flow_run_id: null, status: 'FAILED', error: fault.message }
}
