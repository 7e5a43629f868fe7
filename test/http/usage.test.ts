import { runInDurableObject } from 'cloudflare:test'
import { expect, test } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import { PLANS } from '#domain/plans.ts'
import { dayOf, monthEnd, monthOf } from '#domain/usage.ts'
import { newApp } from '../../worker/app.ts'
import { call } from '../support/call.ts'
import { eventually } from '../support/eventually.ts'
import { limitAccount, tellingHomes } from '../support/usage.ts'
import {
  API_URL,
  aWorkspace,
  bindings,
  clientOf,
  type TestWorkspace,
} from '../support/workspace.ts'

async function aDeployment({ client }: TestWorkspace, given: object = {}) {
  const flow = await client.createFlow({ name: 'f' })
  await client.createWorkPool({ name: 'p', type: 'process' })
  return await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    work_pool_name: 'p',
    ...given,
  })
}

const aLine = (flow_run_id: string) => ({
  name: 'test',
  level: 20,
  message: 'hello',
  timestamp: formatTimestamp(Date.now() * 1000),
  flow_run_id,
})

test('what a workspace has used is told at once, by day, with the month and the plan of its account', async () => {
  const made = await aWorkspace()
  const { client } = made
  const deployment = await aDeployment(made)
  const run = await client.createFlowRunFromDeployment(deployment.id)
  await client.createFlowRunFromDeployment(deployment.id)
  await client.createFlowRun({ flow_id: deployment.flow_id })
  await client.createTaskRun({ flow_run_id: run.id, task_key: 't', dynamic_key: '0' })
  await client.createLogs([aLine(run.id)])
  const now = Date.now() * 1000
  const used = await eventually(async () => {
    const found = await client.readUsage()
    return found.month.flow_runs === 3 && found.month.log_bytes > 0 ? found : null
  })
  expect(used).toMatchObject({
    plan: 'self_hosted',
    limits: PLANS.self_hosted,
    month: { resets: formatTimestamp(monthEnd(now)), from: expect.stringContaining(monthOf(now)) },
  })
  const [today] = used.days
  expect(today).toMatchObject({ day: dayOf(now), flow_runs: 3 })
  expect(used.days).toHaveLength(1)
  // Without more nothing is added.
  expect((await client.readUsage()).month).toMatchObject({ flow_runs: 3 })
})

test('another account sees nothing of it', async () => {
  const made = await aWorkspace()
  const deployment = await aDeployment(made)
  await made.client.createFlowRunFromDeployment(deployment.id)
  await made.client.readUsage()
  const other = await aWorkspace()
  const { month, days } = await other.client.readUsage()
  expect([month.flow_runs, days]).toEqual([0, []])
})

test('who may not manage the workspace may not see it', async () => {
  const { client } = await aWorkspace()
  const { key } = await client.createApiKey({
    name: 'developer',
    kind: 'workspace',
    scopes: ['see', 'run', 'write'],
  })
  await expect(clientOf(key).readUsage()).rejects.toMatchObject({ status: 403 })
})

test('once its runs are used up an account makes no more, and is told why and until when', async () => {
  const made = await aWorkspace()
  const { client, workspace, key } = made
  const deployment = await aDeployment(made)
  const path = `/deployments/${deployment.id}/create_flow_run`
  await client.createFlowRunFromDeployment(deployment.id, { idempotency_key: 'first' })
  await limitAccount(workspace, { flow_runs: 3 })
  await client.createFlowRunFromDeployment(deployment.id)
  // The home knows of the limit since it has told what it counted.
  await client.readUsage()
  await client.createFlowRunFromDeployment(deployment.id)
  const refused = await call(key, 'POST', path, {})
  expect(refused).toEqual({
    status: 402,
    body: {
      detail: expect.stringMatching(
        /^The account's plan 'self_hosted' has 3 flow runs in a month, and those of \d{4}-\d\d are used up; the next month begins at \d{4}-\d\d-01T00:00:00\.000000Z\.$/,
      ),
    },
  })
  const many = await call(key, 'POST', `/deployments/${deployment.id}/create_flow_runs`, {
    flow_runs: [{}, {}],
  })
  expect(many.status).toBe(402)
  expect(await client.countFlowRuns()).toBe(3)
  // What is there already is answered as it is.
  const again = await call(key, 'POST', path, { idempotency_key: 'first' })
  expect(again.status).toBe(200)
  const events = await eventually(async () => {
    const page = await client.filterEvents({
      filter: { event: { name: ['headgate.quota.flow-runs.exhausted'] } },
    })
    return page.events.length > 0 ? page.events : null
  })
  expect(events).toHaveLength(1)
  expect(events[0]?.resource['prefect.resource.id']).toBe(`headgate.workspace.${workspace.id}`)
})

test('schedules of an account that has used up its runs make none, and go on when there is room', async () => {
  const made = await aWorkspace()
  const { client, workspace } = made
  const deployment = await aDeployment(made)
  await client.createFlowRunFromDeployment(deployment.id)
  await limitAccount(workspace, { flow_runs: 3 })
  await client.createFlowRunFromDeployment(deployment.id)
  await client.readUsage()
  await client.createSchedules(deployment.id, [{ schedule: { interval: 86_400 } }])
  const scheduled = async () =>
    await client.countFlowRuns({ flow_runs: { state: { type: { any_: ['SCHEDULED'] } } } })
  // Two by hand, and the one that there was room for.
  expect(await scheduled()).toBe(3)
  await limitAccount(workspace, null)
  await client.readUsage()
  const homes = await tellingHomes(workspace)
  await eventually(async () => {
    for (const home of homes) {
      // oxlint-disable-next-line no-await-in-loop -- there is one
      await runInDurableObject(home, async (object, { storage }) => {
        storage.sql.exec('UPDATE schedule_timer SET at = 0')
        await (object as unknown as { alarm: () => unknown }).alarm()
      })
    }
    return (await scheduled()) > 3
  })
})

const OPERATOR_KEY = 'the key of the operator'

async function asOperator(method: string, path: string, body?: object, key = OPERATOR_KEY) {
  const init = {
    method,
    headers: { Authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }
  const env = { ...bindings, HEADGATE_OPERATOR_KEY: OPERATOR_KEY, HEADGATE_PLAN: 'team' }
  return await newApp().request(`${API_URL}/admin/accounts/${path}/plan`, init, env)
}

test('the operator alone reads and sets the plan of an account', async () => {
  const { workspace } = await aWorkspace()
  const id = workspace.account_id
  expect((await asOperator('GET', id, undefined, 'another')).status).toBe(404)
  expect((await asOperator('PUT', id, { plan: 'free' }, 'another')).status).toBe(404)
  expect((await asOperator('GET', crypto.randomUUID())).status).toBe(404)
  const before = await asOperator('GET', id)
  expect(await before.json()).toEqual({
    plan: null,
    limits: null,
    in_force: { plan: 'team', limits: PLANS.team },
  })
  const set = await asOperator('PUT', id, {
    plan: 'free',
    limits: { flow_runs: 5, log_bytes: null },
  })
  expect(set.status).toBe(200)
  expect(await (await asOperator('GET', id)).json()).toEqual({
    plan: 'free',
    limits: { flow_runs: 5, log_bytes: null },
    in_force: { plan: 'free', limits: { ...PLANS.free, flow_runs: 5, log_bytes: null } },
  })
  for (const wrong of [{ plan: 'none' }, { limits: { flow_runs: -1 } }, { limits: { runs: 1 } }]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    expect((await asOperator('PUT', id, wrong)).status).toBe(422)
  }
})
