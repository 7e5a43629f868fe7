import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { concurrencyLimitsStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace } from '../support/workspace.ts'

const START = Date.UTC(2030, 0, 1)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(START)
})
afterEach(() => {
  vi.useRealTimers()
})

const now = () => Date.now() * 1000
const passes = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000)

async function aBook(limits: Record<string, number>) {
  const { workspace } = await aWorkspace()
  const limitsObject = concurrencyLimitsStub(workspace)
  const stub = asStub(limitsObject)
  for (const [name, limit] of Object.entries(limits)) {
    const fields = { name, limit, active: true, active_slots: 0, denied_slots: 0 }
    await limitsObject.create({ ...fields, slot_decay_per_second: 0 }, now())
  }
  return {
    object: limitsObject,
    stub,
    /** The lease's id; undefined when there is no slot. */
    take: async (names: string[], seconds: number | null = 60) => {
      const lease = { seconds, holder: null }
      const request = { names, slots: 1, mode: 'concurrency' as const, lease }
      const { acquired, lease_id } = await limitsObject.acquire(request, now())
      return acquired.kind === 'acquired' ? lease_id : undefined
    },
    /** Without asking the object, which would let go of what has run out. */
    kept: async () =>
      await runInDurableObject(
        stub,
        (_object, state) =>
          state.storage.sql.exec<{ count: number }>('SELECT count(*) AS count FROM lease').one()
            .count,
      ),
    alarm: async () =>
      await runInDurableObject(stub, async (_object, state) => await state.storage.getAlarm()),
  }
}

test('leases and counters outlive the object', async () => {
  const { object, stub, take } = await aBook({ a: 2, b: 9 })
  const first = await take(['a', 'b'])
  await object.acquire({ names: ['b'], slots: 3, mode: 'concurrency' }, now())
  await evictDurableObject(stub)
  await take(['a'])
  await evictDurableObject(stub)
  expect(await take(['a'])).toBeUndefined()
  expect((await object.list(now())).map(({ active_slots }) => active_slots)).toEqual([2, 4])
  await object.release(first ?? '', now())
  await evictDurableObject(stub)
  expect((await object.list(now())).map(({ active_slots }) => active_slots)).toEqual([1, 3])
})

test('the alarm frees what has run out, at its time', async () => {
  const { object, stub, take, kept, alarm } = await aBook({ a: 3 })
  await take(['a'], 90)
  await take(['a'], 60)
  await take(['a'], null)
  expect(await alarm()).toBe(START + 60_000)
  passes(60)
  await runDurableObjectAlarm(stub)
  expect(await kept()).toBe(2)
  expect(await alarm()).toBe(START + 90_000)
  passes(30)
  await evictDurableObject(stub)
  await runDurableObjectAlarm(stub)
  expect(await kept()).toBe(1)
  expect(await alarm()).toBeNull()
  expect((await object.find('a', now()))?.active_slots).toBe(1)
})

test('a lease that is renewed goes on; the alarm moves when it rings', async () => {
  const { object, stub, take, kept, alarm } = await aBook({ a: 1 })
  const lease = (await take(['a'])) ?? ''
  passes(45)
  expect(await object.renew(lease, 60, now())).toBe(true)
  expect(await alarm()).toBe(START + 60_000)
  passes(15)
  await runDurableObjectAlarm(stub)
  expect(await kept()).toBe(1)
  expect(await alarm()).toBe(START + 105_000)
  passes(46)
  expect(await object.renew(lease, 60, now())).toBe(false)
  expect(await take(['a'])).toBeDefined()
})

test('a slot that has run out is free before the alarm has rung', async () => {
  const { take } = await aBook({ a: 1 })
  await take(['a'])
  expect(await take(['a'])).toBeUndefined()
  passes(60)
  expect(await take(['a'])).toBeDefined()
})

test('after an outage of the control plane, holders get time to come back', async () => {
  const { object, stub, take, alarm } = await aBook({ a: 1 })
  const lease = (await take(['a'])) ?? ''
  passes(60 + 21)
  await runDurableObjectAlarm(stub)
  expect(await alarm()).toBe(START + 81_000 + 300_000)
  expect(await object.renew(lease, 60, now())).toBe(true)
})
