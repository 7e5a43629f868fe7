import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import { call, faults } from '../support/call.ts'
import { aWorkspace } from '../support/workspace.ts'

const agent = { agent_id: crypto.randomUUID(), name: 'a', version: '1' }

async function aDeployment(client: Client, extra: object = {}) {
  const flow = await client.createFlow({ name: `f-${crypto.randomUUID()}` })
  await client.createWorkPool({ name: 'p', type: 'process' })
  return await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    work_pool_name: 'p',
    tags: ['all'],
    parameters: { x: 1 },
    ...extra,
  })
}

test('a thousand runs are made by one request, in its order', { timeout: 60_000 }, async () => {
  const { client } = await aWorkspace()
  const deployment = await aDeployment(client)
  const { flow_runs } = await client.createFlowRunsFromDeployment(
    deployment.id,
    Array.from({ length: 1000 }, (_, index) => ({ name: `r${index}`, parameters: { y: index } })),
  )
  expect(new Set(flow_runs.map(({ id }) => id)).size).toBe(1000)
  expect(flow_runs.every(({ created }) => created)).toBe(true)
  expect(await client.countFlowRuns()).toBe(1000)
  expect(await client.readFlowRun(flow_runs[999]?.id ?? '')).toMatchObject({
    name: 'r999',
    parameters: { x: 1, y: 999 },
    tags: ['all'],
    work_queue_name: 'default',
    state_type: 'SCHEDULED',
  })
  const claimed = await client.claim('p', { agent, limit: 2 })
  expect(claimed.runs.map(({ flow_run }) => flow_run.name)).toEqual(['r0', 'r1'])
})

test('keys make each run once, within a request and over several', async () => {
  const { client } = await aWorkspace()
  const { id } = await aDeployment(client)
  const alone = await client.createFlowRunFromDeployment(id, { idempotency_key: 'a' })
  const items = [{ idempotency_key: 'a' }, { idempotency_key: 'b' }, { idempotency_key: 'b' }, {}]
  const first = await client.createFlowRunsFromDeployment(id, items)
  expect(first.flow_runs.map(({ created }) => created)).toEqual([false, true, false, true])
  expect(first.flow_runs[0]?.id).toBe(alone.id)
  expect(first.flow_runs[2]?.id).toBe(first.flow_runs[1]?.id)
  const second = await client.createFlowRunsFromDeployment(id, items)
  expect(second.flow_runs.map(({ created }) => created)).toEqual([false, false, false, true])
  expect(second.flow_runs.slice(0, 3)).toEqual(
    first.flow_runs.slice(0, 3).map((run) => ({ ...run, created: false })),
  )
  expect(await client.countFlowRuns()).toBe(4)
  expect(await client.createFlowRunsFromDeployment(id, [])).toEqual({ flow_runs: [] })
})

test('one item that is refused, and nothing is written', async () => {
  const { client, key } = await aWorkspace()
  const schema = {
    type: 'object',
    properties: { n: { type: 'integer' } },
    required: ['n'],
  }
  const { id } = await aDeployment(client, {
    parameter_openapi_schema: schema,
    enforce_parameter_schema: true,
  })
  const post = async (items: unknown) =>
    await call(key, 'POST', `/deployments/${id}/create_flow_runs`, { flow_runs: items })
  const good = { parameters: { n: 1 }, idempotency_key: 'good', work_queue_name: 'fresh' }
  const refusals: [unknown, (string | number)[]][] = [
    [{ parameters: { n: 'one' } }, [1, 'parameters', 'n']],
    [{ parameters: { n: 1 }, nonsense: true }, [1, 'nonsense']],
    [
      { parameters: { n: 1 }, job_variables: { stream_output: 3 } },
      [1, 'job_variables', 'stream_output'],
    ],
    [
      {
        parameters: { n: 1 },
        state: { type: 'SCHEDULED', state_details: { scheduled_time: 'soon' } },
      },
      [1, 'state', 'state_details', 'scheduled_time'],
    ],
  ]
  for (const [item, place] of refusals) {
    // oxlint-disable-next-line no-await-in-loop
    const answer = await post([good, item])
    expect(answer.status).toBe(422)
    expect(faults(answer.body)).toEqual([['body', 'flow_runs', ...place]])
  }
  expect(await client.countFlowRuns()).toBe(0)
  expect((await call(key, 'GET', '/work_pools/p/queues/fresh')).status).toBe(404)
  expect((await post(Array.from({ length: 1001 }, () => good))).status).toBe(422)
  const made = await client.createFlowRunsFromDeployment(id, [good])
  expect(made.flow_runs[0]?.created).toBe(true)
})

test("another workspace's deployment is not found", async () => {
  const { client } = await aWorkspace()
  const { id } = await aDeployment(client)
  const { client: stranger } = await aWorkspace()
  await expect(stranger.createFlowRunsFromDeployment(id, [{}])).rejects.toMatchObject({
    status: 404,
  })
  expect(await client.countFlowRuns()).toBe(0)
})
