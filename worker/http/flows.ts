import * as z from 'zod'
import { flow, flowCreate, flowUpdate, type Flow, type FlowCreate } from '#core/wire/flow.ts'
import { flowsCount, flowsPage, flowsQuery, paged } from '#core/wire/query.ts'
import type { Micros } from '#core/time.ts'
import { DomainError } from '#domain/errors.ts'
import { flowEvent } from '#domain/flow-event.ts'
import * as flows from '#storage/flows.ts'
import type { Workspace } from '#storage/workspace.ts'
import { askedBy, objectContext } from '../operations/object-context.ts'
import { noteFlow, readFlow, readFlowByName } from '../operations/read-flow.ts'
import { jobsStub } from '../operations/stubs.ts'
import { emitLater } from './emit-later.ts'
import { endpoint, idParam, nameParam, type Api } from './endpoint.ts'
import { toPage, toSlice } from './page.ts'

const tag = 'Flows'

export function addFlowRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/flows/',
      tag,
      summary: 'Make a flow, or read the one of that name as it is',
      body: flowCreate,
      answers: { 200: flow, 201: flow },
      errors: [503],
      survivesOutage: true,
    },
    async (request) => {
      const { workspace, body, now } = request
      const { created, flow: made } = await getOrCreateFlow(workspace, body, now)
      if (!created) {
        return { status: 200, body: made }
      }
      emitLater(request, [flowEvent('created', made)])
      return { status: 201, body: made }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/flows/{id}',
      tag,
      summary: 'Read a flow',
      params: idParam,
      answers: { 200: flow },
      errors: [404, 503],
      survivesOutage: true,
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: (await readFlow(workspace, params.id)) ?? notFound(),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/flows/name/{name}',
      tag,
      summary: 'Read a flow by its name',
      params: nameParam,
      answers: { 200: flow },
      errors: [404],
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: (await flows.findFlowByName(workspace, params.name)) ?? notFound(),
    }),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/flows/{id}',
      tag,
      summary: 'Change a flow',
      params: idParam,
      body: flowUpdate,
      answers: { 204: null },
      errors: [404],
    },
    async (request) => {
      const { workspace, params, body, now } = request
      const changed = (await flows.updateFlow(workspace, params.id, body, now)) ?? notFound()
      emitLater(request, [flowEvent('updated', changed)])
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/flows/{id}',
      tag,
      summary: 'Delete a flow with its deployments and runs; the runs go after the answer',
      params: idParam,
      answers: { 204: null },
      errors: [404, 503],
    },
    async (request) => {
      const { workspace, params } = request
      const found = (await flows.findFlow(workspace, params.id)) ?? notFound()
      if (
        !(await jobsStub(workspace).deleteFlow(
          objectContext(workspace),
          found.id,
          askedBy(workspace),
        ))
      ) {
        return notFound()
      }
      emitLater(request, [flowEvent('deleted', found)])
      return { status: 204 }
    },
  )
  addFlowLists(api)
}

function addFlowLists(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/flows/filter',
      tag,
      summary: 'List flows',
      body: flowsQuery,
      bodyOptional: true,
      answers: { 200: z.array(flow) },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await flows.listFlows(workspace, body, body.sort ?? 'NAME_ASC', toSlice(body)),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flows/count',
      tag,
      summary: 'Count flows',
      body: flowsCount,
      bodyOptional: true,
      answers: { 200: z.int() },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await flows.countFlows(workspace, body),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flows/paginate',
      tag,
      summary: 'List flows by numbered pages',
      body: flowsPage,
      bodyOptional: true,
      answers: { 200: paged(flow) },
    },
    async ({ workspace, body }) => {
      const page = toPage(body)
      const [results, count] = await Promise.all([
        flows.listFlows(workspace, body, body.sort ?? 'NAME_ASC', page.slice),
        flows.countFlows(workspace, body),
      ])
      return { status: 200, body: page.answer(results, count) }
    },
  )
}

async function getOrCreateFlow(
  workspace: Workspace,
  body: FlowCreate,
  now: Micros,
): Promise<{ flow: Flow; created: boolean }> {
  const existing = await readFlowByName(workspace, body.name)
  if (existing !== undefined) {
    return { flow: existing, created: false }
  }
  const made = await flows.insertFlow(workspace, body, now)
  if (made !== undefined) {
    noteFlow(workspace, made)
    return { flow: made, created: true }
  }
  // Another request made it in between.
  const other = await flows.findFlowByName(workspace, body.name)
  if (other === undefined) {
    throw new DomainError('conflict', `Flow '${body.name}' was made and deleted meanwhile.`)
  }
  return { flow: other, created: false }
}

function notFound(): never {
  throw new DomainError('not_found', 'Flow not found')
}
