import { beforeAll, describe, expect, it } from 'vitest'
import type { ConcurrencyOptions } from '../../core/wire/deployment.ts'
import { aPrefect, IS_NEWEST, type PrefectProcess, SINCE_3_6 } from '../support/node/prefect.ts'
import { until } from '../support/node/until.ts'

const prefect = aPrefect()
const LIMIT = 'global-concurrency-limit'
/** Holds the one slot of a limit; it is killed at once, the lease that it leaves is looked at last. */
let killed: PrefectProcess

beforeAll(async () => {
  const { client } = prefect
  await client.createConcurrencyLimit({ name: 'three', limit: 3 })
  await client.createConcurrencyLimit({ name: 'rate', limit: 2, slot_decay_per_second: 1 })
  await client.createConcurrencyLimit({ name: 'tag:narrow', limit: 1 })
  await client.createConcurrencyLimit({ name: 'held', limit: 1 })
  killed = prefect.spawnPython('slots.py', ['hold'])
  await killed.says('holding')
  killed.signal('SIGKILL')
})

/** What a way of the script says at its end. */
async function seen<T>(way: string): Promise<T> {
  const { stdout, stderr } = await prefect.python('slots.py', [way], {
    env: await prefect.insideRun(),
  })
  const last = stdout.trim().split('\n').at(-1) ?? ''
  try {
    return JSON.parse(last) as T
  } catch (error) {
    throw new Error(`slots.py ${way}: ${stdout}${stderr}`, { cause: error })
  }
}

describe('commands', () => {
  it(`prefect ${LIMIT}: create, ls, inspect, update, disable, enable, delete`, async () => {
    const words = [LIMIT, 'create', 'db', '--limit', '2', '--slot-decay-per-second', '0.5']
    expect(await prefect.succeeds(words)).toContain(
      "Created global concurrency limit with name 'db'",
    )
    const read = async () => await prefect.client.readConcurrencyLimit('db')
    expect(await read()).toMatchObject({ limit: 2, slot_decay_per_second: 0.5, active: true })
    expect(await prefect.fails(words)).toContain('already exists')
    expect(await prefect.succeeds([LIMIT, 'ls'])).toContain('db')
    await prefect.succeeds([LIMIT, 'update', 'db', '--limit', '5', '--active-slots', '3'])
    await prefect.succeeds([LIMIT, 'disable', 'db'])
    const inspected = await prefect.json([LIMIT, 'inspect', 'db', '--output', 'json'])
    expect(inspected).toMatchObject({ name: 'db', limit: 5, active: false })
    await prefect.succeeds([LIMIT, 'enable', 'db'])
    expect(await read()).toMatchObject({ limit: 5, active: true })
    await prefect.succeeds(['--no-prompt', LIMIT, 'delete', 'db'])
    await expect(read()).rejects.toMatchObject({ status: 404 })
  })

  it('prefect concurrency-limit: create, ls, inspect, reset, delete', async () => {
    const group = 'concurrency-limit'
    expect(await prefect.succeeds([group, 'create', 'gpu', '2'])).toContain("tag - 'gpu'")
    expect(await prefect.succeeds([group, 'ls'])).toContain('gpu')
    expect(await prefect.succeeds([group, 'inspect', 'gpu'])).toContain('gpu')
    await prefect.succeeds([group, 'reset', 'gpu'])
    await prefect.succeeds([group, 'delete', 'gpu'])
    expect(await prefect.client.filterConcurrencyLimits()).not.toContainEqual(
      expect.objectContaining({ name: 'tag:gpu' }),
    )
  })
})

const REFUSED = IS_NEWEST ? /422/ : /422|Unable to acquire/

describe('running code', () => {
  it('holds slots while it is inside, in threads and in loops', async () => {
    expect(await seen('held')).toEqual({ inside: 2, second: 'timed out', after: 0, async: 3 })
  })

  it('is told why it gets none', async () => {
    expect(await seen('refused')).toEqual({
      // Releases before 3.9 keep the reason to themselves.
      'too many': expect.stringMatching(REFUSED) as string,
      'no decay': expect.stringMatching(REFUSED) as string,
      strict: expect.stringContaining(SINCE_3_6 ? 'must be created' : 'Unable to acquire'),
    })
  })

  it('is slowed down to a rate', async () => {
    const { seconds } = await seen<{ seconds: number }>('rate')
    expect(seconds).toBeGreaterThan(0.9)
  })

  it('runs tasks with a limited tag one after another, others side by side', async () => {
    type Span = [number, number]
    const { narrow, wide } = await seen<{ narrow: Span[]; wide: Span[] }>('tagged')
    const overlaps = (spans: Span[]) =>
      spans
        .toSorted((a, b) => a[0] - b[0])
        .some(([begin], at, all) => begin < (all[at - 1]?.[1] ?? 0))
    expect(overlaps(narrow)).toBe(false)
    expect(overlaps(wide)).toBe(true)
    const { active_slots } = await prefect.client.readConcurrencyLimit('tag:narrow')
    expect(active_slots).toBe(0)
  })
})

describe('a deployment with a limit, and a process worker', () => {
  const deploy = async (name: string, options: ConcurrencyOptions) => {
    const flow = await prefect.client.createFlow({ name: 'long' })
    return await prefect.client.createDeployment({
      name,
      flow_id: flow.id,
      entrypoint: 'long.py:long',
      pull_steps: [
        { 'prefect.deployments.steps.set_working_directory': { directory: prefect.flows } },
      ],
      work_pool_name: 'p',
      concurrency_limit: 1,
      concurrency_options: options,
    })
  }
  const trigger = async (id: string) =>
    await prefect.client.createFlowRunFromDeployment(id, { parameters: { seconds: 1 } })

  it('runs one at a time, or cancels what would have to wait', async () => {
    const { client } = prefect
    await client.createWorkPool({ name: 'p', type: 'process' })
    const waits = await deploy('waits', { collision_strategy: 'ENQUEUE' })
    const cancels = await deploy('cancels', { collision_strategy: 'CANCEL_NEW' })
    const runs = [await trigger(waits.id), await trigger(waits.id)]
    const others = [await trigger(cancels.id), await trigger(cancels.id)]
    const worker = prefect.spawn(['worker', 'start', '--pool', 'p'], {
      env: { PREFECT_WORKER_QUERY_SECONDS: '1' },
    })
    try {
      const ended = await Promise.all([...runs, ...others].map((run) => prefect.ends(run)))
      const named = (name: string) => ended.filter(({ state_name }) => state_name === name)
      expect([named('Completed').length, named('Cancelled').length]).toEqual([3, 1])
      const [first, second] = ended
        .slice(0, 2)
        .toSorted((a, b) => String(a.start_time).localeCompare(String(b.start_time)))
      expect(String(second?.start_time) > String(first?.end_time)).toBe(true)
      const states = await client.readFlowRunStates(second?.id ?? '')
      expect(states.map(({ name }) => name)).toContain('AwaitingConcurrencySlot')
      const running = states.find(({ type }) => type === 'RUNNING')
      expect(running?.state_details.deployment_concurrency_lease_id).toEqual(expect.any(String))
      const inUse = async () =>
        (await client.readConcurrencyLimit(`deployment:${waits.id}`)).active_slots
      await until('the slot is free', async () => (await inUse()) === 0)
    } finally {
      await worker.stop()
    }
  })
})

it('a holder that was killed frees its slot when its lease ends', async () => {
  const { seconds } = await seen<{ seconds: number }>('wait')
  // It was killed before the other tests; its lease is a minute.
  expect(seconds).toBeLessThan(75)
  expect((await prefect.client.readConcurrencyLimit('held')).active_slots).toBe(0)
})
