import { expect, test } from 'vitest'
import { call } from '../support/call.ts'
import { aWorkspace, type TestWorkspace } from '../support/workspace.ts'
import { eventually } from '../support/eventually.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const V2 = '/v2/concurrency_limits'

const names = (limits: { name: string }[]) => limits.map(({ name }) => name)

async function aLimitedDeployment({ client }: TestWorkspace, limit = 2) {
  const flow = await client.createFlow({ name: `flow ${crypto.randomUUID()}` })
  const pool = await client.createWorkPool({ name: crypto.randomUUID(), type: 'process' })
  return await client.createDeployment({
    name: 'limited',
    flow_id: flow.id,
    work_pool_name: pool.name,
    concurrency_limit: limit,
  })
}

test('a limit is made, read by id and name, changed and deleted', async () => {
  const { client, key } = await aWorkspace()
  const made = await client.createConcurrencyLimit({ name: 'a b:c', limit: 2 })
  expect(made).toEqual({
    id: expect.any(String),
    created: expect.any(String),
    updated: made.created,
    name: 'a b:c',
    limit: 2,
    active: true,
    active_slots: 0,
    denied_slots: 0,
    slot_decay_per_second: 0,
    avg_slot_occupancy_seconds: 2,
  })
  const { denied_slots: _denied, avg_slot_occupancy_seconds: _average, ...shown } = made
  expect(await client.readConcurrencyLimit('a b:c')).toEqual(shown)
  expect(await client.readConcurrencyLimit(made.id.toUpperCase())).toEqual(shown)
  const changes = { name: 'd', limit: 5, active: false, slot_decay_per_second: 0.5 }
  await client.updateConcurrencyLimit(made.id, changes)
  const changed = await client.readConcurrencyLimit('d')
  expect(changed).toEqual({ ...shown, ...changes, updated: expect.any(String) })
  expect((await call(key, 'PATCH', `${V2}/d`, { limit: null })).status).toBe(204)
  expect((await client.readConcurrencyLimit('d')).limit).toBe(5)
  await client.deleteConcurrencyLimit('d')
  await expect(client.readConcurrencyLimit('d')).rejects.toMatchObject({ status: 404 })
})

test.for([
  ['POST', `${V2}/`, { name: 'there', limit: 1 }, 409],
  ['POST', `${V2}/`, { name: 'a/b', limit: 1 }, 422],
  ['POST', `${V2}/`, { name: 'a', limit: -1 }, 422],
  ['POST', `${V2}/`, { name: 'a', limit: 1, colour: 1 }, 422],
  ['POST', `${V2}/`, { name: `deployment:${NOWHERE}`, limit: 1 }, 409],
  ['PATCH', `${V2}/there`, { name: 'other' }, 409],
  ['PATCH', `${V2}/there`, { limit: -1 }, 422],
  ['PATCH', `${V2}/there`, { colour: 1 }, 422],
  ['PATCH', `${V2}/nobody`, { limit: 1 }, 404],
  ['GET', `${V2}/${NOWHERE}`, undefined, 404],
  ['DELETE', `${V2}/nobody`, undefined, 404],
  ['GET', `${V2}/deployment:${NOWHERE}`, undefined, 404],
  ['PATCH', `${V2}/deployment:${NOWHERE}`, { limit: 1 }, 404],
  ['DELETE', `${V2}/deployment:${NOWHERE}`, undefined, 404],
] as const)('%s %s with %j is a %i', async ([method, path, body, status]) => {
  const { client, key } = await aWorkspace()
  await client.createConcurrencyLimit({ name: 'there', limit: 1 })
  await client.createConcurrencyLimit({ name: 'other', limit: 1 })
  expect((await call(key, method, path, body)).status).toBe(status)
  expect((await call(undefined, method, path, body)).status).toBe(401)
})

test('limits are listed by name, a page at a time, with those of deployments', async () => {
  const workspace = await aWorkspace()
  const { client } = workspace
  const deployment = await aLimitedDeployment(workspace)
  for (const name of ['z', 'a', 'e']) {
    await client.createConcurrencyLimit({ name, limit: 1 })
  }
  const all = ['a', `deployment:${deployment.id}`, 'e', 'z']
  expect(names(await client.filterConcurrencyLimits())).toEqual(all)
  expect(names(await client.filterConcurrencyLimits({ limit: 2, offset: 1 }))).toEqual(
    all.slice(1, 3),
  )
})

test('the limit of a deployment is read and changed as one of its kind, and is that of the deployment', async () => {
  const workspace = await aWorkspace()
  const { client } = workspace
  const deployment = await aLimitedDeployment(workspace)
  const limit = deployment.global_concurrency_limit
  const read = await client.readConcurrencyLimit(`deployment:${deployment.id}`)
  expect(read).toEqual(limit)
  expect(await client.readConcurrencyLimit(limit?.id ?? '')).toEqual(limit)
  const run = await client.createFlowRunFromDeployment(deployment.id)
  await client.setFlowRunState(run.id, { type: 'PENDING' })
  expect(await client.readConcurrencyLimit(read.id)).toMatchObject({ active_slots: 1 })
  await client.updateConcurrencyLimit(read.id, { limit: 7 })
  const changed = await client.readDeployment(deployment.id)
  expect(changed.global_concurrency_limit).toMatchObject({ limit: 7, active_slots: 1 })
  await expect(client.updateConcurrencyLimit(read.id, { active: false })).rejects.toMatchObject({
    status: 422,
  })
  await client.deleteConcurrencyLimit(read.id)
  expect((await client.readDeployment(deployment.id)).global_concurrency_limit).toBeNull()
})

test('a limit of another workspace is as none', async () => {
  const [mine, theirs] = [await aWorkspace(), await aWorkspace()]
  const foreign = await theirs.client.createConcurrencyLimit({ name: 'theirs', limit: 1 })
  const deployment = await aLimitedDeployment(theirs)
  for (const id of [foreign.id, 'theirs', deployment.global_concurrency_limit?.id ?? '']) {
    await expect(mine.client.readConcurrencyLimit(id)).rejects.toMatchObject({ status: 404 })
    await expect(mine.client.deleteConcurrencyLimit(id)).rejects.toMatchObject({ status: 404 })
    await expect(mine.client.updateConcurrencyLimit(id, { limit: 9 })).rejects.toMatchObject({
      status: 404,
    })
  }
  expect(await mine.client.filterConcurrencyLimits()).toEqual([])
})

test('what becomes of a limit is told by events', async () => {
  const { client, key } = await aWorkspace()
  const { id } = await client.createConcurrencyLimit({ name: 'told', limit: 1 })
  await client.updateConcurrencyLimit(id, { limit: 2 })
  await client.deleteConcurrencyLimit(id)
  const filter = { filter: { event: { prefix: ['prefect.concurrency-limit.'] } } }
  const events = await eventually(async () => {
    const { body } = await call(key, 'POST', '/events/filter', filter)
    const found = (body as { events: { event: string; payload: object; resource: object }[] })
      .events
    return found.length === 3 ? found : undefined
  })
  expect(new Set(events.map(({ event }) => event))).toEqual(
    new Set(['created', 'updated', 'deleted'].map((verb) => `prefect.concurrency-limit.${verb}`)),
  )
  expect(events).toContainEqual(
    expect.objectContaining({
      event: 'prefect.concurrency-limit.created',
      resource: {
        'prefect.resource.id': `prefect.concurrency-limit.${id}`,
        'prefect.resource.name': 'told',
      },
      payload: { name: 'told', limit: 1, active: true, slot_decay_per_second: 0 },
    }),
  )
})
