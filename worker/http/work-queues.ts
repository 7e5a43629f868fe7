import * as z from 'zod'
import type { Micros } from '#core/time.ts'
import { workQueuesQuery } from '#core/wire/query.ts'
import { workQueue, workQueueCreate, workQueueUpdate } from '#core/wire/work-queue.ts'
import { DomainError } from '#domain/errors.ts'
import {
  findWorkQueue,
  findWorkQueueByName,
  listWorkQueues,
  type StoredWorkQueue,
} from '#storage/work-queues.ts'
import type { Workspace } from '#storage/workspace.ts'
import { getWorkPoolKey } from '../operations/change-work-pool.ts'
import {
  createWorkQueue,
  deleteWorkQueue,
  LONE_POOL,
  updateWorkQueue,
} from '../operations/change-work-queue.ts'
import { endpoint, idParam, nameParam, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'

const tag = 'Work queues'
const poolParam = z.object({ work_pool_name: z.string() })
const queueParam = z.object({ work_pool_name: z.string(), name: z.string() })
type QueueParam = z.infer<typeof queueParam>

export function addWorkQueueRoutes(api: Api): void {
  addRoutesOfPool(api)
  addRoutesById(api)
}

function addRoutesOfPool(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/{work_pool_name}/queues',
      tag,
      summary: 'Create a work queue in a pool',
      params: poolParam,
      body: workQueueCreate,
      answers: { 201: workQueue },
      errors: [404, 409],
    },
    async ({ workspace, params, body, now }) => ({
      status: 201,
      body: await createWorkQueue(workspace, params.work_pool_name, body, now),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/{work_pool_name}/queues/filter',
      tag,
      summary: "List a pool's queues, the most urgent first",
      params: poolParam,
      body: workQueuesQuery,
      bodyOptional: true,
      tellsPresence: true,
      answers: { 200: z.array(workQueue) },
      errors: [404],
    },
    async ({ workspace, params, body, now }) => {
      const pool = await getWorkPoolKey(workspace, params.work_pool_name)
      const filters = { ...body, work_pool_id: pool.id }
      return { status: 200, body: await listWorkQueues(workspace, filters, toSlice(body), now) }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/work_pools/{work_pool_name}/queues/{name}',
      tag,
      summary: 'Read a work queue of a pool',
      params: queueParam,
      tellsPresence: true,
      answers: { 200: workQueue },
      errors: [404],
    },
    async ({ workspace, params, now }) => ({
      status: 200,
      body: (await getQueueOfPool(workspace, params, now)).queue,
    }),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/work_pools/{work_pool_name}/queues/{name}',
      tag,
      summary: 'Update a work queue of a pool',
      params: queueParam,
      body: workQueueUpdate,
      answers: { 204: null },
      errors: [404, 409],
    },
    async ({ workspace, params, body, now }) => {
      await updateWorkQueue(workspace, () => getQueueOfPool(workspace, params, now), body, now)
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/work_pools/{work_pool_name}/queues/{name}',
      tag,
      summary: 'Delete a work queue of a pool',
      params: queueParam,
      answers: { 204: null },
      errors: [404, 409],
    },
    async ({ workspace, params, now }) => {
      await deleteWorkQueue(workspace, () => getQueueOfPool(workspace, params, now), now)
      return { status: 204 }
    },
  )
}

function addRoutesById(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_queues/filter',
      tag,
      summary: 'List the queues of all pools',
      body: workQueuesQuery,
      bodyOptional: true,
      tellsPresence: true,
      answers: { 200: z.array(workQueue) },
    },
    async ({ workspace, body, now }) => ({
      status: 200,
      body: await listWorkQueues(workspace, body, toSlice(body), now, 'name'),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/work_queues/name/{name}',
      tag,
      summary:
        'Read the work queue with that name: of `default-agent-pool`, else the most urgent of all pools',
      params: nameParam,
      tellsPresence: true,
      answers: { 200: workQueue },
      errors: [404],
    },
    async ({ workspace, params, now }) => {
      const lone = await findWorkQueueByName(workspace, LONE_POOL, params.name, now)
      const filter = { work_queues: { name: { any_: [params.name] } } }
      const found =
        lone?.queue ?? (await listWorkQueues(workspace, filter, { limit: 1, offset: 0 }, now)).at(0)
      if (found === undefined) {
        throw new DomainError('not_found', 'work queue not found')
      }
      return { status: 200, body: found }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/work_queues/{id}',
      tag,
      summary: 'Read a work queue',
      params: idParam,
      tellsPresence: true,
      answers: { 200: workQueue },
      errors: [404],
    },
    async ({ workspace, params, now }) => ({
      status: 200,
      body: (await getQueue(workspace, params.id, now)).queue,
    }),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/work_queues/{id}',
      tag,
      summary: 'Update a work queue',
      params: idParam,
      body: workQueueUpdate,
      answers: { 204: null },
      errors: [404, 409],
    },
    async ({ workspace, params, body, now }) => {
      await updateWorkQueue(workspace, () => getQueue(workspace, params.id, now), body, now)
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/work_queues/{id}',
      tag,
      summary: 'Delete a work queue',
      params: idParam,
      answers: { 204: null },
      errors: [404, 409],
    },
    async ({ workspace, params, now }) => {
      await deleteWorkQueue(workspace, () => getQueue(workspace, params.id, now), now)
      return { status: 204 }
    },
  )
}

async function getQueueOfPool(
  workspace: Workspace,
  params: QueueParam,
  now: Micros,
): Promise<StoredWorkQueue> {
  const { work_pool_name: pool, name } = params
  const found = await findWorkQueueByName(workspace, pool, name, now)
  if (found === undefined) {
    // Tells a pool that is not there from a queue that is not.
    await getWorkPoolKey(workspace, pool)
    throw new DomainError('not_found', `Work pool queue '${pool}/${name}' not found.`)
  }
  return found
}

async function getQueue(workspace: Workspace, id: string, now: Micros): Promise<StoredWorkQueue> {
  const found = await findWorkQueue(workspace, id.toLowerCase(), now)
  if (found === undefined) {
    throw new DomainError('not_found', 'work queue not found')
  }
  return found
}
