import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { homeKeyOf } from '#core/flow-run-id.ts'
import { formatTimestamp } from '#core/time.ts'
import type { DeploymentUpdate } from '#core/wire/deployment.ts'
import type { StateCreate } from '#core/wire/state.ts'
import { homeStub } from '../../worker/operations/stubs.ts'
import { eventually } from '../support/eventually.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace } from '../support/workspace.ts'

// Keys, caps and latest starts, from the deployment to the claim.

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.UTC(2030, 0, 1))
})
afterEach(() => {
  vi.useRealTimers()
})

async function aDeployment(given: Omit<DeploymentUpdate, 'schedules'>) {
  const { client, workspace } = await aWorkspace()
  const flow = await client.createFlow({ name: 'flow' })
  const pool = await client.createWorkPool({ name: 'pool', type: 'process' })
  const deployment = await client.createDeployment({
    name: 'deployment',
    flow_id: flow.id,
    work_pool_name: pool.name,
    enforce_parameter_schema: false,
    ...given,
  })
  const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }
  return {
    client,
    deployment,
    aRun: async (customer: string, fields: { start_before?: string; state?: StateCreate } = {}) =>
      await client.createFlowRunFromDeployment(deployment.id, {
        parameters: { customer },
        ...fields,
      }),
    claim: async (limit: number) => {
      const { runs } = await client.claim(pool.name, { agent, limit, wait_seconds: 0 })
      return runs.map(({ flow_run, fence }) => ({ ...flow_run, fence }))
    },
    finish: async ({ id, fence }: { id: string; fence: number }) => {
      const execution = { flow_run_id: id, fence }
      await client.accept(pool.name, { agent_id: agent.agent_id, executions: [execution] })
      await client.finish(pool.name, {
        agent_id: agent.agent_id,
        executions: [{ ...execution, exit_code: 0 }],
      })
    },
    home: (id: string) => asStub(homeStub(workspace, homeKeyOf(id))),
  }
}

const scheduledIn = (seconds: number): StateCreate => ({
  type: 'SCHEDULED',
  state_details: { scheduled_time: formatTimestamp((Date.now() + seconds * 1000) * 1000) },
})
const byCustomer = (limit: number | null = null, weights: Record<string, number> = {}) => ({
  concurrency_key: { template: '{{ parameters.customer }}', limit, weights },
})
const keysOf = (runs: { concurrency_key: string | null }[]) =>
  runs.map(({ concurrency_key }) => concurrency_key ?? '-').join(' ')

describe('keys', () => {
  test('are rendered, take turns by weight, and keep their turns when the home is evicted', async () => {
    const { aRun, claim, home } = await aDeployment(byCustomer(null, { b: 2 }))
    let id = ''
    for (const customer of ['a', 'a', 'a', 'b', 'b', 'b', 'b', '']) {
      // In this order.
      // oxlint-disable-next-line no-await-in-loop
      id = (await aRun(customer)).id
    }
    expect(keysOf(await claim(3))).toBe('- b a')
    await evictDurableObject(home(id))
    vi.setSystemTime(Date.now() + 1000)
    expect(keysOf(await claim(5))).toBe('b b a b a')
  })

  test('have a limit each; the end of a run gives its slot to the next of its key', async () => {
    const { aRun, claim, finish, client } = await aDeployment(byCustomer(1))
    await aRun('a')
    const waiting = await aRun('a')
    await aRun('b')
    const [first, second] = await claim(5)
    expect(keysOf([first, second].flatMap((run) => run ?? []))).toBe('a b')
    expect(await claim(5)).toEqual([])
    expect(await client.explainFlowRun(waiting.id)).toMatchObject({
      waiting: true,
      position: 1,
      rule: { kind: 'key_limit', key: 'a', limit: 1, live: 1 },
    })
    if (first !== undefined) {
      await finish(first)
    }
    expect(keysOf(await claim(5))).toBe('a')
  })

  test('a limit that was lowered holds at the next claim', async () => {
    const { aRun, claim, client, deployment } = await aDeployment(byCustomer(3))
    for (let count = 0; count < 4; count += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await aRun('a')
    }
    expect(await claim(1)).toHaveLength(1)
    await client.updateDeployment(deployment.id, byCustomer(1))
    expect(await claim(5)).toEqual([])
    await client.updateDeployment(deployment.id, { concurrency_key: null })
    expect(await claim(5)).toHaveLength(3)
  })

  test('a template that is none is refused by its field', async () => {
    const bad = { concurrency_key: { template: '{{ parameters.', limit: null, weights: {} } }
    await expect(aDeployment(bad)).rejects.toMatchObject({ status: 422 })
    const { client, deployment, aRun } = await aDeployment({
      concurrency_key: { template: '{{ 1 // parameters.n }}', limit: null, weights: {} },
    })
    await expect(client.updateDeployment(deployment.id, bad)).rejects.toMatchObject({ status: 422 })
    await expect(aRun('a')).rejects.toMatchObject({ status: 422 })
  })
})

test('a run that has not begun in time is cancelled, whether or not the alarm has rung', async () => {
  const { aRun, claim, home, client } = await aDeployment({ start_within_seconds: 30 })
  const own = await aRun('a', { start_before: formatTimestamp((Date.now() + 10_000) * 1000) })
  const other = await aRun('b')
  expect(other.start_before).toMatch(/^2030-01-01T00:00:30/)
  vi.setSystemTime(Date.now() + 11_000)
  expect((await claim(1)).map(({ id }) => id)).toEqual([other.id])
  expect(await client.readFlowRun(own.id)).toMatchObject({
    state_type: 'CANCELLED',
    state: { message: expect.stringContaining('start_before') },
  })
  const last = await aRun('c')
  vi.setSystemTime(Date.now() + 31_000)
  await runDurableObjectAlarm(home(last.id))
  expect(await client.readFlowRun(last.id)).toMatchObject({ state_type: 'CANCELLED' })
})

test('a run of a date for which the platform takes no alarm is looked at on the way', async () => {
  const { aRun, home } = await aDeployment({})
  const scheduled_time = '2999-01-01T00:00:00Z'
  const { id } = await aRun('a', {
    state: { type: 'SCHEDULED', state_details: { scheduled_time } },
  })
  const days = await eventually(async () => {
    vi.setSystemTime(Date.now() + 1000)
    await runDurableObjectAlarm(home(id))
    const at = await runInDurableObject(home(id), (_, state) => state.storage.getAlarm())
    return at !== null && at - Date.now() > 86_400_000 ? (at - Date.now()) / 86_400_000 : undefined
  })
  expect(Math.round(days)).toBe(365)
})

test('one run more than may wait is cancelled', async () => {
  const { aRun, claim } = await aDeployment({ max_waiting_runs: 2 })
  const states: (string | null)[] = []
  for (let count = 0; count < 3; count += 1) {
    // oxlint-disable-next-line no-await-in-loop
    states.push((await aRun('a')).state_type)
  }
  expect(states).toEqual(['SCHEDULED', 'SCHEDULED', 'CANCELLED'])
  expect(await claim(1)).toHaveLength(1)
  expect((await aRun('a')).state_type).toBe('SCHEDULED')
})

test('a run whose claim was not accepted waits again, however many wait in front of it by then', async () => {
  const { client, aRun, claim, home } = await aDeployment({ max_waiting_runs: 2 })
  const first = await aRun('a')
  expect(await claim(1)).toMatchObject([{ id: first.id }])
  const older = { state: scheduledIn(-3600) }
  await aRun('b', older)
  await aRun('c', older)
  expect((await aRun('d', older)).state_type).toBe('CANCELLED')
  for (let rings = 0; rings < 3; rings += 1) {
    vi.setSystemTime(Date.now() + 16_000)
    // oxlint-disable-next-line no-await-in-loop
    await runDurableObjectAlarm(home(first.id))
  }
  expect(await client.readFlowRun(first.id)).toMatchObject({ state_type: 'SCHEDULED' })
  const claimed = await claim(3)
  expect(claimed.map(({ parameters }) => parameters['customer'])).toEqual(['b', 'c', 'a'])
})

test.for([1, 600])(
  'of runs that become due one more than may wait is cancelled, by an alarm %i s later',
  async (late) => {
    const { client, aRun, home } = await aDeployment({ max_waiting_runs: 2 })
    const runs = [60, 61, 62].map(async (after) => await aRun('a', { state: scheduledIn(after) }))
    const ids = (await Promise.all(runs)).map(({ id }) => id)
    vi.setSystemTime(Date.now() + 62_000 + late * 1000)
    await runDurableObjectAlarm(home(ids[0] ?? ''))
    const states = ids.map(async (id) => (await client.readFlowRun(id)).state_type)
    expect(await Promise.all(states)).toEqual(['SCHEDULED', 'SCHEDULED', 'CANCELLED'])
  },
)

test('no query of a claim looks at all waiting runs', async () => {
  const { aRun, home } = await aDeployment({ ...byCustomer(1), concurrency_limit: 1 })
  const { id } = await aRun('a')
  const plans = await runInDurableObject(home(id), (_, state) =>
    [
      "SELECT id, deployment_id, due, position FROM run WHERE queue_id = 'q' AND line = '' AND due IS NOT NULL AND due <= 9 AND (due, position) > (1, 2) AND (deployment_id IS NULL OR deployment_id NOT IN (SELECT value FROM json_each('[]'))) ORDER BY due, position LIMIT 9",
      "SELECT min(line) FROM run WHERE queue_id = 'q' AND due IS NOT NULL AND line > 'd ' AND line < 'e'",
      "SELECT deployment_id, key, turn, due, position FROM line WHERE awake = 1 AND queue_id = 'q' AND deployment_id = 'd' AND (turn, due, position) > (1, 2, 3) AND key NOT IN (SELECT value FROM json_each('[]')) ORDER BY turn, due, position LIMIT 9",
      "SELECT min(deployment_id) FROM line WHERE awake = 1 AND queue_id = 'q' AND deployment_id > 'd'",
      'UPDATE line SET awake = 1 WHERE awake = 0 AND due <= 9',
      'SELECT min(timer_at) AS at FROM run WHERE timer_at IS NOT NULL',
    ].map((query) =>
      state.storage.sql
        .exec<{ detail: string }>(`EXPLAIN QUERY PLAN ${query}`)
        .toArray()
        .map(({ detail }) => detail)
        .join('; '),
    ),
  )
  for (const plan of plans) {
    expect(plan).toMatch(/SEARCH (run|line) USING (COVERING )?INDEX/)
    expect(plan).not.toMatch(/SCAN (run|line)|TEMP B-TREE/)
  }
})
