import * as bulk from '#core/wire/bulk.ts'
import type { Micros } from '#core/time.ts'
import { DomainError } from '#domain/errors.ts'
import { checkStateSize } from '#domain/json-size.ts'
import { flowEvent } from '#domain/flow-event.ts'
import { listDeployments } from '#storage/deployments.ts'
import { listFlowRunIds } from '#storage/flow-runs.ts'
import { listFlows } from '#storage/flows.ts'
import type { Workspace } from '#storage/workspace.ts'
import { deleteDeployment } from '../operations/change-deployment.ts'
import { deleteFlowRuns, proposeStates } from '../operations/change-flow-runs.ts'
import { askedBy, objectContext } from '../operations/object-context.ts'
import { jobsStub } from '../operations/stubs.ts'
import { emitLater } from './emit-later.ts'
import { endpoint, type Api } from './endpoint.ts'

/** Changes of what a filter chooses, in one request. */
export function addBulkRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/bulk_delete',
      tag: 'Flow runs',
      summary: 'Delete the flow runs that a filter chooses, 50 at most',
      body: bulk.flowRunsBulkDelete,
      bodyOptional: true,
      answers: { 200: bulk.bulkDeleted },
      errors: [503],
    },
    async ({ workspace, body }) => {
      const { flow_runs = null, limit = bulk.MAX_BULK } = body
      const ids = await listFlowRunIds(workspace, { flow_runs }, limit)
      return { status: 200, body: { deleted: await deleteFlowRuns(workspace, ids, flow_runs) } }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/bulk_set_state',
      tag: 'Flow runs',
      summary: 'Propose a state to the flow runs that a filter chooses, 50 at most',
      body: bulk.flowRunsBulkSetState,
      answers: { 200: bulk.flowRunsBulkStates },
      errors: [503],
    },
    async ({ workspace, caller, body }) => {
      const { flow_runs = null, limit = bulk.MAX_BULK, state, force } = body
      checkStateSize(state, ['state'])
      const ids = await listFlowRunIds(workspace, { flow_runs }, limit)
      const request = { state, ...(force === undefined ? {} : { force }) }
      const results = await proposeStates(workspace, ids, flow_runs, request, caller)
      return {
        status: 200,
        body: { results: results.map(({ id, result }) => ({ flow_run_id: id, ...result })) },
      }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/bulk_delete',
      tag: 'Deployments',
      summary: 'Delete the deployments that a filter chooses, 50 at most',
      body: bulk.deploymentsBulkDelete,
      bodyOptional: true,
      answers: { 200: bulk.bulkDeleted },
      errors: [503],
    },
    async ({ workspace, body, now }) => {
      const { deployments = null, limit = bulk.MAX_BULK } = body
      const slice = { limit, offset: 0 }
      const chosen = await listDeployments(workspace, { deployments }, 'NAME_ASC', slice, now)
      const ids = chosen.map(({ id }) => id)
      const removed = await Promise.all(ids.map((id) => removeDeployment(workspace, id, now)))
      return { status: 200, body: { deleted: ids.filter((_id, index) => removed[index]) } }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flows/bulk_delete',
      tag: 'Flows',
      summary:
        'Delete the flows that a filter chooses, 50 at most, with their deployments and runs',
      body: bulk.flowsBulkDelete,
      bodyOptional: true,
      answers: { 200: bulk.bulkDeleted },
      errors: [503],
    },
    async (request) => {
      const { workspace, body } = request
      const { flows = null, limit = bulk.MAX_BULK } = body
      const chosen = await listFlows(workspace, { flows }, 'NAME_ASC', { limit, offset: 0 })
      const context = objectContext(workspace)
      const removed = await Promise.all(
        chosen.map(({ id }) => jobsStub(workspace).deleteFlow(context, id, askedBy(workspace))),
      )
      const deleted = chosen.filter((_flow, index) => removed[index])
      emitLater(
        request,
        deleted.map((flow) => flowEvent('deleted', flow)),
      )
      return { status: 200, body: { deleted: deleted.map(({ id }) => id) } }
    },
  )
}

/** @returns false when somebody else was faster */
async function removeDeployment(workspace: Workspace, id: string, now: Micros): Promise<boolean> {
  try {
    await deleteDeployment(workspace, id, now)
    return true
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') {
      return false
    }
    throw error
  }
}
