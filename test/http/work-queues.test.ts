import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import { call, faults } from '../support/call.ts'
import { aDeployment, aFlow } from '../support/builders.ts'
import { aWorkspace } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function ranks(client: Client, pool: string): Promise<Record<string, number>> {
  const queues = await client.filterWorkQueues(pool)
  return Object.fromEntries(queues.map((queue) => [queue.name, queue.priority]))
}

async function aPool() {
  const made = await aWorkspace()
  await made.client.createWorkPool({ name: 'p', type: 'process' })
  return made
}

test('a queue takes the first free priority, or the one it asks for', async () => {
  const { client } = await aPool()
  const low = await client.createWorkQueue('p', { name: 'low' })
  expect(low).toMatchObject({
    name: 'low',
    priority: 2,
    description: '',
    is_paused: false,
    concurrency_limit: null,
    status: 'NOT_READY',
    last_polled: null,
    work_pool_name: 'p',
  })
  const high = await client.createWorkQueue('p', { name: 'high ü.1', priority: 1 })
  expect(await client.readWorkQueue('p', 'high ü.1')).toEqual(high)
  expect(await ranks(client, 'p')).toEqual({ 'high ü.1': 1, default: 2, low: 3 })
  await client.updateWorkQueue('p', 'low', { priority: 1 })
  expect(await ranks(client, 'p')).toEqual({ low: 1, 'high ü.1': 2, default: 3 })
})

test('queues made at once get different priorities', async () => {
  const { client } = await aPool()
  await Promise.all(['a', 'b', 'c', 'd'].map((name) => client.createWorkQueue('p', { name })))
  const priorities = Object.values(await ranks(client, 'p'))
  expect(priorities.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5])
})

test('a queue is changed by its name and by its id', async () => {
  const { client, key } = await aPool()
  const queue = await client.createWorkQueue('p', { name: 'q' })
  await client.updateWorkQueue('p', 'q', { is_paused: true, concurrency_limit: 4 })
  const path = `/work_queues/${queue.id.toUpperCase()}`
  expect(await call(key, 'GET', path)).toMatchObject({
    status: 200,
    body: { status: 'PAUSED', concurrency_limit: 4, active_slots: 0 },
  })
  const polled = new Date().toISOString()
  const change = { is_paused: false, concurrency_limit: null, name: 'r', last_polled: polled }
  expect(await call(key, 'PATCH', path, change)).toEqual({ status: 204, body: undefined })
  expect(await client.readWorkQueue('p', 'r')).toMatchObject({
    id: queue.id,
    status: 'READY',
    concurrency_limit: null,
  })
  expect(await call(key, 'GET', '/work_queues/name/r')).toMatchObject({ body: { id: queue.id } })
  expect(await call(key, 'DELETE', path)).toEqual({ status: 204, body: undefined })
  expect(await call(key, 'GET', path)).toEqual({
    status: 404,
    body: { detail: 'work queue not found' },
  })
})

test('the queues of all pools are listed by filter', async () => {
  const { client, key } = await aPool()
  await client.createWorkPool({ name: 'o', type: 'process' })
  await client.createWorkQueue('o', { name: 'extra' })
  const list = async (body: unknown) => {
    const answer = await call(key, 'POST', '/work_queues/filter', body)
    return (answer.body as { name: string }[]).map((queue) => queue.name)
  }
  expect(await list(undefined)).toEqual(['default', 'default', 'extra'])
  expect(await list({ work_queues: { name: { startswith_: ['ex'] } } })).toEqual(['extra'])
  expect(await list({ work_queues: { id: { any_: [] } } })).toEqual([])
  expect(await list({ limit: 1, offset: 2 })).toEqual(['extra'])
})

test('the default queue stays; deployments of a deleted queue lose it', async () => {
  const { client, workspace } = await aPool()
  await expect(client.deleteWorkQueue('p', 'default')).rejects.toMatchObject({ status: 409 })
  const queue = await client.createWorkQueue('p', { name: 'q' })
  const flow = await aFlow(workspace)
  const deployment = await aDeployment(workspace, { flow_id: flow.id, work_queue_id: queue.id })
  await client.deleteWorkQueue('p', 'q')
  expect(await client.readDeployment(deployment.id)).toMatchObject({
    work_queue_id: null,
    work_queue_name: null,
  })
})

test.for<[string, string, unknown, number, unknown]>([
  ['POST', '/work_pools/p/queues', {}, 422, ['body', 'name']],
  ['POST', '/work_pools/p/queues', { name: 'a', priority: 0 }, 422, ['body', 'priority']],
  ['POST', '/work_pools/p/queues', { name: 'a%b' }, 422, ['body', 'name']],
  ['POST', '/work_pools/p/queues', { name: 'default' }, 409, undefined],
  ['POST', '/work_pools/none/queues', { name: 'a' }, 404, undefined],
  ['POST', '/work_pools/none/queues/filter', {}, 404, undefined],
  ['POST', '/work_pools/p/queues/filter', { limit: 201 }, 422, ['body', 'limit']],
  ['GET', '/work_pools/none/queues/default', undefined, 404, undefined],
  ['GET', '/work_pools/p/queues/none', undefined, 404, undefined],
  ['PATCH', '/work_pools/p/queues/none', { is_paused: true }, 404, undefined],
  ['PATCH', '/work_pools/p/queues/q', { name: 'default' }, 409, undefined],
  ['PATCH', '/work_pools/p/queues/q', { paused: true }, 422, ['body', 'paused']],
  ['DELETE', '/work_pools/p/queues/none', undefined, 404, undefined],
  ['GET', `/work_queues/${NOWHERE}`, undefined, 404, undefined],
  ['GET', '/work_queues/not-an-id', undefined, 404, undefined],
  ['GET', '/work_queues/name/none', undefined, 404, undefined],
  ['PATCH', `/work_queues/${NOWHERE}`, { is_paused: true }, 404, undefined],
  ['DELETE', `/work_queues/${NOWHERE}`, undefined, 404, undefined],
])('%s %s %j is a %i', async ([method, path, body, status, location]) => {
  const { client, key } = await aPool()
  await client.createWorkQueue('p', { name: 'q' })
  const answer = await call(key, method, path, body)
  expect(answer.status).toBe(status)
  expect(faults(answer.body)).toEqual(location === undefined ? 'detail' : [location])
  expect(await ranks(client, 'p')).toEqual({ default: 1, q: 2 })
})
