import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { aWorkspace } from '../support/workspace.ts'

/** What was told of a thing, in the order in which it happened. */
async function toldOf(client: Client, id: string, count: number): Promise<ReceivedEvent[]> {
  const filter = { resource: { id: [id] }, order: 'ASC' as const }
  await expect.poll(async () => (await client.filterEvents({ filter })).total).toBe(count)
  return (await client.filterEvents({ filter })).events
}

test('a pool, its queues and a deployment tell what becomes of them', async () => {
  const { client } = await aWorkspace()
  const pool = await client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' })
  const queue = await client.createWorkQueue(pool.name, { name: 'urgent', priority: 1 })
  const flow = await client.createFlow({ name: 'etl' })
  const deployment = await client.createDeployment({
    name: 'nightly',
    flow_id: flow.id,
    work_pool_name: pool.name,
    work_queue_name: 'urgent',
  })
  await client.updateDeployment(deployment.id, { description: 'all of it', tags: [] })
  // It changes nothing that is told.
  await client.updateDeployment(deployment.id, { description: 'all of it' })
  await client.pauseDeployment(deployment.id)
  await client.updateWorkQueue(pool.name, 'urgent', { concurrency_limit: 2 })
  await client.updateWorkPool(pool.name, { description: 'mine', is_paused: true })
  await client.deleteDeployment(deployment.id)
  await client.deleteWorkPool(pool.name)

  const ofDeployment = await toldOf(client, `prefect.deployment.${deployment.id}`, 4)
  expect(ofDeployment.map(({ event }) => event.slice('prefect.deployment.'.length))).toEqual([
    'created',
    'updated',
    'updated',
    'deleted',
  ])
  expect(ofDeployment.slice(1, 3).map(({ payload }) => payload)).toEqual([
    {
      updated_fields: ['description'],
      updates: { description: { from: null, to: 'all of it' } },
    },
    { updated_fields: ['paused'], updates: { paused: { from: false, to: true } } },
  ])
  expect(ofDeployment[0]?.related).toEqual([
    {
      'prefect.resource.id': `prefect.flow.${flow.id}`,
      'prefect.resource.name': 'etl',
      'prefect.resource.role': 'flow',
    },
    {
      'prefect.resource.id': `prefect.work-queue.${queue.id}`,
      'prefect.resource.name': 'urgent',
      'prefect.resource.role': 'work-queue',
    },
    {
      'prefect.resource.id': `prefect.work-pool.${pool.id}`,
      'prefect.resource.name': pool.name,
      'prefect.work-pool.type': 'process',
      'prefect.resource.role': 'work-pool',
    },
  ])
  const ofQueue = await toldOf(client, `prefect.work-queue.${queue.id}`, 3)
  expect(ofQueue.map(({ event }) => event)).toEqual([
    'prefect.work-queue.created',
    'prefect.work-queue.updated',
    'prefect.work-queue.deleted',
  ])
  await toldOf(client, `prefect.work-queue.${pool.default_queue_id}`, 2)
  const ofPool = await toldOf(client, `prefect.work-pool.${pool.id}`, 4)
  expect(ofPool.map(({ event }) => event).toSorted()).toEqual([
    'prefect.work-pool.created',
    'prefect.work-pool.deleted',
    'prefect.work-pool.paused',
    'prefect.work-pool.updated',
  ])
})
