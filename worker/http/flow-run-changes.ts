import * as z from 'zod'
import { labels, uuid } from '#core/wire/common.ts'
import {
  flowRun,
  flowRunCreate,
  flowRunUpdate,
  resumeFlowRun as resumeBody,
} from '#core/wire/flow-run.ts'
import { orchestrationResult, setState, state, type OrchestrationResult } from '#core/wire/state.ts'
import { why } from '#core/wire/why.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import { DomainError } from '#domain/errors.ts'
import { checkJsonSize, checkStateSize } from '#domain/json-size.ts'
import { renewsLeases } from '#domain/slot-lease.ts'
import { checkNewJobVariables } from '../operations/check-job-variables.ts'
import { createFlowRun } from '../operations/create-flow-run.ts'
import { deleteFlowRun } from '../operations/delete-flow-run.ts'
import { explainFlowRun } from '../operations/explain-flow-run.ts'
import { flowRunHome, flowRunNotFound } from '../operations/flow-run-home.ts'
import { askedBy } from '../operations/object-context.ts'
import { readFlowRun, readFlowRunState, readFlowRunStates } from '../operations/read-flow-run.ts'
import { resumeFlowRun } from '../operations/resume-flow-run.ts'
import type { Caller } from './auth.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { requireTasksWithin } from './run-reach.ts'

const tag = 'Flow runs'

/** What concerns one flow run; lists stand in flow-run-lists.ts. */
export function addFlowRunChangeRoutes(api: Api): void {
  addRunRoutes(api)
  addStateRoutes(api)
}

function addRunRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/',
      tag,
      summary: 'Create a flow run; the existing one is answered for a known idempotency key',
      body: flowRunCreate,
      answers: { 200: flowRun, 201: flowRun },
      errors: [402, 404],
      survivesOutage: true,
    },
    async (request) => {
      const { workspace, caller, body, now } = request
      await requireTasksWithin(request, [body.parent_task_run_id])
      const { run, created } = await createFlowRun(workspace, caller, body, now)
      return { status: created ? 201 : 200, body: run }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/flow_runs/{id}',
      tag,
      summary: 'Read a flow run',
      params: idParam,
      answers: { 200: flowRun },
      errors: [404, 503],
      survivesOutage: true,
    },
    async ({ workspace, params, now }) => ({
      status: 200,
      body: await readFlowRun(workspace, params.id, now),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/flow_runs/{id}/why',
      tag,
      summary: 'Why a flow run is waiting, and what would let it go on',
      params: idParam,
      answers: { 200: why },
      errors: [404, 503],
      survivesOutage: true,
    },
    async ({ workspace, params, now }) => ({
      status: 200,
      body: await explainFlowRun(workspace, params.id, now),
    }),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/flow_runs/{id}',
      tag,
      summary: 'Update a flow run',
      params: idParam,
      body: flowRunUpdate,
      answers: { 204: null },
      errors: [400, 404],
      survivesOutage: true,
    },
    async ({ workspace, params, body, now }) => {
      checkJsonSize(body.parameters, ['parameters'])
      checkJsonSize(body.job_variables, ['job_variables'])
      if (body.job_variables) {
        await checkNewJobVariables(workspace, params.id, body.job_variables, now)
      }
      const home = await flowRunHome(workspace, params.id)
      const result = await home.stub.updateFlowRun(home.context, params.id, body)
      if (result === null) {
        throw flowRunNotFound()
      }
      if (result !== true) {
        throw new DomainError('bad_request', result)
      }
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/flow_runs/{id}/labels',
      tag,
      summary: "Add to a flow run's labels",
      params: idParam,
      body: labels,
      answers: { 204: null },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, params, body }) => {
      const home = await flowRunHome(workspace, params.id)
      if ((await home.stub.updateFlowRun(home.context, params.id, { labels: body })) === null) {
        throw flowRunNotFound()
      }
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/flow_runs/{id}',
      tag,
      summary: 'Delete a flow run with its logs',
      params: idParam,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params }) => {
      await deleteFlowRun(workspace, params.id)
      return { status: 204 }
    },
  )
}

function addStateRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/{id}/set_state',
      tag,
      summary: 'Propose a state; 201 when one was written',
      params: idParam,
      body: setState,
      answers: { 200: orchestrationResult, 201: orchestrationResult },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, caller, params, body, now, context }) => {
      checkStateSize(body.state, ['state'])
      const home = await flowRunHome(workspace, params.id)
      const result = await home.stub.proposeState(
        home.context,
        params.id,
        body,
        caller,
        waitsForStore(caller),
        renewsLeases(context.req.header('User-Agent')),
        askedBy(workspace),
      )
      if (result === null) {
        throw flowRunNotFound()
      }
      return answer(result, now)
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/{id}/resume',
      tag,
      summary: 'Resume a paused or suspended flow run',
      params: idParam,
      body: resumeBody,
      bodyOptional: true,
      answers: { 200: orchestrationResult, 201: orchestrationResult },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, params, body, now }) =>
      answer(await resumeFlowRun(workspace, params.id, body.run_input ?? {}), now),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/flow_run_states/',
      tag,
      summary: "List a flow run's states, oldest first",
      query: z.object({ flow_run_id: uuid }),
      answers: { 200: z.array(state) },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, query }) => ({
      status: 200,
      body: await readFlowRunStates(workspace, query.flow_run_id),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/flow_run_states/{id}',
      tag,
      summary: 'Read one state of some flow run',
      params: idParam,
      answers: { 200: state },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: await readFlowRunState(workspace, params.id),
    }),
  )
}

/** Who reads lists next is a person or a program with a key; a run's own code only wants to go on. */
function waitsForStore(caller: Caller): boolean {
  return caller.kind !== 'run'
}

/** As in Prefect: 201 when the state is newer than the request. */
function answer(
  result: OrchestrationResult,
  now: Micros,
): { status: 200 | 201; body: OrchestrationResult } {
  const written = result.state !== null && result.state.timestamp >= formatTimestamp(now)
  return { status: written ? 201 : 200, body: result }
}
