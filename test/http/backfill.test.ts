import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const WINDOW = { start_time: '2020-01-01T00:00:00Z', end_time: '2020-01-01T10:00:00Z' }

async function aDeployment(client: Client) {
  const flow = await client.createFlow({ name: 'f' })
  await client.createWorkPool({ name: 'p', type: 'process' })
  return await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    work_pool_name: 'p',
    parameters: { a: 1 },
    schedules: [
      {
        schedule: { interval: 3600, anchor_date: '2020-01-01T00:00:00Z' },
        parameters: { b: 2 },
      },
      { schedule: { interval: 60 }, active: false },
    ],
  })
}

async function send(key: string, method: string, path: string, body?: object) {
  return await fetchWorker(`${API_URL}/deployments/${path}`, {
    method,
    headers: { Authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

/** The hours of 2020-01-01 that have a run. */
async function hours(client: Client): Promise<number[]> {
  const runs = await client.filterFlowRuns({
    sort: 'EXPECTED_START_TIME_ASC',
    flow_runs: { expected_start_time: { before_: '2020-01-02T00:00:00Z' } },
  })
  return runs.map((run) => Number(run.expected_start_time?.slice(11, 13)))
}

test.for([
  [WINDOW, [0, 1, 2]],
  [{ ...WINDOW, min_runs: 5, min_time: 0 }, [0, 1, 2, 3, 4]],
  [{ ...WINDOW, min_time: 4 * 3600 }, [0, 1, 2, 3, 4]],
  [{ ...WINDOW, min_runs: 100 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
  [{ ...WINDOW, min_runs: 100, max_runs: 4 }, [0, 1, 2, 3]],
] as const)('a window of %j has runs at %j', async ([window, expected]) => {
  const { client, key } = await aWorkspace()
  const { id } = await aDeployment(client)
  const answer = await send(key, 'POST', `${id}/schedule`, window)
  expect([answer.status, await answer.json()]).toEqual([200, null])
  expect(await hours(client)).toEqual(expected)
})

test('a date has one run, however often it is asked for and whatever has become of the run', async () => {
  const { client, key } = await aWorkspace()
  const { id } = await aDeployment(client)
  await send(key, 'POST', `${id}/schedule`, WINDOW)
  const [first] = await client.filterFlowRuns({ sort: 'EXPECTED_START_TIME_ASC', limit: 1 })
  expect(first).toMatchObject({
    auto_scheduled: true,
    parameters: { a: 1, b: 2 },
    tags: ['auto-scheduled'],
    work_pool_name: 'p',
  })
  await client.setFlowRunState(first?.id ?? '', { type: 'CANCELLED' })
  await send(key, 'POST', `${id}/schedule`, { ...WINDOW, min_runs: 4 })
  expect(await hours(client)).toEqual([0, 1, 2, 3])
})

test("a deployment's runs are given out by its queue", async () => {
  const { client, key } = await aWorkspace()
  const { id, flow_id, work_queue_id } = await aDeployment(client)
  const check = async (deploymentId: string) =>
    await (await send(key, 'GET', `${deploymentId}/work_queue_check`)).json()
  expect(await check(id)).toMatchObject([{ id: work_queue_id, name: 'default' }])
  const lone = await client.createDeployment({ flow_id, name: 'served' })
  expect(await check(lone.id)).toEqual([])
})

test.for([
  ['POST', `${NOWHERE}/schedule`, {}, 404],
  ['GET', `${NOWHERE}/work_queue_check`, undefined, 404],
  ['POST', `${NOWHERE}/schedule`, { colour: 1 }, 422],
] as const)('%s /deployments/%s is a %i', async ([method, path, body, status]) => {
  const { key } = await aWorkspace()
  expect((await send(key, method, path, body)).status).toBe(status)
})
