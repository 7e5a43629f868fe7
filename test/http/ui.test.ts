import { expect, test } from 'vitest'
import { aDeployment, aFlow, aFlowRun, aTaskRun } from '../support/builders.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const at = (minute: number) => `2020-01-01T00:${String(minute).padStart(2, '0')}:00.000000Z`

async function ask(key: string, path: string, body?: object) {
  const answer = await fetchWorker(`${API_URL}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { Authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: await answer.json<unknown>() }
}

test('flow runs are points in time, and their task runs are counted', async () => {
  const { key, workspace } = await aWorkspace()
  const done = { state_type: 'COMPLETED', state_name: 'Completed', total_run_time: 3 } as const
  const started = await aFlowRun(workspace, {
    ...done,
    expected_start_time: at(0),
    start_time: at(1),
  })
  const waiting = await aFlowRun(workspace, { ...done, expected_start_time: at(2) })
  const task = await aTaskRun(workspace, { flow_run_id: started.id })
  await aTaskRun(workspace, { flow_run_id: started.id })
  await aFlowRun(workspace, { parent_task_run_id: task.id })
  const filter = { flow_runs: { id: { any_: [started.id, waiting.id] } } }
  expect((await ask(key, '/ui/flow_runs/history', filter)).body).toEqual([
    { id: waiting.id, state_type: 'COMPLETED', timestamp: at(2), duration: 3, lateness: 0 },
    { id: started.id, state_type: 'COMPLETED', timestamp: at(1), duration: 3, lateness: 60 },
  ])
  const ids = [started.id, waiting.id]
  expect((await ask(key, '/ui/flow_runs/count-task-runs', { flow_run_ids: ids })).body).toEqual({
    [started.id]: 1,
    [waiting.id]: 0,
  })
})

test('of flows, deployments are counted and the next run is told', async () => {
  const { key, workspace } = await aWorkspace()
  const [busy, idle] = [await aFlow(workspace), await aFlow(workspace)]
  await aDeployment(workspace, { flow_id: busy.id })
  await aFlowRun(workspace, { flow_id: busy.id, next_scheduled_start_time: at(5) })
  const next = await aFlowRun(workspace, { flow_id: busy.id, next_scheduled_start_time: at(3) })
  const body = { flow_ids: [busy.id, idle.id] }
  expect((await ask(key, '/ui/flows/count-deployments', body)).body).toEqual({
    [busy.id]: 1,
    [idle.id]: 0,
  })
  expect((await ask(key, '/ui/flows/next-runs', body)).body).toEqual({
    [busy.id]: {
      id: next.id,
      flow_id: busy.id,
      name: next.name,
      state_name: 'Scheduled',
      state_type: 'SCHEDULED',
      next_scheduled_start_time: at(3),
    },
    [idle.id]: null,
  })
})

test('task runs are counted by state and by time, and read with the name of their run', async () => {
  const { key, workspace } = await aWorkspace()
  const run = await aFlowRun(workspace, { name: 'of-many' })
  const of = { flow_run_id: run.id }
  await aTaskRun(workspace, { ...of, state_type: 'COMPLETED', start_time: at(0) })
  const failed = await aTaskRun(workspace, { ...of, state_type: 'CRASHED', start_time: at(19) })
  await aTaskRun(workspace, { ...of, state_type: 'RUNNING', start_time: at(3) })
  const byState = await ask(key, '/ui/task_runs/count', { flow_runs: { id: { any_: [run.id] } } })
  expect(byState.body).toMatchObject({ COMPLETED: 1, CRASHED: 1, RUNNING: 1, FAILED: 0 })
  const byTime = await ask(key, '/ui/task_runs/dashboard/counts', {
    task_runs: { start_time: { after_: at(0), before_: '2020-01-01T00:19:30Z' } },
  })
  const buckets = byTime.body as { completed: number; failed: number }[]
  expect(buckets).toHaveLength(20)
  expect([buckets[0], buckets[3], buckets[19]]).toEqual([
    { completed: 1, failed: 0 },
    { completed: 0, failed: 0 },
    { completed: 0, failed: 1 },
  ])
  expect((await ask(key, `/ui/task_runs/${failed.id}`)).body).toMatchObject({
    id: failed.id,
    flow_run_name: null,
  })
  expect((await ask(key, `/ui/task_runs/${NOWHERE}`)).status).toBe(404)
  expect((await ask(key, '/ui/task_runs/dashboard/counts', { task_runs: {} })).status).toBe(422)
})

test('values are judged by a schema, each fault in its place', async () => {
  const { client, key } = await aWorkspace()
  await client.createVariable({ name: 'n', value: 3 })
  const schema = {
    type: 'object',
    properties: {
      n: { type: 'integer' },
      list: { type: 'array', items: { type: 'object', properties: { s: { type: 'string' } } } },
    },
    required: ['n'],
  }
  const judge = async (values: object, by: object = schema) =>
    await ask(key, '/ui/schemas/validate', { schema: by, values })
  const variable = { __prefect_kind: 'workspace_variable', variable_name: 'n' }
  expect((await judge({ n: variable })).body).toEqual({ errors: [], valid: true })
  expect((await judge({ list: [{}, { s: 1 }] })).body).toEqual({
    errors: [
      { property: 'n', errors: ["'n' is a required property"] },
      {
        property: 'list',
        errors: [
          {
            index: 1,
            errors: [{ property: 's', errors: [expect.stringContaining('is not of type')] }],
          },
        ],
      },
    ],
    valid: false,
  })
  const template = { __prefect_kind: 'jinja', template: '{{ event.id }}' }
  expect((await judge({ n: template })).body).toEqual({ errors: [], valid: true })
  const unknown = { __prefect_kind: 'workspace_variable', variable_name: 'nobody' }
  expect((await judge({ n: unknown, list: 1 })).body).toMatchObject({
    errors: [
      { property: 'n', errors: [expect.stringContaining("'nobody'")] },
      { property: 'list', errors: [expect.stringContaining('is not of type')] },
    ],
  })
  expect((await judge({}, { type: 'nonsense' })).status).toBe(422)
  expect((await judge({}, { $ref: '#' })).status).toBe(422)
})

test('states that were seen are told, by their beginning', async () => {
  const { client, key } = await aWorkspace()
  const flow = await client.createFlow({ name: 'f' })
  const run = await client.createFlowRun({ flow_id: flow.id })
  await client.setFlowRunState(run.id, { type: 'RUNNING', name: 'Rolling' })
  const names = async (query: string) =>
    ((await ask(key, `/observed-states${query}`)).body as { state_name: string }[]).map(
      (state) => state.state_name,
    )
  expect(await names('')).toEqual(['Rolling', 'Pending'])
  expect(await names('?order_by=NAME_ASC')).toEqual(['Pending', 'Rolling'])
  expect(await names('?query=RO')).toEqual(['Rolling'])
  expect(await names('?query=running')).toEqual(['Rolling'])
  expect(await names('?limit=1')).toEqual(['Rolling'])
  expect((await ask(key, '/observed-states?limit=0')).status).toBe(422)
})
