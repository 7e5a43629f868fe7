import { describe, expect, test } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import { aTaskRunEvent } from '../support/task-run-events.ts'
import { API_URL, aWorkspace, fetchWorker } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function call(
  key: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  const response = await fetchWorker(`${API_URL}${path}`, {
    method,
    headers: { Authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

const aTask = (given: Record<string, unknown> = {}) => ({
  flow_run_id: crypto.randomUUID(),
  task_key: 'load',
  dynamic_key: '0',
  ...given,
})

test('a task run is made once per natural key: 201, then 200 with its present state', async () => {
  const { key } = await aWorkspace()
  const body = aTask({ name: 'first', state: { type: 'SCHEDULED' } })
  const made = await call(key, 'POST', '/task_runs/', body)
  expect(made).toMatchObject({
    status: 201,
    body: { name: 'first', state_type: 'SCHEDULED', state: { name: 'Scheduled' }, run_count: 0 },
  })
  const { id } = made.body as { id: string }
  await call(key, 'POST', `/task_runs/${id}/set_state`, { state: { type: 'RUNNING' }, force: true })
  expect(await call(key, 'POST', '/task_runs/', { ...body, name: 'second' })).toMatchObject({
    status: 200,
    body: { id, name: 'first', state_type: 'RUNNING', run_count: 1 },
  })
})

test('an id that is given is used; one that is taken by another is refused', async () => {
  const { key } = await aWorkspace()
  const id = crypto.randomUUID()
  const body = aTask({ id })
  expect(await call(key, 'POST', '/task_runs/', body)).toMatchObject({ status: 201, body: { id } })
  expect(await call(key, 'POST', '/task_runs', body)).toMatchObject({ status: 200, body: { id } })
  const other = { ...body, dynamic_key: '1' }
  expect(await call(key, 'POST', '/task_runs/', other)).toMatchObject({ status: 409 })
})

test('what is written is read at once, renamed and deleted', async () => {
  const { client } = await aWorkspace()
  const made = await client.createTaskRun(aTask())
  expect(made.name).toMatch(/^[a-z]+-[a-z]+$/)
  expect(await client.readTaskRun(made.id.toUpperCase())).toMatchObject({ id: made.id })
  await client.updateTaskRun(made.id, { name: 'new' })
  expect(await client.readTaskRun(made.id)).toMatchObject({ name: 'new' })
  await client.deleteTaskRun(made.id)
  await expect(client.readTaskRun(made.id)).rejects.toMatchObject({
    status: 404,
    body: { detail: 'Task not found' },
  })
  expect(await client.filterTaskRuns({ task_runs: { id: { any_: [made.id] } } })).toEqual([])
})

test('task runs without a flow run are none of one another', async () => {
  const { client } = await aWorkspace()
  const [a, b] = [
    await client.createTaskRun(aTask({ flow_run_id: null })),
    await client.createTaskRun(aTask({ flow_run_id: null })),
  ]
  expect(a.id).not.toBe(b.id)
})

test('states are proposed, judged and listed', async () => {
  const { client, key } = await aWorkspace()
  const run = await client.createTaskRun(aTask({ empirical_policy: { retries: 1 } }))
  const propose = async (state: Record<string, unknown>, force = false) =>
    await call(key, 'POST', `/task_runs/${run.id}/set_state`, { state, force })
  expect(await propose({ type: 'RUNNING' })).toMatchObject({
    status: 201,
    body: {
      status: 'ACCEPT',
      details: { type: 'accept_details' },
      state: { type: 'RUNNING', state_details: { task_run_id: run.id } },
    },
  })
  expect(await propose({ type: 'FAILED' })).toMatchObject({
    status: 201,
    body: { status: 'REJECT', state: { name: 'AwaitingRetry' }, details: { reason: 'Retrying' } },
  })
  expect(await propose({ type: 'RUNNING' })).toMatchObject({
    status: 201,
    body: { state: { name: 'Retrying' } },
  })
  expect(await propose({ type: 'FAILED' })).toMatchObject({ body: { status: 'ACCEPT' } })
  expect(await propose({ type: 'CRASHED' })).toMatchObject({
    status: 200,
    body: { status: 'ABORT', state: { type: 'FAILED' } },
  })
  expect(await propose({ type: 'CRASHED' }, true)).toMatchObject({ body: { status: 'ACCEPT' } })
  const states = await client.readTaskRunStates(run.id)
  expect(states.map(({ name }) => name)).toEqual([
    'Pending',
    'Running',
    'AwaitingRetry',
    'Retrying',
    'Failed',
    'Crashed',
  ])
  const [first] = states
  expect(await call(key, 'GET', `/task_run_states/${first?.id ?? ''}`)).toEqual({
    status: 200,
    body: first,
  })
  expect(await client.readTaskRunStates(NOWHERE)).toEqual([])
})

test('lists are filtered, sorted, counted and numbered', async () => {
  const { client, key } = await aWorkspace()
  const flowRunId = crypto.randomUUID()
  for (const name of ['c', 'a', 'b']) {
    await client.createTaskRun(aTask({ flow_run_id: flowRunId, dynamic_key: name, name }))
  }
  await client.createTaskRun(aTask({ name: 'other' }))
  const task_runs = { flow_run_id: { any_: [flowRunId] } }
  const listed = await client.filterTaskRuns({ task_runs, sort: 'NAME_ASC' })
  expect(listed.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  expect(listed[0]?.state).toMatchObject({ type: 'PENDING', id: listed[0]?.state_id })
  expect(await client.countTaskRuns({ task_runs })).toBe(3)
  expect(await client.countTaskRuns()).toBe(4)
  await client.setTaskRunState(listed[1]?.id ?? '', { type: 'RUNNING' })
  const longest = await client.filterTaskRuns({ task_runs, sort: 'DURATION_DESC' })
  expect(longest[0]?.name).toBe('b')
  const shortest = await client.filterTaskRuns({ task_runs, sort: 'DURATION_ASC' })
  expect(shortest[2]?.name).toBe('b')
  const body = { task_runs, sort: 'NAME_DESC', limit: 2, page: 2 }
  expect(await call(key, 'POST', '/task_runs/paginate', body)).toMatchObject({
    status: 200,
    body: { results: [{ name: 'a' }], count: 3, limit: 2, pages: 2, page: 2 },
  })
})

describe('events', () => {
  test('of a run’s tasks are task runs after a moment, sent twice or not', async () => {
    const { client, key } = await aWorkspace()
    const [flowRunId, taskRunId] = [crypto.randomUUID(), crypto.randomUUID()]
    const at = Date.now() * 1000
    const events = (['PENDING', 'RUNNING', 'COMPLETED'] as const).map((type, index) =>
      aTaskRunEvent({ taskRunId, flowRunId, type, at: at + index }),
    )
    expect(await call(key, 'POST', '/events', events)).toEqual({ status: 204, body: undefined })
    await client.createEvents(events.toReversed())
    // Before the store knows of it.
    expect(await client.readTaskRun(taskRunId)).toMatchObject({
      flow_run_id: flowRunId,
      state_type: 'COMPLETED',
      state: { id: events[2]?.id, timestamp: formatTimestamp(at + 2) },
    })
    const filter = { task_runs: { flow_run_id: { any_: [flowRunId] } } }
    await expect.poll(async () => await client.countTaskRuns(filter)).toBe(1)
    expect((await client.readTaskRunStates(taskRunId)).map(({ id }) => id)).toEqual(
      events.map(({ id }) => id),
    )
  })

  test.each<[string, unknown, (string | number)[]]>([
    ['no list', {}, ['body']],
    ['no id', [{ event: 'x' }], ['body', 0, 'id']],
    [
      'a resource without an id',
      [{ id: NOWHERE, occurred: '2026-01-01', event: 'x', resource: {} }],
      ['body', 0, 'resource', 'prefect.resource.id'],
    ],
    [
      'too large',
      [
        {
          id: NOWHERE,
          occurred: '2026-01-01',
          event: 'x',
          resource: { 'prefect.resource.id': 'y' },
          payload: { text: 'x'.repeat(1_600_000) },
        },
      ],
      ['body', 0],
    ],
  ])('that are refused: %s', async (_name, body, loc) => {
    const { key } = await aWorkspace()
    const answer = await call(key, 'POST', '/events', body)
    expect(answer.status).toBe(422)
    const { exception_detail } = answer.body as { exception_detail: { loc: unknown[] }[] }
    expect(exception_detail.map((detail) => detail.loc)).toContainEqual(loc)
  })
})

describe('refusals', () => {
  test.each<[string, string, unknown]>([
    ['GET', `/task_runs/${NOWHERE}`, undefined],
    ['PATCH', `/task_runs/${NOWHERE}`, { name: 'x' }],
    ['DELETE', `/task_runs/${NOWHERE}`, undefined],
    ['POST', `/task_runs/${NOWHERE}/set_state`, { state: { type: 'RUNNING' } }],
    ['GET', `/task_run_states/${NOWHERE}`, undefined],
    ['GET', '/task_runs/no-uuid', undefined],
  ])('%s %s is not found', async (method, path, body) => {
    const { key } = await aWorkspace()
    expect((await call(key, method, path, body)).status).toBe(404)
    expect((await call('nonsense', method, path, body)).status).toBe(401)
  })

  test.each<[string, string, unknown, (string | number)[]]>([
    ['POST', '/task_runs/', { task_key: 'x' }, ['body', 'dynamic_key']],
    ['POST', '/task_runs/', { ...aTask(), colour: 1 }, ['body', 'colour']],
    ['POST', '/task_runs/', aTask({ state: { type: 'DONE' } }), ['body', 'state', 'type']],
    ['PATCH', `/task_runs/${NOWHERE}`, { name: '' }, ['body', 'name']],
    ['POST', `/task_runs/${NOWHERE}/set_state`, {}, ['body', 'state']],
    ['POST', '/task_runs/filter', { task_runs: { x: {} } }, ['body', 'task_runs', 'x']],
    ['POST', '/task_runs/count', { limit: 1 }, ['body', 'limit']],
    ['POST', '/task_runs/paginate', { page: 0 }, ['body', 'page']],
    ['GET', '/task_run_states/', undefined, ['query', 'task_run_id']],
  ])('%s %s with %j is not valid', async (method, path, body, loc) => {
    const { key } = await aWorkspace()
    const answer = await call(key, method, path, body)
    expect(answer.status).toBe(422)
    const { exception_detail } = answer.body as { exception_detail: { loc: unknown[] }[] }
    expect(exception_detail.map((detail) => detail.loc)).toContainEqual(loc)
  })

  test('another workspace’s task run is as one that never was', async () => {
    const { client } = await aWorkspace()
    const { client: stranger } = await aWorkspace()
    const run = await client.createTaskRun(aTask())
    await expect(stranger.readTaskRun(run.id)).rejects.toMatchObject({ status: 404 })
    await expect(stranger.deleteTaskRun(run.id)).rejects.toMatchObject({ status: 404 })
    expect(await stranger.filterTaskRuns()).toEqual([])
    expect(await client.readTaskRun(run.id)).toMatchObject({ id: run.id })
  })
})
