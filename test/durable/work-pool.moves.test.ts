import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { homeKeyOf } from '#core/flow-run-id.ts'
import { formatTimestamp } from '#core/time.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import { commit } from '#storage/commit.ts'
import { findDeployment, updateDeployment } from '#storage/deployments.ts'
import { readHomeWorkPoolByName, removeWorkPool } from '#storage/work-pools.ts'
import { homeContext } from '../../worker/operations/configure-home.ts'
import { homeStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, type TestWorkspace } from '../support/workspace.ts'

// In the future, since an alarm in the past rings by itself.
const START = Date.parse('2030-06-01T12:00:00Z')
const HOUR = 3600
const isoAt = (seconds: number) => formatTimestamp((START + seconds * 1000) * 1000)
const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(START)
})
afterEach(() => {
  vi.useRealTimers()
})

async function aPool(test: TestWorkspace) {
  const pool = await test.client.createWorkPool({ name: crypto.randomUUID(), type: 'process' })
  const config = await readHomeWorkPoolByName(test.workspace, pool.name)
  const key = config?.home_key ?? ''
  const remote = homeStub(test.workspace, key)
  return {
    id: pool.id,
    name: pool.name,
    key,
    remote,
    stub: asStub(remote),
    queue: pool.default_queue_id,
    context: homeContext(test.workspace, key),
  }
}
type Pool = Awaited<ReturnType<typeof aPool>>

/** An hourly deployment in the first of three pools. */
async function aDeployment() {
  const test = await aWorkspace()
  const { client } = test
  const pools = [await aPool(test), await aPool(test), await aPool(test)] as const
  const flow = await client.createFlow({ name: 'flow' })
  const { id } = await client.createDeployment({
    name: 'deployment',
    flow_id: flow.id,
    work_pool_name: pools[0].name,
    entrypoint: 'hello.ts:hello',
    enforce_parameter_schema: false,
    schedules: [{ schedule: { interval: HOUR, anchor_date: isoAt(600), timezone: 'UTC' } }],
  })
  const runs = async (): Promise<FlowRun[]> =>
    await client.filterFlowRuns({
      flow_runs: { deployment_id: { any_: [id] } },
      sort: 'NEXT_SCHEDULED_START_TIME_ASC',
    })
  /** Where which dates wait: by pool, seconds from the start. */
  const due = async (pool: Pool) =>
    (await runs())
      .filter((run) => homeKeyOf(run.id) === pool.key && run.state_type === 'SCHEDULED')
      .map((run) => (Date.parse(run.next_scheduled_start_time ?? '') - START) / 1000)
  return { test, client, id, pools, runs, due }
}

/** Lets the alarm ring at that time, and what it starts be done, until the condition holds. */
async function ringUntil(seconds: number, pools: readonly Pool[], holds: () => Promise<boolean>) {
  vi.setSystemTime(START + seconds * 1000)
  for (let rings = 0; rings < 200; rings += 1) {
    for (const { stub } of pools) {
      await runDurableObjectAlarm(stub)
    }
    if (await holds()) {
      return
    }
    vi.setSystemTime(Date.now() + 100)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(await holds()).toBe(true)
}

const rowsOf = async ({ stub }: Pool, table: string) =>
  await runInDurableObject(stub, (_, state) =>
    state.storage.sql.exec(`SELECT * FROM ${table}`).toArray(),
  )

/** What the API does for a move, up to the point at which it dies. */
async function moveAndDie(
  { test, id }: { test: TestWorkspace; id: string },
  from: Pool,
  to: Pool,
  until: 'announced' | 'committed',
) {
  await from.remote.expectChange(from.context, 'deployment', id)
  await to.remote.expectArrival(to.context, id, from.key)
  if (until === 'committed') {
    const now = Date.now() * 1000
    const version_number =
      (await findDeployment(test.workspace, id, now))?.version_number ?? Number.NaN
    const fields = { home_key: to.key, work_queue_id: to.queue ?? null }
    await commit(test.workspace, [
      updateDeployment(test.workspace, { id, version_number }, fields, now),
    ])
  }
}

const HOURLY = [600, 600 + HOUR, 600 + 2 * HOUR]

describe('a deployment that moves to another pool', () => {
  it('takes the dates along that have had their run', async () => {
    const { client, id, pools, runs, due } = await aDeployment()
    const [from, to] = pools
    const [first] = await runs()
    await client.setFlowRunState(first?.id ?? '', { type: 'CANCELLING' })
    await client.updateDeployment(id, { work_pool_name: to.name })
    expect(await due(from)).toEqual([])
    expect(await due(to)).toEqual([600 + HOUR, 600 + 2 * HOUR])
    const keys = (await runs()).map((run) => run.idempotency_key)
    expect(new Set(keys).size).toBe(keys.length)
    expect(await rowsOf(to, 'arrival')).toEqual([])
    // And back.
    await client.updateDeployment(id, { work_pool_name: from.name })
    expect(await due(from)).toEqual([600 + HOUR, 600 + 2 * HOUR])
    expect(await due(to)).toEqual([])
  })

  it('leaves what waits where it is, to be started from there', async () => {
    const { client, id, pools } = await aDeployment()
    const [from, to] = pools
    const manual = await client.createFlowRunFromDeployment(id)
    vi.setSystemTime(START + 610_000)
    await client.updateDeployment(id, { work_pool_name: to.name })
    const { runs } = await client.claim(from.name, { agent, limit: 5 })
    expect(runs.map(({ flow_run }) => flow_run.id)).toContain(manual.id)
    // The one of the schedule that was due has waited as well.
    expect(runs).toHaveLength(2)
    for (const { deployment } of runs) {
      expect(deployment).toMatchObject({ id, entrypoint: 'hello.ts:hello' })
    }
  })

  it('arrives though the API and both homes die after the change', async () => {
    const given = await aDeployment()
    const [from, to] = given.pools
    await moveAndDie(given, from, to, 'committed')
    await evictDurableObject(from.stub)
    await evictDurableObject(to.stub)
    expect(await given.due(from)).toEqual(HOURLY)
    await ringUntil(3, [to, from], async () => (await given.due(to)).length > 0)
    expect(await given.due(from)).toEqual([])
    expect(await given.due(to)).toEqual(HOURLY)
    expect(await rowsOf(to, 'arrival')).toEqual([])
  })

  it('begins nowhere before its old home has let go of it', async () => {
    const given = await aDeployment()
    const [from, to] = given.pools
    await moveAndDie(given, from, to, 'committed')
    // A change of the deployment reaches the new home alone, which asks the old one before it begins.
    await given.client.updateDeployment(given.id, { description: 'changed' })
    expect(await given.due(from)).toEqual([])
    expect(await given.due(to)).toEqual(HOURLY)
  })

  it('stays where it is when the change was announced and never came', async () => {
    const given = await aDeployment()
    const [from, to] = given.pools
    await moveAndDie(given, from, to, 'announced')
    await ringUntil(70, [to, from], async () => (await rowsOf(to, 'arrival')).length === 0)
    expect(await given.due(from)).toEqual(HOURLY)
    expect(await given.due(to)).toEqual([])
  })

  it('arrives where it is in the end when it moves on before it has arrived', async () => {
    const given = await aDeployment()
    const [from, by, to] = given.pools
    const [first] = await given.runs()
    await given.client.setFlowRunState(first?.id ?? '', { type: 'CANCELLING' })
    await moveAndDie(given, from, by, 'committed')
    await moveAndDie(given, by, to, 'committed')
    await evictDurableObject(by.stub)
    await ringUntil(3, [to], async () => (await given.due(to)).length > 0)
    expect(await given.due(to)).toEqual([600 + HOUR, 600 + 2 * HOUR])
    expect([...(await given.due(from)), ...(await given.due(by))]).toEqual([])
  })
})

describe('a pool that is deleted', () => {
  it('detaches what waits though the API dies after the change, and nobody claims', async () => {
    const { test, client, id, pools } = await aDeployment()
    const [pool] = pools
    const manual = await client.createFlowRunFromDeployment(id)
    await pool.remote.expectChange(pool.context, 'work_pool', pool.id)
    await commit(test.workspace, [removeWorkPool(test.workspace, pool.id)])
    await evictDurableObject(pool.stub)
    await ringUntil(
      3,
      [pool],
      async () => (await client.readFlowRun(manual.id)).work_queue_id === null,
    )
    expect(await client.readFlowRun(manual.id)).toMatchObject({ work_pool_id: null })
  })
})
