import { expect, test } from 'vitest'
import { call } from '../support/call.ts'
import { aWorkspace } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

/** A pool with a run that holds a slot of the queue `busy`, and one that waits in it. */
async function aBusyPool() {
  const made = await aWorkspace()
  const { client } = made
  const pool = await client.createWorkPool({ name: 'p', type: 'process', concurrency_limit: 5 })
  const busy = await client.createWorkQueue('p', { name: 'busy', concurrency_limit: 2 })
  const flow = await client.createFlow({ name: 'f' })
  const body = { name: 'd', flow_id: flow.id, work_pool_name: 'p', work_queue_name: 'busy' }
  const deployment = await client.createDeployment(body)
  const [holder] = await Promise.all([
    client.createFlowRunFromDeployment(deployment.id, {}),
    client.createFlowRunFromDeployment(deployment.id, {}),
  ])
  await client.setFlowRunState(holder.id, { type: 'PENDING' })
  return { ...made, pool, busy, holder }
}

test('a pool shows who holds its slots, queue by queue', async () => {
  const { client, key, busy, holder } = await aBusyPool()
  await expect
    .poll(async () => (await call(key, 'POST', '/work_pools/p/concurrency_status')).body)
    .toMatchObject({ active_slots: 1 })
  const { status, body } = await call(key, 'POST', '/work_pools/p/concurrency_status', {
    flow_run_limit: 5,
  })
  const [idle] = await client.filterWorkQueues('p')
  expect({ status, body }).toEqual({
    status: 200,
    body: {
      active_slots: 1,
      concurrency_limit: 5,
      count: 2,
      limit: 200,
      pages: 1,
      page: 1,
      queues: [
        {
          queue_id: idle?.id,
          queue_name: 'default',
          active_slots: 0,
          concurrency_limit: null,
          flow_run_count: 0,
          flow_runs: [],
        },
        {
          queue_id: busy.id,
          queue_name: 'busy',
          active_slots: 1,
          concurrency_limit: 2,
          flow_run_count: 1,
          flow_runs: [
            expect.objectContaining({
              id: holder.id,
              name: holder.name,
              state_type: 'PENDING',
              state_name: 'Pending',
              start_time: null,
              time_in_current_state: expect.any(Number) as number,
            }),
          ],
        },
      ],
    },
  })
  const short = await call(key, 'POST', '/work_pools/p/concurrency_status', {
    limit: 1,
    page: 2,
    flow_run_limit: 0,
  })
  expect(short.body).toMatchObject({
    active_slots: 1,
    count: 2,
    pages: 2,
    page: 2,
    queues: [{ queue_name: 'busy', active_slots: 1, flow_runs: [] }],
  })
})

test('a queue shows who holds its slots', async () => {
  const { key, busy, holder } = await aBusyPool()
  const path = `/work_queues/${busy.id}/concurrency_status`
  await expect
    .poll(async () => (await call(key, 'POST', path, { limit: 3 })).body)
    .toMatchObject({
      active_slots: 1,
      concurrency_limit: 2,
      count: 1,
      limit: 3,
      pages: 1,
      flow_runs: [{ id: holder.id }],
    })
})

test.each([
  ['POST', '/work_pools/nowhere/concurrency_status', undefined, 404],
  ['POST', `/work_queues/${NOWHERE}/concurrency_status`, undefined, 404],
  ['POST', '/work_pools/p/concurrency_status', { page: 0 }, 422],
  ['POST', '/work_pools/p/concurrency_status', { flow_run_limit: 201 }, 422],
  ['POST', '/work_pools/p/concurrency_status', { unknown: 1 }, 422],
] as const)('%s %s with %j is refused with %i', async (method, path, body, status) => {
  const { client, key } = await aWorkspace()
  await client.createWorkPool({ name: 'p', type: 'process' })
  expect((await call(key, method, path, body)).status).toBe(status)
})
