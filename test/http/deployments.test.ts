import { expect, test } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import type { DeploymentUpdate } from '#core/wire/deployment.ts'
import { call, faults } from '../support/call.ts'
import { aFlowRun } from '../support/builders.ts'
import { aWorkspace } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const at = (seconds: number) => formatTimestamp((Date.now() + seconds * 1000) * 1000)
const schema = {
  type: 'object',
  properties: { rows: { type: 'integer', default: 1 }, table: { type: 'string' } },
  required: ['table'],
}
const template = {
  job_configuration: { command: '{{ command }}', memory: '{{ memory }}' },
  variables: {
    type: 'object',
    properties: { command: { type: 'string' }, memory: { type: 'integer', default: 512 } },
    required: ['command'],
  },
}

async function aFlowAndPool() {
  const made = await aWorkspace()
  const flow = await made.client.createFlow({ name: 'etl', labels: { team: 'data' } })
  await made.client.createWorkPool({ name: 'p', type: 'custom', base_job_template: template })
  return { ...made, flow }
}

test('a deployment is made with all that it was given, and read by id and by name', async () => {
  const { client, flow } = await aFlowAndPool()
  const pool = await client.readWorkPool('p')
  const body = {
    name: 'daily ü. 1',
    flow_id: flow.id,
    paused: true,
    concurrency_limit: 3,
    concurrency_options: { collision_strategy: 'CANCEL_NEW' as const },
    parameter_openapi_schema: schema,
    parameters: { rows: 5 },
    tags: ['b', 'a'],
    labels: { tier: 1 },
    pull_steps: [{ 'headgate.set_working_directory': { directory: '/srv' } }],
    description: 'Every day',
    path: '/srv',
    version: '7',
    entrypoint: 'etl.ts:daily',
    job_variables: { memory: 1024 },
    work_pool_name: 'p',
    schedules: [{ schedule: { cron: '0 6 * * *' }, slug: 'dawn', parameters: { rows: 9 } }],
  }
  const made = await client.createDeployment(body)
  expect(made).toMatchObject({
    ...body,
    concurrency_limit: null,
    labels: { team: 'data', 'prefect.flow.id': flow.id, tier: 1 },
    work_queue_id: pool.default_queue_id,
    work_queue_name: 'default',
    status: 'NOT_READY',
    enforce_parameter_schema: true,
    last_polled: null,
    created_by: null,
    updated_by: null,
    storage_document_id: null,
    infrastructure_document_id: null,
    schedules: [
      {
        schedule: { cron: '0 6 * * *', timezone: null, day_or: true },
        slug: 'dawn',
        active: true,
        parameters: { rows: 9 },
        max_scheduled_runs: null,
        deployment_id: made.id,
      },
    ],
  })
  expect(made.global_concurrency_limit).toMatchObject({
    name: `deployment:${made.id}`,
    limit: 3,
    active: true,
    active_slots: 0,
  })
  expect(await client.readDeployment(made.id.toUpperCase())).toEqual(made)
  expect(await client.readDeploymentByName('etl', 'daily ü. 1')).toEqual(made)
})

test('a deployment with a name and a flow only has the defaults', async () => {
  const { client, flow } = await aFlowAndPool()
  const made = await client.createDeployment({ name: 'bare', flow_id: flow.id })
  expect(made).toMatchObject({
    paused: false,
    schedules: [],
    parameters: {},
    job_variables: {},
    tags: [],
    parameter_openapi_schema: {},
    work_queue_id: null,
    work_queue_name: null,
    work_pool_name: null,
    global_concurrency_limit: null,
    concurrency_options: null,
    pull_steps: [],
  })
})

test('what Prefect sends beside is accepted where it says nothing, refused where it would be ignored', async () => {
  const { key, flow } = await aFlowAndPool()
  const retired = { storage_document_id: null, infrastructure_document_id: null }
  const body = { name: 'd', flow_id: flow.id, version_info: { type: 'git' }, ...retired }
  expect(await call(key, 'POST', '/deployments/', body)).toMatchObject({ status: 201 })
  const block = { ...body, storage_document_id: NOWHERE }
  expect(await call(key, 'POST', '/deployments/', block)).toMatchObject({ status: 409 })
  const queue = { name: 'q', filter: null }
  expect(await call(key, 'POST', '/work_pools/p/queues', queue)).toMatchObject({ status: 201 })
  const filtered = { name: 'r', filter: { tags: ['x'] } }
  expect(await call(key, 'POST', '/work_pools/p/queues', filtered)).toMatchObject({ status: 422 })
  expect(await call(key, 'POST', '/flows/filter', { work_queues: null })).toMatchObject({
    status: 200,
  })
})

test('the same flow and name is an update: what is left out stays, schedules are replaced', async () => {
  const { client, flow, key } = await aFlowAndPool()
  const first = await client.createDeployment({
    name: 'd',
    flow_id: flow.id,
    work_pool_name: 'p',
    work_queue_name: 'fast',
    tags: ['x'],
    job_variables: { memory: 1 },
    concurrency_limit: 2,
    schedules: [{ schedule: { interval: 60 }, slug: 'often' }, { schedule: { cron: '@daily' } }],
  })
  const answer = await call(key, 'POST', '/deployments/', {
    name: 'd',
    flow_id: flow.id,
    description: 'new',
    work_pool_name: null,
    concurrency_limit: null,
    schedules: [{ schedule: { interval: 30 }, slug: 'often' }],
  })
  expect(answer.status).toBe(200)
  expect(answer.body).toMatchObject({
    id: first.id,
    created: first.created,
    description: 'new',
    tags: ['x'],
    job_variables: { memory: 1 },
    work_pool_name: 'p',
    work_queue_name: 'fast',
    global_concurrency_limit: null,
    schedules: [{ slug: 'often', schedule: { interval: 30, timezone: 'UTC' } }],
  })
  const emptied = await client.createDeployment({ name: 'd', flow_id: flow.id })
  expect(emptied.schedules).toEqual([])
  expect(emptied.work_queue_name).toBe('fast')
  expect(await client.countDeployments()).toBe(1)
})

test('a queue that is missing is made with the deployment', async () => {
  const { client, flow } = await aFlowAndPool()
  const deploy = async (name: string) =>
    await client.createDeployment({
      name,
      flow_id: flow.id,
      work_pool_name: 'p',
      work_queue_name: 'new',
    })
  const made = await Promise.all(['a', 'b', 'c', 'd'].map(deploy))
  const queue = await client.readWorkQueue('p', 'new')
  expect(queue.priority).toBe(2)
  expect(made.map((deployment) => deployment.work_queue_id)).toEqual(made.map(() => queue.id))
})

test('many upserts of one name at once are one deployment', async () => {
  const { client, flow } = await aFlowAndPool()
  const made = await Promise.all(
    [1, 2, 3, 4].map((rows) =>
      client.createDeployment({
        name: 'd',
        flow_id: flow.id,
        parameters: { rows },
        schedules: [{ schedule: { interval: 60 * rows }, slug: 's' }],
      }),
    ),
  )
  expect(new Set(made.map((deployment) => deployment.id)).size).toBe(1)
  const [deployment] = await client.filterDeployments()
  expect(deployment?.schedules).toHaveLength(1)
  const rows = Number(deployment?.parameters['rows'])
  expect(deployment?.schedules[0]?.schedule).toMatchObject({ interval: 60 * rows })
})

test.for<[string, Record<string, unknown>, number, unknown]>([
  ['no flow id', { flow_id: undefined }, 422, ['body', 'flow_id']],
  ['an unknown field', { colour: 'red' }, 422, ['body', 'colour']],
  ['a wrong type', { paused: 'no' }, 422, ['body', 'paused']],
  ['a limit of 0', { concurrency_limit: 0 }, 422, ['body', 'concurrency_limit']],
  [
    'a wrong cron',
    { schedules: [{ schedule: { interval: 5 } }, { schedule: { cron: '61 * * * *' } }] },
    422,
    ['body', 'schedules', 1, 'schedule', 'cron'],
  ],
  [
    'a wrong time zone',
    { schedules: [{ schedule: { cron: '0 * * * *', timezone: 'Mars/Base' } }] },
    422,
    ['body', 'schedules', 0, 'schedule', 'timezone'],
  ],
  [
    'a job variable against the template',
    { job_variables: { memory: 'much' } },
    422,
    ['body', 'job_variables', 'memory'],
  ],
  [
    'a parameter against the schema',
    { parameters: { rows: 'many' }, parameter_openapi_schema: schema },
    422,
    ['body', 'parameters', 'rows'],
  ],
  [
    'parameters beyond the size',
    { parameters: { text: 'x'.repeat(524_288) } },
    422,
    ['body', 'parameters'],
  ],
  [
    'a queue without a pool',
    { work_pool_name: null, work_queue_name: 'q' },
    422,
    ['body', 'work_queue_name'],
  ],
  ['no such pool', { work_pool_name: 'none' }, 404, undefined],
  ['no such flow', { flow_id: NOWHERE }, 409, undefined],
  [
    'a slug twice',
    {
      schedules: [
        { schedule: { interval: 5 }, slug: 's' },
        { schedule: { interval: 6 }, slug: 's' },
      ],
    },
    409,
    undefined,
  ],
])(
  'POST /deployments/ refuses %s and leaves nothing behind',
  async ([, given, status, location]) => {
    const { client, key, flow } = await aFlowAndPool()
    const body = {
      name: 'd',
      flow_id: flow.id,
      work_pool_name: 'p',
      work_queue_name: 'new',
      ...given,
    }
    const answer = await call(key, 'POST', '/deployments/', body)
    expect(answer.status).toBe(status)
    expect(faults(answer.body)).toEqual(location === undefined ? 'detail' : [location])
    expect(await client.countDeployments()).toBe(0)
    expect(await client.filterWorkQueues('p')).toHaveLength(1)
  },
)

test('PATCH changes what it names and nothing else', async () => {
  const { client, flow } = await aFlowAndPool()
  const made = await client.createDeployment({
    name: 'd',
    flow_id: flow.id,
    work_pool_name: 'p',
    description: 'old',
    tags: ['x'],
    parameters: { rows: 1, table: 't' },
    parameter_openapi_schema: schema,
    concurrency_limit: 1,
    schedules: [{ schedule: { interval: 60 } }],
  })
  await client.updateDeployment(made.id, { paused: true })
  expect(await client.readDeployment(made.id)).toMatchObject({
    ...made,
    paused: true,
    updated: expect.any(String),
    global_concurrency_limit: { limit: 1 },
  })
  await client.updateDeployment(made.id, {
    description: null,
    concurrency_limit: 5,
    parameters: { rows: 2 },
    job_variables: { memory: 2 },
    version_info: { type: 'x' },
  })
  expect(await client.readDeployment(made.id)).toMatchObject({
    description: null,
    global_concurrency_limit: { id: made.global_concurrency_limit?.id, limit: 5 },
    parameters: { rows: 2 },
    job_variables: { memory: 2 },
    tags: ['x'],
  })
  await client.updateDeployment(made.id, { concurrency_limit: null })
  expect(await client.readDeployment(made.id)).toMatchObject({ global_concurrency_limit: null })
})

test('PATCH moves a deployment between pools and queues', async () => {
  const { client, flow } = await aFlowAndPool()
  const other = await client.createWorkPool({ name: 'other', type: 'custom' })
  const { id } = await client.createDeployment({ name: 'd', flow_id: flow.id, work_pool_name: 'p' })
  const place = async (change: DeploymentUpdate) => {
    await client.updateDeployment(id, change)
    const { work_pool_name: pool, work_queue_name: queue } = await client.readDeployment(id)
    return [pool, queue]
  }
  expect(await place({ work_queue_name: 'fast' })).toEqual(['p', 'fast'])
  expect(await place({ tags: ['t'] })).toEqual(['p', 'fast'])
  expect(await place({ work_pool_name: 'other' })).toEqual(['other', 'default'])
  expect((await client.readDeployment(id)).work_queue_id).toBe(other.default_queue_id)
  expect(await place({ work_pool_name: 'p', work_queue_name: 'slow' })).toEqual(['p', 'slow'])
  expect(await place({ work_pool_name: null })).toEqual([null, null])
  await expect(client.updateDeployment(id, { work_queue_name: 'q' })).rejects.toMatchObject({
    status: 422,
  })
  await expect(client.updateDeployment(id, { work_pool_name: 'none' })).rejects.toMatchObject({
    status: 404,
  })
})

test.for<[string, DeploymentUpdate, number]>([
  ['a parameter against the stored schema', { parameters: { rows: 'x' } }, 409],
  [
    'stored parameters against a new schema',
    { parameter_openapi_schema: { ...schema, properties: { rows: { type: 'string' } } } },
    409,
  ],
  [
    'no schema while it is enforced',
    { parameter_openapi_schema: null, parameters: { rows: 'x' } },
    409,
  ],
  ['a job variable against the template', { job_variables: { memory: 'much' } }, 409],
  ['a schedule without a slug beside slugs', { schedules: [{ schedule: { interval: 5 } }] }, 422],
  ['a slug without a schedule', { schedules: [{ slug: 'new' }] }, 422],
  ['a wrong cron', { schedules: [{ slug: 's', schedule: { cron: 'x' } }] }, 422],
])('PATCH refuses %s and changes nothing', async ([, change, status]) => {
  const { client, flow } = await aFlowAndPool()
  const made = await client.createDeployment({
    name: 'd',
    flow_id: flow.id,
    work_pool_name: 'p',
    parameters: { rows: 1 },
    parameter_openapi_schema: schema,
    schedules: [{ schedule: { interval: 60 }, slug: 's' }],
  })
  await expect(
    client.updateDeployment(made.id, { work_pool_name: 'p', work_queue_name: 'new', ...change }),
  ).rejects.toMatchObject({ status })
  expect(await client.readDeployment(made.id)).toEqual(made)
  expect(await client.filterWorkQueues('p')).toHaveLength(1)
})

test('made with the schema null, a deployment may have any parameters', async () => {
  const { client, flow } = await aFlowAndPool()
  const body = { name: 'd', flow_id: flow.id, parameter_openapi_schema: schema }
  await client.createDeployment({ ...body, parameters: { rows: 1 } })
  const made = await client.createDeployment({
    ...body,
    parameter_openapi_schema: null,
    parameters: { rows: 'x' },
  })
  expect(made).toMatchObject({ parameter_openapi_schema: null, parameters: { rows: 'x' } })
  await expect(client.updateDeployment(made.id, { tags: [] })).rejects.toMatchObject({
    status: 409,
  })
})

test('PATCH does not enforce a schema when told not to', async () => {
  const { client, flow } = await aFlowAndPool()
  const { id } = await client.createDeployment({
    name: 'd',
    flow_id: flow.id,
    parameter_openapi_schema: schema,
  })
  await client.updateDeployment(id, { enforce_parameter_schema: false, parameters: { rows: 'x' } })
  expect((await client.readDeployment(id)).parameters).toEqual({ rows: 'x' })
})

test('PATCH targets schedules by slug', async () => {
  const { client, flow } = await aFlowAndPool()
  const made = await client.createDeployment({
    name: 'd',
    flow_id: flow.id,
    schedules: [
      { schedule: { interval: 60 }, slug: 'a' },
      { schedule: { interval: 61 }, slug: 'b' },
    ],
  })
  await client.updateDeployment(made.id, {
    schedules: [
      { slug: 'c', replaces: 'a', active: false },
      { slug: 'd', schedule: { rrule: 'FREQ=DAILY' } },
    ],
  })
  const after = await client.readSchedules(made.id)
  const idOf = (slug: string) => made.schedules.find((schedule) => schedule.slug === slug)?.id
  expect(after.toSorted((x, y) => (x.slug ?? '').localeCompare(y.slug ?? ''))).toMatchObject([
    { id: idOf('b'), slug: 'b', active: true, schedule: { interval: 61 } },
    { id: idOf('a'), slug: 'c', active: false, schedule: { interval: 60 } },
    { slug: 'd', schedule: { rrule: 'FREQ=DAILY', timezone: 'UTC' } },
  ])
})

test('a deployment is paused, resumed and deleted', async () => {
  const { client, key, flow } = await aFlowAndPool()
  const { id } = await client.createDeployment({ name: 'd', flow_id: flow.id })
  expect(await call(key, 'POST', `/deployments/${id}/pause_deployment`)).toEqual({
    status: 200,
    body: null,
  })
  expect(await client.readDeployment(id)).toMatchObject({ paused: true })
  await client.resumeDeployment(id)
  expect(await client.readDeployment(id)).toMatchObject({ paused: false })
  await client.deleteDeployment(id)
  await expect(client.readDeployment(id)).rejects.toMatchObject({ status: 404 })
})

test('deployments are listed, counted and paged by filter and sort', async () => {
  const { client, flow } = await aFlowAndPool()
  const other = await client.createFlow({ name: 'reports' })
  await client.createDeployment({ name: 'b', flow_id: flow.id, work_pool_name: 'p', tags: ['x'] })
  await client.createDeployment({ name: 'a', flow_id: other.id, paused: true })
  await client.createDeployment({ name: 'c', flow_id: other.id, tags: ['x', 'y'] })
  const names = async (query: Parameters<typeof client.filterDeployments>[0]) =>
    (await client.filterDeployments(query)).map((deployment) => deployment.name)
  expect(await names(undefined)).toEqual(['a', 'b', 'c'])
  expect(await names({ sort: 'NAME_DESC', limit: 2 })).toEqual(['c', 'b'])
  expect(await names({ sort: 'CREATED_DESC', offset: 1 })).toEqual(['a', 'b'])
  expect(await names({ flows: { name: { any_: ['reports'] } } })).toEqual(['a', 'c'])
  expect(await names({ work_pools: { name: { any_: ['p'] } } })).toEqual(['b'])
  expect(await names({ deployments: { tags: { all_: ['x', 'y'] } } })).toEqual(['c'])
  expect(await names({ deployments: { flow_or_deployment_name: { like_: 'REP' } } })).toEqual([
    'a',
    'c',
  ])
  expect(await names({ deployments: { paused: { eq_: true } } })).toEqual(['a'])
  expect(await names({ deployments: { id: { any_: [] } } })).toEqual([])
  expect(await client.countDeployments({ deployments: { tags: { any_: ['x'] } } })).toBe(2)
  expect(await client.paginateDeployments({ limit: 2, page: 2 })).toMatchObject({
    count: 3,
    pages: 2,
    page: 2,
    limit: 2,
    results: [{ name: 'c' }],
  })
})

test('runs are made of a deployment, one by one or many at once', async () => {
  const { client, key, flow } = await aFlowAndPool()
  const { id } = await client.createDeployment({
    name: 'd',
    flow_id: flow.id,
    parameter_openapi_schema: schema,
    parameters: { table: 'orders' },
    tags: ['x'],
  })
  const path = `/deployments/${id}/create_flow_run`
  const first = await call(key, 'POST', path, { idempotency_key: 'k', parameters: { rows: 3 } })
  expect(first).toMatchObject({
    status: 201,
    body: { deployment_id: id, parameters: { table: 'orders', rows: 3 }, state_type: 'SCHEDULED' },
  })
  const again = await call(key, 'POST', path, { idempotency_key: 'k' })
  expect(again).toMatchObject({ status: 200, body: { id: (first.body as { id: string }).id } })
  expect(await call(key, 'POST', path, { parameters: { rows: 'x' } })).toMatchObject({
    status: 409,
  })
  const bulk = await call(key, 'POST', `${path}/bulk`, [{}, { parameters: { rows: 'x' } }, {}])
  expect(bulk).toMatchObject({
    status: 200,
    body: {
      results: [
        { status: 'CREATED', error: null },
        { status: 'FAILED', flow_run_id: null, error: expect.stringContaining('rows') },
        { status: 'CREATED', flow_run_id: expect.any(String) },
      ],
    },
  })
  const tooMany = Array.from({ length: 101 }, () => ({}))
  expect(await call(key, 'POST', `${path}/bulk`, tooMany)).toMatchObject({ status: 400 })
  expect(await client.countFlowRuns({ deployments: { id: { any_: [id] } } })).toBe(3)
})

test('the scheduled runs of deployments are given out, the earliest first', async () => {
  const { client, flow, workspace } = await aFlowAndPool()
  const { id } = await client.createDeployment({ name: 'd', flow_id: flow.id })
  const { id: otherId } = await client.createDeployment({ name: 'o', flow_id: flow.id })
  const run = async (name: string, seconds: number, given: Parameters<typeof aFlowRun>[1]) =>
    await aFlowRun(workspace, {
      flow_id: flow.id,
      deployment_id: id,
      name,
      state_type: 'SCHEDULED',
      state_name: 'Scheduled',
      next_scheduled_start_time: at(seconds),
      ...given,
    })
  await run('later', 5, { flow_id: flow.id })
  await run('sooner', -5, { flow_id: flow.id })
  await run('too late', 500, { flow_id: flow.id })
  await run('running', -5, { flow_id: flow.id, state_type: 'RUNNING' })
  await run('gone', -5, { flow_id: flow.id, deleted: true })
  await run('of another', -5, { flow_id: flow.id, deployment_id: otherId })
  const runs = await client.scheduledRunsOfDeployments({
    deployment_ids: [id],
    scheduled_before: at(60),
  })
  expect(runs.map((found) => found.name)).toEqual(['sooner', 'later'])
  const limited = await client.scheduledRunsOfDeployments({ deployment_ids: [id], limit: 1 })
  expect(limited.map((found) => found.name)).toEqual(['sooner'])
  const polled = await client.readDeployment(id)
  expect(polled.status).toBe('READY')
  expect(polled.last_polled).not.toBeNull()
  expect((await client.readDeployment(otherId)).status).toBe('NOT_READY')
})

test.for<[string, string, unknown, number]>([
  ['GET', '/deployments/{id}', undefined, 404],
  ['GET', '/deployments/name/etl/none', undefined, 404],
  ['PATCH', '/deployments/{id}', { paused: true }, 404],
  ['PATCH', '/deployments/{id}', { name: 'x' }, 422],
  ['DELETE', '/deployments/{id}', undefined, 404],
  ['POST', '/deployments/{id}/pause_deployment', undefined, 404],
  ['POST', '/deployments/{id}/resume_deployment', undefined, 404],
  ['POST', '/deployments/{id}/create_flow_run', {}, 404],
  ['POST', '/deployments/{id}/create_flow_run/bulk', [], 404],
  ['POST', '/deployments/filter', { sort: 'ID_DESC' }, 422],
  ['POST', '/deployments/filter', { deployments: { colour: {} } }, 422],
  ['POST', '/deployments/paginate', { page: 0 }, 422],
  ['POST', '/deployments/get_scheduled_flow_runs', {}, 422],
  ['POST', '/deployments/get_scheduled_flow_runs', { deployment_ids: [], limit: 201 }, 422],
  ['GET', '/deployments/{id}/schedules', undefined, 404],
  ['POST', '/deployments/{id}/schedules', [], 404],
])(
  '%s %s %j: %i for a foreign or unknown id, 401 without a key',
  async ([method, path, body, status]) => {
    const other = await aFlowAndPool()
    const theirs = await other.client.createDeployment({ name: 'd', flow_id: other.flow.id })
    const { key } = await aWorkspace()
    const answers = await Promise.all(
      [theirs.id, NOWHERE, 'no-id'].map((id) => call(key, method, path.replace('{id}', id), body)),
    )
    expect(answers.map((answer) => answer.status)).toEqual([status, status, status])
    expect(answers[0]).toEqual(answers[1])
    expect(await call(undefined, method, path.replace('{id}', theirs.id), body)).toMatchObject({
      status: 401,
    })
    expect(await other.client.readDeployment(theirs.id)).toEqual(theirs)
  },
)
