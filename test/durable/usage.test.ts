import { evictDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test } from 'vitest'
import { homeKeyOf } from '#core/flow-run-id.ts'
import { NOTHING } from '#domain/usage.ts'
import { listDays, tellUsage } from '#storage/usage.ts'
import { homeContext } from '../../worker/operations/configure-home.ts'
import { objectContext } from '../../worker/operations/object-context.ts'
import { eventStreamStub, homeStub, logShardStub } from '../../worker/operations/stubs.ts'
import { setD1Faults } from '../support/d1-faults.ts'
import { eventually } from '../support/eventually.ts'
import { asStub } from '../support/objects.ts'
import { aTaskRunEvent } from '../support/task-run-events.ts'
import { limitAccount, rowsOf, told } from '../support/usage.ts'
import { aWorkspace } from '../support/workspace.ts'

afterEach(() => {
  setD1Faults({})
})

const NOW = Date.UTC(2026, 10, 24, 12) * 1000

test('counts that are told twice, late or in another order are added once', async () => {
  const { workspace } = await aWorkspace()
  const tell = async (source: string, flow_runs: number) =>
    await tellUsage(workspace, source, { ...NOTHING, flow_runs }, NOW)
  await tell('home:a', 3)
  await Promise.all([tell('home:a', 5), tell('home:a', 5), tell('home:b', 2)])
  expect((await tell('home:a', 5))?.used.flow_runs).toBe(7)
  // One that was overtaken, and then what follows.
  await tell('home:a', 4)
  expect((await tell('home:a', 6))?.used.flow_runs).toBe(8)
  const days = await listDays(workspace, '2026-11-01')
  expect(days).toEqual([{ ...NOTHING, day: '2026-11-24', flow_runs: 8 }])
  // Where there is nothing new no row is written.
  await tell('home:a', 6)
  expect(await listDays(workspace, '2026-11-25')).toEqual([])
})

test("another workspace of the account adds to its month, not to the first one's days", async () => {
  const { workspace } = await aWorkspace()
  const second = { ...workspace, id: crypto.randomUUID() }
  await tellUsage(workspace, 'home:a', { ...NOTHING, flow_runs: 1 }, NOW)
  const { used } = (await tellUsage(second, 'home:a', { ...NOTHING, flow_runs: 2 }, NOW)) ?? {}
  expect(used?.flow_runs).toBe(3)
  expect((await listDays(workspace, '2026-01-01')).map(({ flow_runs }) => flow_runs)).toEqual([1])
})

describe('a home', () => {
  async function aHome() {
    const made = await aWorkspace()
    const { client, workspace } = made
    const flow = await client.createFlow({ name: 'f' })
    await client.createWorkPool({ name: 'p', type: 'process' })
    const deployment = await client.createDeployment({
      flow_id: flow.id,
      name: 'd',
      work_pool_name: 'p',
    })
    const run = async () => await client.createFlowRunFromDeployment(deployment.id)
    const key = homeKeyOf((await run()).id)
    const stub = homeStub(workspace, key)
    return {
      ...made,
      deployment,
      run,
      stub: asStub(stub),
      tell: async () => await stub.tellUsage(homeContext(workspace, key)),
      counted: async () => {
        await stub.tellUsage(homeContext(workspace, key))
        return (await told(workspace)).flow_runs
      },
    }
  }

  test('counts each run once, whenever it dies', async () => {
    const home = await aHome()
    for (let made = 2; made <= 6; made += 1) {
      await home.run()
      await evictDurableObject(home.stub)
      if (made % 2 === 0) {
        expect(await home.counted()).toBe(made)
      }
    }
    await Promise.all(Array.from({ length: 10 }, home.run))
    await evictDurableObject(home.stub)
    expect(await home.counted()).toBe(16)
  })

  test('counts those that it made while D1 was away, and died before they were there', async () => {
    const home = await aHome()
    expect(await home.counted()).toBe(1)
    setD1Faults({ fail: 1, only: 'INSERT INTO flow_run' })
    await Promise.all(Array.from({ length: 5 }, home.run))
    await evictDurableObject(home.stub)
    await home.run()
    await evictDurableObject(home.stub)
    setD1Faults({})
    expect(await home.counted()).toBe(7)
    await evictDurableObject(home.stub)
    expect(await home.counted()).toBe(7)
  })

  test('does not count again what it takes back from the store', async () => {
    const home = await aHome()
    const run = await home.run()
    await home.client.setFlowRunState(run.id, { type: 'RUNNING' })
    await home.client.setFlowRunState(run.id, { type: 'COMPLETED' })
    await eventually(async () => {
      const here = await rowsOf(home.stub, 'SELECT id FROM run')
      return here.every(({ id }) => id !== run.id)
    })
    setD1Faults({ fail: 1, only: 'INSERT INTO flow_run' })
    await home.client.updateFlowRun(run.id, { name: 'another' })
    await evictDurableObject(home.stub)
    setD1Faults({})
    expect(await home.counted()).toBe(2)
  })

  test('does not count runs of a schedule that were taken back by a change of it', async () => {
    const home = await aHome()
    const { client, deployment } = home
    const [schedule] = await client.createSchedules(deployment.id, [
      { schedule: { interval: 86_400 } },
    ])
    const before = await home.counted()
    expect(before).toBeGreaterThan(1)
    await client.updateSchedule(deployment.id, schedule?.id ?? '', { active: false })
    await evictDurableObject(home.stub)
    expect(await home.counted()).toBe(1)
  })

  test('tells little seldom: twenty runs cost no row for each', async () => {
    const home = await aHome()
    await home.tell()
    const rows = async () =>
      (await rowsOf(home.stub, 'SELECT value FROM usage')).map(({ value }) => value)
    const before = await rows()
    for (let made = 0; made < 20; made += 1) {
      await home.run()
    }
    expect(await rows()).toEqual(before)
    expect((await told(home.workspace)).flow_runs).toBe(1)
    expect(await home.counted()).toBe(21)
  })
})

test('a stream counts events by their numbers and each task run once, whenever it dies', async () => {
  const { workspace } = await aWorkspace()
  const flowRunId = crypto.randomUUID()
  const context = objectContext(workspace)
  const remote = eventStreamStub(workspace, flowRunId)
  const stub = asStub(remote)
  const report = async (taskRunId: string, type: 'PENDING' | 'RUNNING', second: number) =>
    await remote.record(
      context,
      [aTaskRunEvent({ taskRunId, flowRunId, type, at: NOW + second * 1_000_000 })],
      Date.now() * 1000,
    )
  const [a, b] = [crypto.randomUUID(), crypto.randomUUID()]
  await report(a, 'PENDING', 1)
  await evictDurableObject(stub)
  await report(a, 'RUNNING', 2)
  await report(b, 'PENDING', 3)
  await evictDurableObject(stub)
  await remote.tellUsage(context)
  expect(await told(workspace)).toMatchObject({ events: 3, task_runs: 2 })
  await evictDurableObject(stub)
  await remote.tellUsage(context)
  expect(await told(workspace)).toMatchObject({ events: 3, task_runs: 2 })
})

describe('a log shard', () => {
  async function aShard() {
    const { workspace, client } = await aWorkspace()
    const context = objectContext(workspace)
    const flowRunId = crypto.randomUUID()
    const remote = logShardStub(workspace, flowRunId)
    let lines = 0
    return {
      workspace,
      stub: asStub(remote),
      log: async (flow_run_id = flowRunId) => {
        lines += 1
        const message = `line ${lines}`
        const timestamp = '2026-01-01T00:00:00.000000Z'
        const line = { name: 'test', level: 20, message, timestamp, flow_run_id }
        await remote.append(context, [line], Date.now() * 1000)
      },
      messages: async () =>
        (await client.filterLogs({ logs: { flow_run_id: { any_: [flowRunId] } } })).map(
          ({ message }) => message,
        ),
      bytes: async () => {
        await remote.tellUsage(context)
        return (await told(workspace)).log_bytes
      },
      stored: async () => {
        const [row] = await rowsOf(
          asStub(remote),
          'SELECT sum(length(body)) AS chars FROM log_chunk',
        )
        return Number(row?.['chars'])
      },
    }
  }

  test('counts what it keeps, and what it has written down survives', async () => {
    const shard = await aShard()
    await shard.log()
    await evictDurableObject(shard.stub)
    expect(await shard.bytes()).toBe(await shard.stored())
    await evictDurableObject(shard.stub)
    await shard.log()
    await shard.log()
    // One line break for each line that was added to a row.
    expect(await shard.bytes()).toBe((await shard.stored()) - 2)
  })

  test('says once in each run that lines are not kept any more, and keeps them again when there is room', async () => {
    const shard = await aShard()
    await limitAccount(shard.workspace, { log_bytes: 1 })
    await shard.log()
    // It learns of the limit with what it tells.
    await shard.bytes()
    await shard.log()
    await evictDurableObject(shard.stub)
    await shard.log()
    await shard.log()
    expect(await shard.messages()).toEqual([
      'line 1',
      expect.stringMatching(/^Lines from here on are not kept\. .* 1 bytes of logs in a month/),
    ])
    await limitAccount(shard.workspace, null)
    // A new life asks at once, an old one ten seconds after it has asked last.
    await evictDurableObject(shard.stub)
    await eventually(async () => {
      await shard.log()
      return (await shard.messages()).length > 2
    })
  })
})
