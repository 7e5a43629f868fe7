import * as z from 'zod'
import {
  concurrencyLimit,
  concurrencyLimitCreate,
  concurrencyLimitUpdate,
  globalConcurrencyLimit,
} from '#core/wire/concurrency-limit.ts'
import { isUuid } from '#core/uuid.ts'
import { concurrencyLimitsQuery } from '#core/wire/query.ts'
import { DomainError } from '#domain/errors.ts'
import * as limits from '../operations/concurrency-limits.ts'
import { emitterOf } from './emit-later.ts'
import { endpoint, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'

const tag = 'Concurrency limits'
/** A UUID in capitals is the same id. */
const limitParam = z.object({
  id_or_name: z.string().transform((text) => (isUuid(text) ? text.toLowerCase() : text)),
})

/** Limits themselves; their slots are in `concurrency-slots.ts`. */
export function addConcurrencyLimitRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/v2/concurrency_limits/',
      tag,
      summary: 'Create a limit of how many hold its slots at once, or take one per second',
      body: concurrencyLimitCreate,
      answers: { 201: concurrencyLimit },
      errors: [409],
    },
    async (request) => ({
      status: 201,
      body: limits.toConcurrencyLimit(
        await limits.createConcurrencyLimit(
          request.workspace,
          request.body,
          request.now,
          emitterOf(request),
        ),
      ),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/v2/concurrency_limits/filter',
      tag,
      summary: 'List limits by name, those of deployments too',
      body: concurrencyLimitsQuery,
      bodyOptional: true,
      answers: { 200: z.array(globalConcurrencyLimit) },
    },
    async ({ workspace, body, now }) => {
      const { offset, limit } = toSlice(body)
      const all = await limits.listConcurrencyLimits(workspace, now)
      return { status: 200, body: all.slice(offset, offset + limit) }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/v2/concurrency_limits/{id_or_name}',
      tag,
      summary: 'Read a limit by its id or its name',
      params: limitParam,
      answers: { 200: globalConcurrencyLimit },
      errors: [404],
    },
    async ({ workspace, params, now }) => ({
      status: 200,
      body:
        (await limits.readConcurrencyLimit(workspace, params.id_or_name, now)) ?? limitNotFound(),
    }),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/v2/concurrency_limits/{id_or_name}',
      tag,
      summary: 'Update a limit',
      params: limitParam,
      body: concurrencyLimitUpdate,
      answers: { 204: null },
      errors: [404, 409],
    },
    async (request) => {
      const { workspace, params, body, now } = request
      const emit = emitterOf(request)
      return (await limits.updateConcurrencyLimit(workspace, params.id_or_name, body, now, emit))
        ? { status: 204 }
        : limitNotFound()
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/v2/concurrency_limits/{id_or_name}',
      tag,
      summary: 'Delete a limit; leases on it hold nothing any more',
      params: limitParam,
      answers: { 204: null },
      errors: [404],
    },
    async (request) => {
      const { workspace, params, now } = request
      const emit = emitterOf(request)
      return (await limits.deleteConcurrencyLimit(workspace, params.id_or_name, now, emit))
        ? { status: 204 }
        : limitNotFound()
    },
  )
}

function limitNotFound(): never {
  throw new DomainError('not_found', 'Concurrency Limit not found')
}
