import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConcurrencyBook, type LimitFields } from '#domain/concurrency-book.ts'
import {
  averageWaitSeconds,
  decayed,
  occupancyAfter,
  spreadWait,
  type Limit,
} from '#domain/concurrency.ts'

const SECOND = 1_000_000
const NOW = 1_800_000_000 * SECOND

function aLimit(overrides: Partial<Limit> = {}): Limit {
  return {
    id: 'id',
    created: NOW,
    updated: NOW,
    name: 'a',
    active: true,
    limit: 2,
    slot_decay_per_second: 0,
    avg_slot_occupancy_seconds: 2,
    counted: 0,
    counted_at: NOW,
    denied: 0,
    denied_at: NOW,
    ...overrides,
  }
}

const fields = (name: string, overrides: Partial<LimitFields> = {}): LimitFields => ({
  name,
  limit: 2,
  active: true,
  slot_decay_per_second: 0,
  active_slots: 0,
  denied_slots: 0,
  ...overrides,
})

describe('decay', () => {
  test.each([
    ['none without a rate', 3, 0, 1000, 3],
    ['one a second', 3, 1, 2.5, 1],
    ['never below none', 3, 1, 100, 0],
    ['no part of a slot', 3, 0.1, 9.9, 3],
  ])('%s', (_name, count, rate, seconds, left) => {
    expect(decayed(count, NOW, rate, NOW + seconds * SECOND).count).toBe(left)
  })

  test('looking in between loses nothing', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 50 }),
        fc.integer({ min: 1, max: 400 }).map((hundredths) => hundredths / 100),
        fc.array(fc.integer({ min: 0, max: 20 * SECOND }), { maxLength: 20 }),
        (count, rate, steps) => {
          let looked = { count, since: NOW }
          let now = NOW
          for (const step of steps) {
            now += step
            looked = decayed(looked.count, looked.since, rate, now)
          }
          // A microsecond is lost to rounding with each whole slot.
          const atOnce = decayed(count, NOW, rate, now + steps.length)
          const before = decayed(count, NOW, rate, now - steps.length)
          expect(looked.count).toBeGreaterThanOrEqual(atOnce.count)
          expect(looked.count).toBeLessThanOrEqual(before.count)
        },
      ),
    )
  })
})

describe('how long to wait', () => {
  test.each<[string, Partial<Limit>[], number, number]>([
    ['as long as a slot is in use', [{ limit: 1 }], 1, 2],
    ['shorter where there are more slots', [{ limit: 4 }], 1, 0.5],
    ['longer when others wait', [{ limit: 1, denied: 3 }], 1, 8],
    ['never above half a minute', [{ avg_slot_occupancy_seconds: 900, limit: 1 }], 1, 30],
    [
      'for a tag never above ten seconds',
      [{ name: 'tag:a', avg_slot_occupancy_seconds: 900 }],
      1,
      5,
    ],
    ['by the decay where there is one', [{ slot_decay_per_second: 0.1, denied: 2 }], 1, 30],
    ['by the limit under most pressure', [{ limit: 9 }, { limit: 1, denied: 1 }], 1, 4],
  ])('%s', (_name, limits, slots, seconds) => {
    expect(averageWaitSeconds(limits.map(aLimit), slots)).toBeCloseTo(seconds)
  })

  test('is spread around its average', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999_999, noNaN: true }), (random) => {
        const wait = spreadWait(10, random)
        expect(wait).toBeGreaterThan(6)
        expect(wait).toBeLessThanOrEqual(13)
      }),
    )
    const waits = Array.from({ length: 1000 }, (_, index) => spreadWait(10, index / 1000))
    expect(waits.reduce((sum, wait) => sum + wait, 0) / 1000).toBeCloseTo(10, 1)
  })

  test('follows how long slots were in use', () => {
    expect(occupancyAfter(aLimit({ limit: 1 }), 1, 4)).toBe(3)
    expect(occupancyAfter(aLimit({ limit: 1 }), 2, 4)).toBe(2)
    expect(occupancyAfter(aLimit({ limit: 1 }), 1, 0.01)).toBeCloseTo(1.05)
    expect(occupancyAfter(aLimit({ limit: 0 }), 1, 4)).toBe(2)
  })
})

/** What is done to a book, as its callers do it. */
type Step =
  | { kind: 'lease'; names: string[]; slots: number; seconds: number }
  | { kind: 'count'; names: string[]; slots: number }
  | { kind: 'release' | 'renew'; index: number }
  | { kind: 'giveBack'; name: string; slots: number }
  | { kind: 'wait'; seconds: number }
  | { kind: 'reopen' }

const NAMES = ['a', 'b', 'c', 'nobody']
const names = fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 })
const slots = fc.integer({ min: 1, max: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('lease' as const),
    names,
    slots,
    seconds: fc.integer({ min: 60, max: 90 }),
  }),
  fc.record({ kind: fc.constant('count' as const), names, slots }),
  fc.record({ kind: fc.constantFrom('release' as const, 'renew' as const), index: fc.nat(20) }),
  fc.record({ kind: fc.constant('giveBack' as const), name: fc.constantFrom(...NAMES), slots }),
  fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 40 }) }),
  fc.constant({ kind: 'reopen' as const }),
)

describe('a book', () => {
  test('holds exactly what was taken and not given back, through any steps', () => {
    const limits = { a: 2, b: 3, c: 5 } as Record<string, number>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let book = new ConcurrencyBook([], [])
        const kept = { limits: new Map<string, Limit>(), leases: new Map() }
        const keep = () => {
          const changes = book.takeChanges()
          changes.limits.forEach((limit) => kept.limits.set(limit.id, limit))
          changes.leases.forEach((lease) => kept.leases.set(lease.id, lease))
          changes.removed_leases.forEach((id) => kept.leases.delete(id))
        }
        for (const [name, limit] of Object.entries(limits)) {
          book.create(fields(name, { limit }), name, NOW)
        }
        // The model: leases by their ids with their ends, and a counter for each limit.
        const leases = new Map<string, { names: string[]; slots: number; ends: number }>()
        const counted: Record<string, number> = { a: 0, b: 0, c: 0 }
        const inUse = (name: string) =>
          (counted[name] ?? 0) +
          [...leases.values()]
            .filter((lease) => lease.names.includes(name))
            .reduce((sum, lease) => sum + lease.slots, 0)
        let now = NOW
        let next = 0
        for (const done of steps) {
          keep()
          if (done.kind === 'lease' || done.kind === 'count') {
            const known = done.names.filter((name) => name in limits)
            const request = { names: done.names, slots: done.slots, mode: 'concurrency' as const }
            const id = String((next += 1))
            const lease =
              done.kind === 'lease' ? { lease: { id, seconds: done.seconds, holder: null } } : {}
            const { kind } = book.acquire({ ...request, ...lease }, 0.5, now)
            const tooMany = known.some((name) => done.slots > (limits[name] ?? 0))
            const fits = known.every((name) => inUse(name) + done.slots <= (limits[name] ?? 0))
            expect(kind).toBe(tooMany ? 'more_than_limit' : fits ? 'acquired' : 'full')
            if (kind === 'acquired' && done.kind === 'lease' && known.length > 0) {
              leases.set(id, { names: known, slots: done.slots, ends: now + done.seconds * SECOND })
            } else if (kind === 'acquired' && done.kind === 'count') {
              known.forEach((name) => (counted[name] = (counted[name] ?? 0) + done.slots))
            }
          } else if (done.kind === 'release' || done.kind === 'renew') {
            const id = [...leases.keys()][done.index] ?? 'no such lease'
            const lease = leases.get(id)
            if (done.kind === 'release') {
              book.release(id, now)
              leases.delete(id)
            } else {
              expect(book.renew(id, 60, now)).toBe(lease !== undefined)
              if (lease !== undefined) {
                leases.set(id, { ...lease, ends: now + 60 * SECOND })
              }
            }
          } else if (done.kind === 'giveBack') {
            book.decrement([done.name], done.slots, 1, now)
            counted[done.name] = Math.max(0, (counted[done.name] ?? 0) - done.slots)
          } else if (done.kind === 'wait') {
            now += done.seconds * SECOND
            book.expire(now)
            for (const [id, { ends }] of leases) {
              if (ends <= now) {
                leases.delete(id)
              }
            }
          } else {
            keep()
            book = new ConcurrencyBook([...kept.limits.values()], [...kept.leases.values()])
          }
          for (const name of Object.keys(limits)) {
            expect(book.find(name, now)?.active_slots).toBe(inUse(name))
          }
          const ends = [...leases.values()].map((lease) => lease.ends)
          expect(book.nextExpiry()).toBe(ends.length === 0 ? null : Math.min(...ends))
        }
      }),
      { numRuns: 300 },
    )
  })

  const acquire = (book: ConcurrencyBook, name: string, id: string, now = NOW) =>
    book.acquire(
      {
        names: [name],
        slots: 1,
        mode: 'concurrency',
        lease: { id, seconds: 60, holder: { type: 'task_run', id } },
      },
      0.5,
      now,
    ).kind

  test('does not count what is switched off, then or later', () => {
    const book = new ConcurrencyBook([], [])
    book.create(fields('a', { active: false, limit: 1 }), 'a', NOW)
    expect([acquire(book, 'a', '1'), acquire(book, 'a', '2')]).toEqual(['acquired', 'acquired'])
    book.update('a', { active: true }, NOW)
    expect(book.find('a', NOW)?.active_slots).toBe(0)
    expect([acquire(book, 'a', '3'), acquire(book, 'a', '4')]).toEqual(['acquired', 'full'])
    book.release('1', NOW)
    expect(book.find('a', NOW)?.active_slots).toBe(1)
  })

  test('lets slots under a lease decay where the limit says so', () => {
    const book = new ConcurrencyBook([], [])
    book.create(fields('a', { limit: 1, slot_decay_per_second: 0.1 }), 'a', NOW)
    expect([acquire(book, 'a', '1'), acquire(book, 'a', '2')]).toEqual(['acquired', 'full'])
    expect(acquire(book, 'a', '3', NOW + 10 * SECOND)).toBe('acquired')
  })

  test('obeys an operator who says how many slots are in use', () => {
    const book = new ConcurrencyBook([], [])
    book.create(fields('a'), 'a', NOW)
    acquire(book, 'a', '1')
    acquire(book, 'a', '2')
    expect(book.update('a', { active_slots: 1 }, NOW)?.active_slots).toBe(1)
    book.release('1', NOW)
    expect(book.find('a', NOW)?.active_slots).toBe(1)
    book.release('2', NOW)
    expect(book.find('a', NOW)?.active_slots).toBe(0)
    expect(book.update('a', { active_slots: 2 }, NOW)?.active_slots).toBe(2)
    expect(acquire(book, 'a', '3')).toBe('full')
  })

  test('frees what a holder has, and all when it is reset', () => {
    const book = new ConcurrencyBook([], [])
    book.create(fields('a'), 'a', NOW)
    acquire(book, 'a', '1')
    acquire(book, 'a', '2')
    expect(book.taskRunIds('a')).toEqual(['1', '2'])
    book.releaseHolder(['a'], '1', NOW)
    expect(book.taskRunIds('a')).toEqual(['2'])
    expect(book.reset('a', ['x', 'y'], () => crypto.randomUUID(), NOW)).toBe(true)
    expect(book.taskRunIds('a')).toEqual(['x', 'y'])
    expect(book.find('a', NOW + 9e15)?.active_slots).toBe(2)
    expect(book.reset('nobody', [], () => '', NOW)).toBe(false)
  })

  test('leaves a lease alone whose limit is deleted', () => {
    const book = new ConcurrencyBook([], [])
    book.create(fields('a'), 'a', NOW)
    acquire(book, 'a', '1')
    book.remove('a')
    expect(book.renew('1', 60, NOW)).toBe(true)
    book.create(fields('a'), 'again', NOW)
    expect(book.find('a', NOW)?.active_slots).toBe(0)
  })

  test('writes one row for a lease and one for its end', () => {
    const book = new ConcurrencyBook([], [])
    book.create(fields('a', { limit: 50 }), 'a', NOW)
    book.takeChanges()
    acquire(book, 'a', '1')
    expect(book.takeChanges()).toMatchObject({ limits: [], leases: [{ id: '1' }] })
    book.release('1', NOW + 2 * SECOND)
    expect(book.takeChanges()).toMatchObject({ limits: [], removed_leases: ['1'] })
  })
})
