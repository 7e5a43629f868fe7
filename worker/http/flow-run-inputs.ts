import * as z from 'zod'
import { uuid } from '#core/wire/common.ts'
import { flowRunInput, flowRunInputCreate, flowRunInputsQuery } from '#core/wire/flow-run-input.ts'
import { DomainError } from '#domain/errors.ts'
import { findFlowRunHome, flowRunHome, flowRunNotFound } from '../operations/flow-run-home.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

const tag = 'Flow runs'
const keyParam = z.object({ id: uuid, key: z.string() })

/** What is sent to a run while it runs or is paused. Its home keeps it, so that it comes with the state in which it is read. */
export function addFlowRunInputRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/{id}/input',
      tag,
      summary: 'Send a flow run an input',
      params: idParam,
      body: flowRunInputCreate,
      answers: { 201: z.null() },
      errors: [404, 409],
    },
    async ({ workspace, params, body }) => {
      const home = await flowRunHome(workspace, params.id)
      const created = await home.stub.createInput(home.context, params.id, body)
      if (created === null) {
        throw flowRunNotFound()
      }
      if (!created) {
        throw new DomainError('conflict', 'A flow run input with this key already exists.')
      }
      return { status: 201, body: null }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/{id}/input/filter',
      tag,
      summary: "List a flow run's inputs, the oldest first",
      params: idParam,
      body: flowRunInputsQuery,
      answers: { 200: z.array(flowRunInput) },
    },
    async ({ workspace, params, body }) => {
      const home = await findFlowRunHome(workspace, params.id)
      const inputs = await home?.stub.listInputs(home.context, params.id, body)
      return { status: 200, body: inputs ?? [] }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/flow_runs/{id}/input/{key}',
      tag,
      summary: 'Read an input of a flow run, as text',
      params: keyParam,
      answers: { 200: z.string() },
      media: ['text/plain'],
      errors: [404],
    },
    async ({ workspace, params }) => {
      const home = await findFlowRunHome(workspace, params.id)
      const value = (await home?.stub.findInput(home.context, params.id, params.key)) ?? notFound()
      return {
        response: new Response(value, {
          headers: {
            'Content-Type': 'text/plain; charset=utf-8',
            'X-Content-Type-Options': 'nosniff',
          },
        }),
      }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/flow_runs/{id}/input/{key}',
      tag,
      summary: 'Delete an input of a flow run',
      params: keyParam,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params }) => {
      const home = await findFlowRunHome(workspace, params.id)
      const removed = await home?.stub.removeInput(home.context, params.id, params.key)
      return removed === true ? { status: 204 } : notFound()
    },
  )
}

function notFound(): never {
  throw new DomainError('not_found', 'Flow run input not found')
}
