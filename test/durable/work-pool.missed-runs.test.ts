import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import type { MissedRuns } from '#core/wire/schedule.ts'
import { readHomeWorkPoolByName } from '#storage/work-pools.ts'
import { homeStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace } from '../support/workspace.ts'

// In the future, since an alarm in the past rings by itself.
const START = Date.parse('2030-06-01T12:00:00Z')
const MINUTE = 60
const HOUR = 3600
const isoAt = (seconds: number) => formatTimestamp((START + seconds * 1000) * 1000)
const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(START)
})
afterEach(async () => {
  vi.useRealTimers()
  // What a home tells other objects it tells after its answer.
  await new Promise((resolve) => setTimeout(resolve, 100))
})

/** A deployment whose schedule has a date every so many seconds, the first one after as many; nobody serves its pool. */
async function aDeployment(missed_runs: MissedRuns | null, interval: number) {
  const test = await aWorkspace()
  const { client } = test
  const pool = `pool ${crypto.randomUUID()}`
  await client.createWorkPool({ name: pool, type: 'process' })
  const flow = await client.createFlow({ name: 'flow' })
  const deployment = await client.createDeployment({
    name: 'deployment',
    flow_id: flow.id,
    work_pool_name: pool,
    schedules: [
      { schedule: { interval, anchor_date: isoAt(interval), timezone: 'UTC' }, missed_runs },
    ],
  })
  const config = await readHomeWorkPoolByName(test.workspace, pool)
  const stub = asStub(homeStub(test.workspace, config?.home_key ?? ''))
  /** The dates, in intervals, of runs whose home says that they are in that state. */
  const dates = async (...names: string[]) => {
    const runs = await client.filterFlowRuns({
      flow_runs: { deployment_id: { any_: [deployment.id] } },
      sort: 'EXPECTED_START_TIME_ASC',
    })
    const read = await Promise.all(runs.map(async ({ id }) => await client.readFlowRun(id)))
    return read
      .filter(({ state_name }) => names.includes(state_name ?? ''))
      .map((run) => (Date.parse(run.expected_start_time ?? '') - START) / 1000 / interval)
  }
  const setTime = (seconds: number) => vi.setSystemTime(START + seconds * 1000)
  const claim = async () =>
    (await client.claim(pool, { agent, limit: 50 })).runs.map(
      ({ flow_run }) => (Date.parse(flow_run.expected_start_time ?? '') - START) / 1000 / interval,
    )
  return { client, pool, deployment, stub, dates, setTime, claim }
}

describe('a schedule without a rule for missed dates', () => {
  it('lets every date that has its run wait, and makes none for a past that nobody saw', async () => {
    const { setTime, stub, claim, dates } = await aDeployment(null, HOUR)
    setTime(30 * HOUR + 1)
    await runDurableObjectAlarm(stub)
    expect(await claim()).toEqual([1, 2, 3])
    setTime(30 * HOUR + 2)
    await runDurableObjectAlarm(stub)
    await expect.poll(() => dates('Scheduled')).toEqual([31, 32, 33])
  })
})

describe('skip', () => {
  it('cancels a run that has not started within a minute', async () => {
    const { client, setTime, stub, dates, deployment } = await aDeployment(
      { policy: 'skip', window_seconds: null },
      HOUR,
    )
    setTime(HOUR + 59)
    await runDurableObjectAlarm(stub)
    expect(await dates('Cancelled')).toEqual([])
    setTime(HOUR + 60)
    await runDurableObjectAlarm(stub)
    expect(await dates('Cancelled')).toEqual([1])
    const [missed] = await client.filterFlowRuns({
      flow_runs: { deployment_id: { any_: [deployment.id] } },
      sort: 'EXPECTED_START_TIME_ASC',
    })
    expect(missed?.state).toMatchObject({
      type: 'CANCELLED',
      message: 'Missed: its window is over.',
      state_details: { missed: true },
    })
  })

  it('gives no run away after its window, also where the alarm is late', async () => {
    const { setTime, claim, stub } = await aDeployment({ policy: 'skip', window_seconds: 30 }, HOUR)
    setTime(HOUR + 30)
    await evictDurableObject(stub)
    expect(await claim()).toEqual([])
  })

  it('takes nothing from a run that has started', async () => {
    const { setTime, claim, stub, dates } = await aDeployment(
      { policy: 'skip', window_seconds: 30 },
      HOUR,
    )
    setTime(HOUR + 29)
    expect(await claim()).toEqual([1])
    setTime(HOUR + 40)
    await runDurableObjectAlarm(stub)
    expect(await dates('Pending')).toEqual([1])
  })

  it('cancels what waits in a paused pool', async () => {
    const { client, pool, setTime, stub, dates } = await aDeployment(
      { policy: 'skip', window_seconds: 30 },
      HOUR,
    )
    await client.updateWorkPool(pool, { is_paused: true })
    setTime(HOUR + 31)
    await runDurableObjectAlarm(stub)
    expect(await dates('Cancelled')).toEqual([1])
  })
})

describe('last', () => {
  const LAST: MissedRuns = { policy: 'last', window_seconds: null }

  it('keeps only the newest date that has arrived', async () => {
    const { setTime, stub, dates, claim } = await aDeployment(LAST, HOUR)
    setTime(HOUR + 1)
    await runDurableObjectAlarm(stub)
    expect(await dates('Cancelled')).toEqual([])
    await evictDurableObject(stub)
    setTime(2 * HOUR + 1)
    await runDurableObjectAlarm(stub)
    expect(await dates('Cancelled')).toEqual([1])
    setTime(3 * HOUR + 1)
    await evictDurableObject(stub)
    // Before the alarm.
    expect(await claim()).toEqual([3])
    expect(await dates('Cancelled')).toEqual([1, 2])
  })

  it('keeps the newest, too, where only one run may wait', async () => {
    const { client, deployment, stub, dates, setTime } = await aDeployment(LAST, MINUTE)
    await client.updateDeployment(deployment.id, { max_waiting_runs: 1 })
    for (const minute of [1, 2, 5]) {
      setTime(minute * MINUTE + 1)
      // oxlint-disable-next-line no-await-in-loop
      await runDurableObjectAlarm(stub)
      // oxlint-disable-next-line no-await-in-loop
      expect((await dates('Scheduled', 'Late')).filter((date) => date <= minute)).toEqual([minute])
    }
  })

  it('leaves a run that has started, and cancels those that wait behind it', async () => {
    const { setTime, stub, dates, claim } = await aDeployment(LAST, HOUR)
    setTime(HOUR + 1)
    expect(await claim()).toEqual([1])
    for (const hour of [2, 3]) {
      setTime(hour * HOUR + 1)
      await runDurableObjectAlarm(stub)
    }
    expect(await dates('Pending', 'Crashed')).toEqual([1])
    expect(await dates('Cancelled')).toEqual([2])
  })

  it('makes the newest date of a past that nobody saw', async () => {
    const { setTime, stub, claim, dates } = await aDeployment(LAST, HOUR)
    await evictDurableObject(stub)
    setTime(30 * HOUR + 1)
    await runDurableObjectAlarm(stub)
    expect(await claim()).toEqual([30])
    expect(await dates('Cancelled')).toEqual([1, 2, 3])
    setTime(30 * HOUR + 2)
    await runDurableObjectAlarm(stub)
    await expect.poll(() => dates('Scheduled')).toEqual([31, 32, 33])
  })

  it('drops that one, too, when it is older than the window', async () => {
    const { setTime, stub, claim } = await aDeployment({ ...LAST, window_seconds: MINUTE }, HOUR)
    setTime(30 * HOUR + 2 * MINUTE)
    await runDurableObjectAlarm(stub)
    expect(await claim()).toEqual([])
  })

  it('goes by what the deployment is when it changes after such a time', async () => {
    const { client, deployment, setTime, stub, claim } = await aDeployment(LAST, HOUR)
    setTime(30 * HOUR + 1)
    await client.updateDeployment(deployment.id, { tags: ['changed'] })
    expect(await claim()).toEqual([30])
    await runDurableObjectAlarm(stub)
    expect(await claim()).toEqual([])
  })
})

describe('all, within a window', () => {
  it('makes the dates of a past that nobody saw', async () => {
    const { setTime, stub, claim, dates } = await aDeployment(
      { policy: 'all', window_seconds: 3 * HOUR },
      HOUR,
    )
    setTime(30 * HOUR + 1)
    await runDurableObjectAlarm(stub)
    expect(await claim()).toEqual([28, 29, 30])
    expect(await dates('Cancelled')).toEqual([1, 2, 3])
  })

  it.each(['deployment', 'schedule'] as const)(
    'makes none for the time in which somebody had paused the %s',
    async (what) => {
      const { client, deployment, setTime, claim } = await aDeployment(
        { policy: 'all', window_seconds: 30 * HOUR },
        HOUR,
      )
      const schedule = deployment.schedules[0]?.id ?? ''
      const pause = async (paused: boolean) => {
        await (what === 'schedule'
          ? client.updateSchedule(deployment.id, schedule, { active: !paused })
          : paused
            ? client.pauseDeployment(deployment.id)
            : client.resumeDeployment(deployment.id))
      }
      await pause(true)
      setTime(10 * HOUR + 1)
      await pause(false)
      expect(await claim()).toEqual([])
      setTime(11 * HOUR + 1)
      expect(await claim()).toEqual([11])
    },
  )
})
