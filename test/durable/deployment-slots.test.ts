import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { homeKeyOf } from '#core/flow-run-id.ts'
import type { ConcurrencyOptions } from '#core/wire/deployment.ts'
import type { OrchestrationResult, StateCreate } from '#core/wire/state.ts'
import { homeStub } from '../../worker/operations/stubs.ts'
import { call } from '../support/call.ts'
import { asStub } from '../support/objects.ts'
import { API_URL, aWorkspace, fetchWorker } from '../support/workspace.ts'

// The slot of a deployment that a run of Prefect's worker holds by a lease.

const NEW = 'prefect/3.9.1 (API 0.8.4)'
const OLD = 'prefect/3.4.10 (API 0.8.4)'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.UTC(2030, 0, 1))
})
afterEach(() => {
  vi.useRealTimers()
})

interface Result extends OrchestrationResult {
  /** The lease that the state names. */
  lease: string | null | undefined
}

async function aDeployment(options: Partial<ConcurrencyOptions> = {}, hasPool = true) {
  const { client, key, workspace } = await aWorkspace()
  const flow = await client.createFlow({ name: 'flow' })
  const pool = await client.createWorkPool({ name: 'pool', type: 'process' })
  const deployment = await client.createDeployment({
    name: 'deployment',
    flow_id: flow.id,
    ...(hasPool ? { work_pool_name: pool.name } : {}),
    concurrency_limit: 1,
    concurrency_options: { collision_strategy: 'ENQUEUE', ...options },
  })
  const home = asStub(homeStub(workspace, homeKeyOf((await aRun()).id)))
  async function aRun() {
    return await client.createFlowRunFromDeployment(deployment.id)
  }
  return {
    client,
    home,
    deployment,
    aRun,
    /** Proposes a state as a client of that version does. */
    propose: async (id: string, state: StateCreate, agent = NEW): Promise<Result> => {
      const response = await fetchWorker(`${API_URL}/flow_runs/${id}/set_state`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${key}`, 'User-Agent': agent },
        body: JSON.stringify({ state }),
      })
      const result: OrchestrationResult = await response.json()
      return { ...result, lease: result.state?.state_details.deployment_concurrency_lease_id }
    },
    renew: async (lease: string | null | undefined) =>
      (await call(key, 'POST', `/v2/concurrency_limits/leases/${lease ?? ''}/renew`, {})).status,
    release: async (lease: string | null | undefined) =>
      await call(key, 'POST', '/v2/concurrency_limits/decrement-with-lease', { lease_id: lease }),
    inUse: async () =>
      (await client.readConcurrencyLimit(`deployment:${deployment.id}`)).active_slots,
    passes: async (seconds: number) => {
      vi.setSystemTime(Date.now() + seconds * 1000)
      await runDurableObjectAlarm(home)
    },
  }
}

describe('a run', () => {
  test('takes a slot when it becomes Pending and holds it, under one lease, to its end', async () => {
    const { aRun, propose, inUse, renew } = await aDeployment()
    const { id } = await aRun()
    const pending = await propose(id, { type: 'PENDING' })
    expect(pending.lease).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/)
    const nulled = { deployment_concurrency_lease_id: null }
    const states: StateCreate[] = [
      { type: 'PENDING', name: 'Submitting', state_details: nulled },
      { type: 'RUNNING', state_details: nulled },
      { type: 'CANCELLING' },
    ]
    for (const state of states) {
      expect(await propose(id, state)).toMatchObject({ status: 'ACCEPT', lease: pending.lease })
      expect(await inUse()).toBe(1)
    }
    expect(await renew(pending.lease)).toBe(204)
    await propose(id, { type: 'CANCELLED' })
    expect(await inUse()).toBe(0)
    expect(await renew(pending.lease)).toBe(410)
  })

  test('that retries in its process keeps its lease', async () => {
    const { aRun, propose, client, renew } = await aDeployment()
    const { id } = await aRun()
    await client.updateFlowRun(id, { empirical_policy: { retries: 1, retry_delay: 0 } })
    const { lease } = await propose(id, { type: 'PENDING' })
    await propose(id, { type: 'RUNNING' })
    const retry = await propose(id, { type: 'FAILED' })
    expect(retry).toMatchObject({ status: 'REJECT', lease, state: { name: 'AwaitingRetry' } })
    expect(await renew(lease)).toBe(204)
    expect(await propose(id, { type: 'RUNNING' })).toMatchObject({ status: 'ACCEPT', lease })
  })

  test('that comes too late waits; with CANCEL_NEW it is cancelled', async () => {
    for (const [strategy, type] of [
      ['ENQUEUE', 'SCHEDULED'],
      ['CANCEL_NEW', 'CANCELLED'],
    ] as const) {
      const { aRun, propose } = await aDeployment({ collision_strategy: strategy })
      await propose((await aRun()).id, { type: 'PENDING' })
      const late = await propose((await aRun()).id, { type: 'PENDING' })
      expect(late).toMatchObject({ status: 'REJECT', state: { type } })
    }
  })

  test('of a deployment whose limit is 0 does not begin', async () => {
    const { aRun, propose, client, deployment } = await aDeployment()
    await client.updateConcurrencyLimit(`deployment:${deployment.id}`, { limit: 0 })
    expect(await propose((await aRun()).id, { type: 'PENDING' })).toMatchObject({ status: 'ABORT' })
  })

  test('that is served without a pool holds a slot too', async () => {
    const { aRun, propose, inUse } = await aDeployment({}, false)
    const [first, second] = [await aRun(), await aRun()]
    const { lease } = await propose(first.id, { type: 'PENDING' })
    expect(lease).toEqual(expect.any(String))
    expect(await propose(second.id, { type: 'PENDING' })).toMatchObject({
      status: 'REJECT',
      state: { name: 'AwaitingConcurrencySlot' },
    })
    await propose(first.id, { type: 'RUNNING' })
    expect(await inUse()).toBe(1)
    await propose(first.id, { type: 'COMPLETED' })
    expect(await inUse()).toBe(0)
  })

  test('of a deployment without a limit has no lease', async () => {
    const { aRun, propose, client, deployment } = await aDeployment()
    await client.deleteConcurrencyLimit(`deployment:${deployment.id}`)
    const { lease } = await propose((await aRun()).id, { type: 'PENDING' })
    expect(lease ?? null).toBeNull()
  })

  test('that has to wait under CANCEL_NEW is cancelled where it would be late', async () => {
    const { aRun, propose, client, passes } = await aDeployment({
      collision_strategy: 'CANCEL_NEW',
    })
    const [first, second] = [await aRun(), await aRun()]
    await propose(first.id, { type: 'PENDING' })
    await passes(20)
    await passes(20)
    expect(await client.readFlowRun(second.id)).toMatchObject({ state_name: 'Cancelled' })
  })
})

describe('a holder that says nothing', () => {
  test('loses its slot when the lease ends, and nothing else', async () => {
    const { aRun, propose, inUse, passes, client, renew, home } = await aDeployment()
    const killed = await aRun()
    await propose(killed.id, { type: 'PENDING' })
    const { lease } = await propose(killed.id, { type: 'RUNNING' })
    await evictDurableObject(home)
    await passes(299)
    expect(await inUse()).toBe(1)
    await passes(2)
    expect(await inUse()).toBe(0)
    expect(await client.readFlowRun(killed.id)).toMatchObject({ state_type: 'RUNNING' })
    expect(await renew(lease)).toBe(410)
    const next = await aRun()
    expect(await propose(next.id, { type: 'PENDING' })).toMatchObject({ status: 'ACCEPT' })
    await propose(killed.id, { type: 'COMPLETED' })
    expect(await inUse()).toBe(1)
  })

  test('has the grace period of its deployment to start', async () => {
    const { aRun, propose, inUse, passes } = await aDeployment({ grace_period_seconds: 60 })
    await propose((await aRun()).id, { type: 'PENDING' })
    await passes(59)
    expect(await inUse()).toBe(1)
    await passes(2)
    expect(await inUse()).toBe(0)
  })

  test('gets another slot when it starts after all, if there is one', async () => {
    const { aRun, propose, passes, inUse } = await aDeployment({ grace_period_seconds: 60 })
    const [slow, quick] = [await aRun(), await aRun()]
    const { lease } = await propose(slow.id, { type: 'PENDING' })
    await passes(61)
    const running = await propose(slow.id, { type: 'RUNNING' })
    expect(running).toMatchObject({
      status: 'ACCEPT',
      lease: expect.not.stringMatching(lease ?? ''),
    })
    expect(await inUse()).toBe(1)
    await propose(slow.id, { type: 'COMPLETED' })
    await propose(quick.id, { type: 'PENDING' })
    await passes(61)
    await propose((await aRun()).id, { type: 'PENDING' })
    expect(await propose(quick.id, { type: 'RUNNING' })).toMatchObject({
      status: 'REJECT',
      state: { type: 'CANCELLED' },
    })
  })

  test('goes on as long as it renews, and may give its slot back', async () => {
    const { aRun, propose, passes, inUse, renew, release } = await aDeployment()
    const { id } = await aRun()
    await propose(id, { type: 'PENDING' })
    const { lease } = await propose(id, { type: 'RUNNING' })
    for (let count = 0; count < 4; count += 1) {
      await passes(225)
      expect(await renew(lease)).toBe(204)
    }
    expect(await inUse()).toBe(1)
    await release(lease)
    expect(await inUse()).toBe(0)
  })

  test('keeps its slot when the control plane itself was away', async () => {
    const { aRun, propose, passes, inUse, renew } = await aDeployment()
    const { id } = await aRun()
    await propose(id, { type: 'PENDING' })
    const { lease } = await propose(id, { type: 'RUNNING' })
    await passes(400)
    expect(await inUse()).toBe(1)
    expect(await renew(lease)).toBe(204)
  })

  test.each([[OLD], ['python-httpx/0.28'], ['']])(
    'and is no client that renews (%s) keeps its slot until its state says otherwise',
    async (agent) => {
      const { aRun, propose, passes, inUse } = await aDeployment()
      const { id } = await aRun()
      await propose(id, { type: 'PENDING' }, agent)
      await propose(id, { type: 'RUNNING' }, agent)
      await passes(301)
      expect(await inUse()).toBe(1)
      await propose(id, { type: 'FAILED' }, agent)
      expect(await inUse()).toBe(0)
    },
  )
})

test('whoever asks for slots by the name of a deployment gets its limit and takes nothing', async () => {
  const { deployment, inUse, client } = await aDeployment()
  const names = [`deployment:${deployment.id}`]
  const response = await fetchWorker(`${API_URL}/v2/concurrency_limits/increment`, {
    method: 'POST',
    headers: { Authorization: client.doorbell('pool', { agentId: '', version: 0 }).authorization },
    body: JSON.stringify({ names, slots: 1 }),
  })
  expect(await response.json()).toMatchObject([{ name: names[0], limit: 1 }])
  expect(await inUse()).toBe(0)
})
