import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp } from '../../core/time.ts'
import { PLANS } from '../../worker/domain/plans.ts'
import { firstIdOf } from '../../worker/domain/retention.ts'
import { uuidV7 } from '../../core/uuid.ts'
import {
  dayBefore,
  dayOf,
  exhausted,
  isWorthTelling,
  monthEnd,
  monthOf,
  NOTHING,
  quotaEvent,
  roomFor,
  type Standing,
} from '../../worker/domain/usage.ts'

const at = (text: string) => parseTimestamp(text) ?? 0
const NOW = at('2026-11-24T12:00:00Z')
const time = fc.integer({ min: 0, max: at('2100-01-01') })

function standing(limit: number | null, used: number, month = '2026-11'): Standing {
  const limits = { ...PLANS.self_hosted, flow_runs: limit }
  return { plan: 'self_hosted', limits, month, used: { flow_runs: used, log_bytes: 0 } }
}

test('a month ends where the next one begins', () => {
  expect(formatTimestamp(monthEnd(NOW))).toBe('2026-12-01T00:00:00.000000Z')
  expect(formatTimestamp(monthEnd(at('2026-12-31T23:59:59Z')))).toBe('2027-01-01T00:00:00.000000Z')
  fc.assert(
    fc.property(time, (now) => {
      const end = monthEnd(now)
      expect(monthOf(end - 1)).toBe(monthOf(now))
      expect(monthOf(end)).not.toBe(monthOf(now))
    }),
  )
})

test('days are counted back in UTC', () => {
  expect(dayOf(NOW)).toBe('2026-11-24')
  expect(dayBefore(NOW, 24)).toBe('2026-10-31')
})

test('nothing is not worth telling; much is, after five seconds; little is, after a quarter of an hour', () => {
  const few = { ...NOTHING, flow_runs: 1 }
  const many = { ...NOTHING, flow_runs: 50 }
  const after = (seconds: number) => NOW + seconds * MICROS_PER_SECOND
  expect(isWorthTelling(NOTHING, 0, NOW)).toBe(false)
  expect(isWorthTelling(few, NOW, after(899))).toBe(false)
  expect(isWorthTelling(few, NOW, after(900))).toBe(true)
  expect(isWorthTelling(many, NOW, after(4))).toBe(false)
  expect(isWorthTelling(many, NOW, after(5))).toBe(true)
  // Runs that were taken back.
  expect(isWorthTelling({ ...NOTHING, flow_runs: -1 }, NOW, after(900))).toBe(true)
})

test('there is room for what is neither told nor counted here, in the month of the limit', () => {
  expect(roomFor('flow_runs', undefined, 1000, NOW)).toBe(Infinity)
  expect(roomFor('flow_runs', standing(null, 5), 1000, NOW)).toBe(Infinity)
  expect(roomFor('flow_runs', standing(10, 3), 2, NOW)).toBe(5)
  expect(roomFor('flow_runs', standing(10, 12), 2, NOW)).toBe(0)
  expect(roomFor('flow_runs', standing(10, 12, '2026-10'), 2, NOW)).toBe(8)
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.nat(1000),
      fc.nat(1000),
      fc.nat(1000),
      (limit, used, mine, more) => {
        const room = roomFor('flow_runs', standing(limit, used), mine, NOW)
        // Whoever takes no more than there is room for stays within the limit, or above it where it was.
        const taken = Math.min(room, more)
        expect(used + mine + taken).toBeLessThanOrEqual(Math.max(limit, used + mine))
        expect(roomFor('flow_runs', standing(limit, used), mine + taken, NOW)).toBe(room - taken)
      },
    ),
  )
})

test('the sentence names the plan, the limit and the end', () => {
  expect(exhausted('flow_runs', standing(10, 10), NOW)).toBe(
    "The account's plan 'self_hosted' has 10 flow runs in a month, and those of 2026-11 are used up; the next month begins at 2026-12-01T00:00:00.000000Z.",
  )
})

test('whoever says in a month that a quota is used up says the same event', () => {
  const workspace = { id: crypto.randomUUID(), name: 'w' }
  const said = (now: number) => quotaEvent('flow_runs', workspace, standing(10, 10), now)
  expect(said(NOW).id).toBe(said(NOW + MICROS_PER_SECOND).id)
  expect(said(NOW).id).not.toBe(said(monthEnd(NOW)).id)
  expect(said(NOW).id).not.toBe(quotaEvent('log_bytes', workspace, standing(10, 10), NOW).id)
  expect(said(NOW)).toMatchObject({
    event: 'headgate.quota.flow-runs.exhausted',
    payload: { limit: 10, resets: '2026-12-01T00:00:00.000000Z' },
  })
})

test('ids are before or after the first of a moment as the moments are', () => {
  fc.assert(
    fc.property(
      time,
      time,
      fc.uint8Array({ minLength: 10, maxLength: 10 }),
      (moment, made, random) => {
        const id = uuidV7(Math.floor(made / 1000), random)
        expect(id < firstIdOf(moment)).toBe(Math.floor(made / 1000) < Math.floor(moment / 1000))
      },
    ),
  )
})
