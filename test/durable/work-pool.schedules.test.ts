import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Client } from '#core/client.ts'
import { homeKeyOf } from '#core/flow-run-id.ts'
import { formatTimestamp } from '#core/time.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import type { DeploymentScheduleCreate } from '#core/wire/schedule.ts'
import { readHomeWorkPoolByName } from '#storage/work-pools.ts'
import { homeStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, type TestWorkspace } from '../support/workspace.ts'

// In the future, since an alarm in the past rings by itself.
const START = Date.parse('2030-06-01T12:00:00Z')
const HOUR = 3600
const isoAt = (seconds: number) => formatTimestamp((START + seconds * 1000) * 1000)
const every = (interval: number, anchor: number): DeploymentScheduleCreate => ({
  schedule: { interval, anchor_date: isoAt(anchor), timezone: 'UTC' },
})
const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(START)
})
afterEach(() => {
  vi.useRealTimers()
})

async function aPool({ client }: TestWorkspace) {
  return (await client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' }))
    .name
}

/** A deployment with schedules, and its automatic runs as the list shows them. */
async function aDeployment(schedules: DeploymentScheduleCreate[], given: object = {}) {
  const test = await aWorkspace()
  const { client } = test
  const pool = await aPool(test)
  const flow = await client.createFlow({ name: 'flow' })
  const deployment = await client.createDeployment({
    name: 'deployment',
    flow_id: flow.id,
    work_pool_name: pool,
    enforce_parameter_schema: false,
    parameters: { a: 1 },
    tags: ['mine'],
    schedules,
    ...given,
  })
  const runs = async (): Promise<FlowRun[]> =>
    await client.filterFlowRuns({
      flow_runs: { deployment_id: { any_: [deployment.id] } },
      sort: 'NEXT_SCHEDULED_START_TIME_ASC',
    })
  /** Seconds from the start at which runs are due. */
  const due = async () =>
    (await runs())
      .filter(({ state_type }) => state_type === 'SCHEDULED')
      .map((run) => (Date.parse(run.next_scheduled_start_time ?? '') - START) / 1000)
      .toSorted((a, b) => a - b)
  return { test, client, pool, deployment, runs, due }
}

async function homeOf(test: TestWorkspace, pool: string) {
  const config = await readHomeWorkPoolByName(test.workspace, pool)
  return asStub(homeStub(test.workspace, config?.home_key ?? ''))
}

/** Moves the time on and lets the alarm ring there, and do what it has started. */
async function passTo(stub: DurableObjectStub, seconds: number): Promise<void> {
  vi.setSystemTime(START + seconds * 1000)
  await runDurableObjectAlarm(stub)
  await new Promise((resolve) => setTimeout(resolve, 30))
  vi.setSystemTime(START + seconds * 1000 + 700)
  await runDurableObjectAlarm(stub)
  await new Promise((resolve) => setTimeout(resolve, 30))
}

describe('a schedule', () => {
  it('makes runs ahead of their time', async () => {
    const { deployment, runs, due, pool } = await aDeployment([
      { ...every(HOUR, 600), parameters: { b: 2 }, slug: 'hourly' },
    ])
    expect(await due()).toEqual([600, 600 + HOUR, 600 + 2 * HOUR])
    const [schedule] = deployment.schedules
    const [first] = await runs()
    expect(first).toMatchObject({
      auto_scheduled: true,
      parameters: { a: 1, b: 2 },
      tags: ['auto-scheduled', 'mine'],
      work_pool_name: pool,
      work_queue_name: 'default',
      state_type: 'SCHEDULED',
      state: { message: 'Flow run scheduled' },
      created_by: { id: schedule?.id, type: 'SCHEDULE', display_value: 'hourly' },
      idempotency_key: `scheduled ${deployment.id} ${String(schedule?.id)} ${isoAt(600)}`,
    })
    expect(first?.name).toMatch(/\w+-\w+/)
  })

  it('goes on as time passes, and makes no run twice, also where one was claimed', async () => {
    const { client, test, pool, runs, due } = await aDeployment([every(HOUR, 60)])
    const stub = await homeOf(test, pool)
    await passTo(stub, 61)
    const { runs: claimed } = await client.claim(pool, { agent, limit: 5 })
    expect(claimed).toHaveLength(1)
    await passTo(stub, 100)
    expect(await due()).toEqual([60 + HOUR, 60 + 2 * HOUR, 60 + 3 * HOUR])
    await passTo(stub, 70 + HOUR)
    expect(await due()).toEqual([60 + HOUR, 60 + 2 * HOUR, 60 + 3 * HOUR, 60 + 4 * HOUR])
    const keys = (await runs()).map((run) => run.idempotency_key)
    expect(new Set(keys).size).toBe(keys.length)
  })

  it.each<[string, (client: Client, id: string) => Promise<unknown>]>([
    // Prefect's worker takes a run up to ten seconds before it is due.
    ['taken early', async (client, id) => await client.setFlowRunState(id, { type: 'PENDING' })],
    ['over early', async (client, id) => await client.setFlowRunState(id, { type: 'COMPLETED' })],
    ['cancelled', async (client, id) => await client.setFlowRunState(id, { type: 'CANCELLING' })],
  ])('makes no run again that was %s', async (fate, take) => {
    const { client, test, pool, runs, deployment } = await aDeployment([every(HOUR, 60)])
    const stub = await homeOf(test, pool)
    const [first] = await runs()
    await passTo(stub, 55)
    await take(client, first?.id ?? '')
    await client.updateDeployment(deployment.id, { description: 'changed' })
    await passTo(stub, 57)
    await client.updateDeployment(deployment.id, { description: 'changed again' })
    await passTo(stub, 70)
    const keys = (await runs()).map((run) => run.idempotency_key)
    expect(new Set(keys).size).toBe(keys.length)
    // Once its date is past nothing keeps it at home.
    await passTo(stub, 70 + HOUR)
    if (fate !== 'taken early') {
      const here = await runInDurableObject(stub, (_, state) =>
        state.storage.sql.exec('SELECT id FROM run WHERE id = ?', first?.id ?? '').toArray(),
      )
      expect(here).toEqual([])
    }
  })

  it('goes on after the object has died', async () => {
    const { test, pool, due } = await aDeployment([every(HOUR, 600)])
    const stub = await homeOf(test, pool)
    await evictDurableObject(stub)
    const alarm = await runInDurableObject(stub, (_, state) => state.storage.getAlarm())
    expect(alarm).not.toBeNull()
    expect((alarm ?? 0) - START).toBeLessThanOrEqual(601_000)
    await passTo(stub, 601)
    expect(await due()).toEqual([600, 600 + HOUR, 600 + 2 * HOUR, 600 + 3 * HOUR])
  })

  it('calls a run late that has not begun after fifteen seconds', async () => {
    const { client, test, pool, runs } = await aDeployment([every(HOUR, 600)])
    const stub = await homeOf(test, pool)
    const [first] = await runs()
    const id = first?.id ?? ''
    await passTo(stub, 600)
    expect(await client.readFlowRun(id)).toMatchObject({ state_name: 'Scheduled' })
    await passTo(stub, 616)
    expect(await client.readFlowRun(id)).toMatchObject({
      state_type: 'SCHEDULED',
      state_name: 'Late',
      next_scheduled_start_time: isoAt(600),
    })
    const { runs: claimed } = await client.claim(pool, { agent, limit: 5 })
    expect(claimed.map(({ flow_run }) => flow_run.id)).toEqual([id])
  })
})

describe('a change of the deployment', () => {
  it('takes the automatic runs away while it is paused, and only those', async () => {
    const { client, deployment, due, runs } = await aDeployment([every(HOUR, 600)])
    const manual = await client.createFlowRunFromDeployment(deployment.id)
    await client.pauseDeployment(deployment.id)
    expect((await runs()).map(({ id }) => id)).toEqual([manual.id])
    await client.resumeDeployment(deployment.id)
    expect(await due()).toEqual([0, 600, 600 + HOUR, 600 + 2 * HOUR])
  })

  it('replaces future runs by those of the new schedule, but none that was claimed', async () => {
    const { client, test, pool, deployment, due, runs } = await aDeployment([every(HOUR, 60)])
    const stub = await homeOf(test, pool)
    await passTo(stub, 61)
    const { runs: claimed } = await client.claim(pool, { agent, limit: 5 })
    const [schedule] = deployment.schedules
    await client.updateSchedule(deployment.id, schedule?.id ?? '', every(2 * HOUR, 120))
    expect(await due()).toEqual([120, 120 + 2 * HOUR, 120 + 4 * HOUR])
    const taken = (await runs()).filter(({ state_type }) => state_type === 'PENDING')
    expect(taken.map(({ id }) => id)).toEqual(claimed.map(({ flow_run }) => flow_run.id))
  })

  it('makes runs of the new parameters', async () => {
    const { client, deployment, runs } = await aDeployment([every(HOUR, 600)])
    await client.updateDeployment(deployment.id, { parameters: { a: 9 } })
    expect((await runs()).map(({ parameters }) => parameters)).toEqual([
      { a: 9 },
      { a: 9 },
      { a: 9 },
    ])
  })

  it('has no runs of a schedule that is inactive or gone', async () => {
    const { client, deployment, due } = await aDeployment([every(HOUR, 600), every(HOUR, 900)])
    const [one, other] = deployment.schedules
    await client.updateSchedule(deployment.id, one?.id ?? '', { active: false })
    const left = await due()
    expect(left).toHaveLength(3)
    await client.deleteSchedule(deployment.id, other?.id ?? '')
    expect(await due()).toEqual([])
    await client.updateSchedule(deployment.id, one?.id ?? '', { active: true })
    expect(await due()).toHaveLength(3)
  })

  it('moves future automatic runs to the new pool', async () => {
    const { client, test, deployment, pool, runs, due } = await aDeployment([every(HOUR, 600)])
    const before = await runs()
    const other = await aPool(test)
    await client.updateDeployment(deployment.id, { work_pool_name: other })
    expect(await due()).toEqual([600, 600 + HOUR, 600 + 2 * HOUR])
    const after = await runs()
    expect(new Set(after.map((run) => run.work_pool_name))).toEqual(new Set([other]))
    const [old, moved] = [await homeOf(test, pool), await homeOf(test, other)]
    expect(new Set(after.map(({ id }) => homeKeyOf(id))).size).toBe(1)
    expect(homeKeyOf(after[0]?.id ?? '')).not.toBe(homeKeyOf(before[0]?.id ?? ''))
    // The old home has nothing more to do with it.
    await passTo(old, 660)
    await passTo(moved, 660)
    expect(await due()).toEqual([600, 600 + HOUR, 600 + 2 * HOUR, 600 + 3 * HOUR])
    expect((await client.claim(pool, { agent, limit: 5 })).runs).toEqual([])
    expect((await client.claim(other, { agent, limit: 5 })).runs).toHaveLength(1)
  })

  it('takes what has not begun away when it is deleted, and leaves what has', async () => {
    const { client, test, deployment, pool, runs } = await aDeployment([every(HOUR, 60)])
    const stub = await homeOf(test, pool)
    await passTo(stub, 61)
    const [claimed] = (await client.claim(pool, { agent, limit: 1 })).runs
    await client.createFlowRunFromDeployment(deployment.id)
    await client.deleteDeployment(deployment.id)
    expect((await runs()).map(({ id }) => id)).toEqual([claimed?.flow_run.id])
    await passTo(stub, 2 * HOUR)
    expect(await runs()).toHaveLength(1)
    await expect(client.createFlowRunFromDeployment(deployment.id)).rejects.toThrow('not found')
  })
})
