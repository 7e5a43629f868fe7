import * as z from 'zod'
import {
  decrementSlots,
  incrementSlots,
  incrementSlotsWithLease,
  limitsWithLease,
  minimalConcurrencyLimit,
  releaseLease,
  renewLease,
} from '#core/wire/concurrency-limit.ts'
import { isUuid } from '#core/uuid.ts'
import { problem } from '#core/wire/problem.ts'
import type { Micros } from '#core/time.ts'
import { DomainError } from '#domain/errors.ts'
import type { Workspace } from '#storage/workspace.ts'
import * as slots from '../operations/concurrency-slots.ts'
import { endpoint, type Api } from './endpoint.ts'

const tag = 'Concurrency limits'

/** Slots of limits: taken, kept and given back by running code, also while D1 is away. */
export function addConcurrencySlotRoutes(api: Api): void {
  addAcquiringRoutes(api)
  addReleasingRoutes(api)
}

function addAcquiringRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/v2/concurrency_limits/increment',
      tag,
      summary: 'Take slots of all these limits, or of none: 423 says when to ask again',
      body: incrementSlots,
      answers: { 200: z.array(minimalConcurrencyLimit), 423: problem },
      survivesOutage: true,
    },
    async ({ workspace, body, now }) => {
      const { names, slots: count, mode } = body
      const acquired = await acquire(workspace, { names, slots: count, mode }, now)
      return 'retry_after' in acquired ? locked(acquired) : { status: 200, body: acquired.limits }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/v2/concurrency_limits/increment-with-lease',
      tag,
      summary:
        'The same under a lease, whose end frees the slots; names without a limit cost nothing',
      body: incrementSlotsWithLease,
      answers: { 200: limitsWithLease, 423: problem },
      survivesOutage: true,
    },
    async ({ workspace, body, now }) => {
      const { names, slots: count, mode, lease_duration: seconds, holder } = body
      const lease = { seconds, holder: holder ?? null }
      const acquired = await acquire(workspace, { names, slots: count, mode, lease }, now)
      if ('retry_after' in acquired) {
        return locked(acquired)
      }
      const { lease_id, limits } = acquired
      return { status: 200, body: { lease_id, limits } }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/v2/concurrency_limits/leases/{lease_id}/renew',
      tag,
      summary: 'Renew a lease; 410 when it has ended',
      params: z.object({ lease_id: z.string() }),
      body: renewLease,
      bodyOptional: true,
      answers: { 204: null, 410: problem },
      survivesOutage: true,
    },
    async ({ workspace, params, body, now }) => {
      const id = params.lease_id.toLowerCase()
      if (!isUuid(id)) {
        throw new DomainError('invalid', 'Input should be a valid UUID', { field: ['lease_id'] })
      }
      return (await slots.renewLease(workspace, id, body.lease_duration, now))
        ? { status: 204 }
        : { status: 410, body: { detail: 'The lease is gone: it has expired or was released.' } }
    },
  )
}

function addReleasingRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/v2/concurrency_limits/decrement',
      tag,
      summary: 'Give back slots that were taken without a lease',
      body: decrementSlots,
      answers: { 200: z.array(minimalConcurrencyLimit) },
      survivesOutage: true,
    },
    async ({ workspace, body, now }) => ({
      status: 200,
      body: await slots.decrementSlots(
        workspace,
        body.names,
        body.slots,
        body.occupancy_seconds ?? null,
        now,
      ),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/v2/concurrency_limits/decrement-with-lease',
      tag,
      summary: 'End a lease; one that is gone is no error',
      body: releaseLease,
      answers: { 204: null },
      survivesOutage: true,
    },
    async ({ workspace, body, now }) => {
      await slots.releaseLease(workspace, body.lease_id, now)
      return { status: 204 }
    },
  )
}

/** Slots, or when to ask again. Throws what asking again would not change. */
async function acquire(workspace: Workspace, request: slots.SlotRequest, now: Micros) {
  const acquired = await slots.acquireSlots(workspace, request, now)
  switch (acquired.kind) {
    case 'more_than_limit':
      throw new DomainError('invalid', 'Slots requested is greater than the limit', {
        field: ['slots'],
      })
    case 'no_decay':
      throw new DomainError(
        'invalid',
        `A rate limit needs slots that decay, which these do not: ${acquired.names.join(', ')}`,
        { field: ['mode'] },
      )
    default:
      return acquired
  }
}

function locked({ retry_after }: { retry_after: number }) {
  return {
    status: 423 as const,
    body: { detail: 'All slots are taken.' },
    headers: { 'Retry-After': String(retry_after) },
  }
}
