import { expect, test } from 'vitest'
import { call } from '../support/call.ts'
import { aWorkspace } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

test('a queue that names no pool goes to the pool of such queues', async () => {
  const { client, key } = await aWorkspace()
  const created = await call(key, 'POST', '/work_queues/', { name: 'solo' })
  expect(created).toMatchObject({
    status: 201,
    body: { name: 'solo', work_pool_name: 'default-agent-pool', priority: 2 },
  })
  expect(await client.readWorkPool('default-agent-pool')).toMatchObject({
    type: 'prefect-agent',
    status: null,
  })
  expect((await call(key, 'POST', '/work_queues/', { name: 'solo' })).status).toBe(409)
  expect((await call(key, 'POST', '/work_queues/', { name: 'default' })).status).toBe(409)
})

test('the first such queue may be the default one of its pool', async () => {
  const { key } = await aWorkspace()
  expect(await call(key, 'POST', '/work_queues/', { name: 'default' })).toMatchObject({
    status: 201,
    body: { name: 'default', priority: 1 },
  })
})

test('by its name alone a queue of that pool is found before others', async () => {
  const { client, key } = await aWorkspace()
  await client.createWorkPool({ name: 'p', type: 'process' })
  await client.createWorkQueue('p', { name: 'twice', priority: 1 })
  expect(await call(key, 'GET', '/work_queues/name/twice')).toMatchObject({
    body: { work_pool_name: 'p' },
  })
  await call(key, 'POST', '/work_queues/', { name: 'twice' })
  expect(await call(key, 'GET', '/work_queues/name/twice')).toMatchObject({
    body: { work_pool_name: 'default-agent-pool' },
  })
})

test('the runs that wait in a queue, and its health', async () => {
  const { client, key } = await aWorkspace()
  await client.createWorkPool({ name: 'p', type: 'process' })
  const queue = await client.createWorkQueue('p', { name: 'q' })
  const flow = await client.createFlow({ name: 'f' })
  const body = { name: 'd', flow_id: flow.id, work_pool_name: 'p', work_queue_name: 'q' }
  const deployment = await client.createDeployment(body)
  const run = await client.createFlowRunFromDeployment(deployment.id, {})
  const policy = { maximum_late_runs: 0, maximum_seconds_since_last_polled: 60 }
  expect(await call(key, 'GET', `/work_queues/${queue.id}/status`)).toEqual({
    status: 200,
    body: { healthy: false, late_runs_count: 0, last_polled: null, health_check_policy: policy },
  })
  const path = `/work_queues/${queue.id}/get_runs`
  expect(await call(key, 'POST', path)).toMatchObject({
    status: 200,
    body: [{ id: run.id, state: { type: 'SCHEDULED' } }],
  })
  expect(await call(key, 'POST', path, { limit: 0 })).toMatchObject({ status: 200, body: [] })
  await expect
    .poll(async () => (await call(key, 'GET', `/work_queues/${queue.id}/status`)).body)
    .toMatchObject({ healthy: true, last_polled: expect.any(String) as string })
})

test.each([
  ['GET', `/work_queues/${NOWHERE}/status`, undefined, 404],
  ['POST', `/work_queues/${NOWHERE}/get_runs`, undefined, 404],
  ['POST', `/work_queues/${NOWHERE}/get_runs`, { limit: 201 }, 422],
  ['POST', '/work_queues/', { name: 'a/b' }, 422],
] as const)('%s %s with %j is refused with %i', async (method, path, body, status) => {
  const { key } = await aWorkspace()
  expect((await call(key, method, path, body)).status).toBe(status)
})
