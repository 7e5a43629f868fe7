import { expect, test } from 'vitest'
import { call, faults } from '../support/call.ts'
import { aDeployment, aFlow, aFlowRun } from '../support/builders.ts'
import { aWorkspace } from '../support/workspace.ts'

const template = {
  job_configuration: { command: '{{ command }}' },
  variables: { type: 'object', properties: { command: { type: 'string', default: 'run' } } },
}

test('a pool is made with its default queue, read and listed by name', async () => {
  const { client } = await aWorkspace()
  const made = await client.createWorkPool({
    name: 'gpu.west 1é',
    type: 'custom',
    base_job_template: template,
  })
  expect(made).toMatchObject({
    name: 'gpu.west 1é',
    type: 'custom',
    description: null,
    base_job_template: template,
    is_paused: false,
    concurrency_limit: null,
    active_slots: null,
    status: 'NOT_READY',
    storage_configuration: {},
  })
  expect(await client.readWorkPool('gpu.west 1é')).toEqual(made)
  const queues = await client.filterWorkQueues('gpu.west 1é')
  expect(queues).toMatchObject([
    { id: made.default_queue_id, name: 'default', priority: 1, work_pool_name: 'gpu.west 1é' },
  ])
  await client.createWorkPool({ name: 'a', type: 'custom' })
  expect((await client.filterWorkPools()).map((pool) => pool.name)).toEqual(['a', 'gpu.west 1é'])
  expect(await client.countWorkPools({ work_pools: { type: { any_: ['custom'] } } })).toBe(2)
  expect(await client.filterWorkPools({ work_pools: { name: { any_: [] } } })).toEqual([])
})

test('a pool of a known type gets that template, of another none', async () => {
  const { client } = await aWorkspace()
  const known = await client.createWorkPool({ name: 'p', type: 'process' })
  expect(Object.keys(known.base_job_template)).toEqual(['job_configuration', 'variables'])
  expect(
    (await client.createWorkPool({ name: 'q', type: 'kubernetes' })).base_job_template,
  ).toEqual({})
  expect((await client.createWorkPool({ name: 'r' })).type).toBe('prefect-agent')
})

test.for<[string, unknown, number, unknown]>([
  ['a missing name', {}, 422, [['body', 'name']]],
  ['a name with a slash', { name: 'a/b' }, 422, [['body', 'name']]],
  ['an unknown field', { name: 'a', kind: 'x' }, 422, [['body', 'kind']]],
  ['a wrong type', { name: 'a', concurrency_limit: 'two' }, 422, [['body', 'concurrency_limit']]],
  ['a negative limit', { name: 'a', concurrency_limit: -1 }, 422, [['body', 'concurrency_limit']]],
  [
    'half a template',
    { name: 'a', base_job_template: { variables: {} } },
    422,
    [['body', 'base_job_template']],
  ],
  [
    'an undeclared placeholder',
    { name: 'a', base_job_template: { ...template, job_configuration: { image: '{{ image }}' } } },
    422,
    [['body', 'base_job_template', 'job_configuration']],
  ],
  ['a reserved name', { name: 'Prefect-pool' }, 403, undefined],
  ['a name in use', { name: 'taken' }, 409, undefined],
])('POST /work_pools/ refuses %s', async ([, body, status, locations]) => {
  const { client, key } = await aWorkspace()
  await client.createWorkPool({ name: 'taken', type: 'process' })
  const answer = await call(key, 'POST', '/work_pools/', body)
  expect(answer.status).toBe(status)
  expect(faults(answer.body)).toEqual(locations ?? 'detail')
  expect(await client.countWorkPools()).toBe(1)
})

test.for([
  ['GET', '/work_pools/p'],
  ['POST', '/work_pools/'],
  ['POST', '/work_pools/filter'],
  ['PATCH', '/work_pools/p'],
  ['DELETE', '/work_pools/p'],
] as const)('%s %s needs a key', async ([method, path]) => {
  expect(await call(undefined, method, path, method === 'GET' ? undefined : {})).toMatchObject({
    status: 401,
  })
})

test.for([
  ['GET', undefined],
  ['PATCH', { is_paused: true }],
  ['DELETE', undefined],
] as const)('%s of a pool of another workspace is a 404', async ([method, body]) => {
  const other = await aWorkspace()
  await other.client.createWorkPool({ name: 'theirs', type: 'process' })
  const { key } = await aWorkspace()
  expect(await call(key, method, '/work_pools/theirs', body)).toEqual({
    status: 404,
    body: { detail: 'Work pool "theirs" not found.' },
  })
  expect(await other.client.readWorkPool('theirs')).toMatchObject({ is_paused: false })
})

test('a pool is changed by what the request names', async () => {
  const { client } = await aWorkspace()
  const made = await client.createWorkPool({ name: 'p', type: 'process', concurrency_limit: 3 })
  await client.updateWorkPool('p', { is_paused: true, description: 'x' })
  expect(await client.readWorkPool('p')).toMatchObject({
    is_paused: true,
    status: 'PAUSED',
    description: 'x',
    concurrency_limit: 3,
    active_slots: 0,
    base_job_template: made.base_job_template,
  })
  await client.updateWorkPool('p', {
    is_paused: false,
    concurrency_limit: null,
    base_job_template: template,
  })
  expect(await client.readWorkPool('p')).toMatchObject({
    is_paused: false,
    concurrency_limit: null,
    active_slots: null,
    base_job_template: template,
    description: 'x',
  })
  await expect(
    client.updateWorkPool('p', { base_job_template: { variables: {} } }),
  ).rejects.toMatchObject({ status: 422 })
})

test('many changes of one pool at once are all made', async () => {
  const { client } = await aWorkspace()
  await client.createWorkPool({ name: 'p', type: 'process' })
  await Promise.all([
    client.updateWorkPool('p', { description: 'x' }),
    client.updateWorkPool('p', { concurrency_limit: 7 }),
    client.updateWorkPool('p', { is_paused: true }),
  ])
  expect(await client.readWorkPool('p')).toMatchObject({
    description: 'x',
    concurrency_limit: 7,
    is_paused: true,
  })
})

test('slots in use are counted where there is a limit', async () => {
  const { client, workspace } = await aWorkspace()
  const pool = await client.createWorkPool({ name: 'p', type: 'process', concurrency_limit: 5 })
  const flow = await aFlow(workspace)
  const run = { flow_id: flow.id, work_pool_id: pool.id, work_queue_id: pool.default_queue_id }
  await Promise.all(
    (['PENDING', 'RUNNING', 'CANCELLING', 'SCHEDULED', 'COMPLETED'] as const).map((type) =>
      aFlowRun(workspace, { ...run, state_type: type }),
    ),
  )
  await aFlowRun(workspace, { ...run, state_type: 'RUNNING', deleted: true })
  expect(await client.readWorkPool('p')).toMatchObject({ active_slots: 3 })
  expect(await client.readWorkQueue('p', 'default')).toMatchObject({ active_slots: null })
  await client.updateWorkQueue('p', 'default', { concurrency_limit: 2 })
  expect(await client.readWorkQueue('p', 'default')).toMatchObject({ active_slots: 3 })
})

test('a deleted pool takes its queues and workers along and leaves its deployments', async () => {
  const { client, workspace } = await aWorkspace()
  const pool = await client.createWorkPool({ name: 'p', type: 'process' })
  const flow = await aFlow(workspace)
  const deployment = await aDeployment(workspace, {
    flow_id: flow.id,
    work_queue_id: pool.default_queue_id,
  })
  await client.workerHeartbeat('p', { name: 'w' })
  await client.deleteWorkPool('p')
  await expect(client.readWorkPool('p')).rejects.toMatchObject({ status: 404 })
  await expect(client.filterWorkQueues('p')).rejects.toMatchObject({ status: 404 })
  expect(await client.readDeployment(deployment.id)).toMatchObject({
    work_queue_id: null,
    work_pool_name: null,
  })
  const again = await client.createWorkPool({ name: 'p', type: 'process' })
  expect(again.id).not.toBe(pool.id)
  expect(await client.filterWorkers('p')).toEqual([])
})
