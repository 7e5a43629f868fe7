import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import {
  budgetOf,
  PERIOD_SECONDS,
  periodOf,
  rateLimitHeaders,
  standingOf,
  tighter,
} from '#domain/rate-limit.ts'

test.for([
  ['post', '/logs/', 'logs'],
  ['post', '/logs/filter', 'api'],
  ['post', '/events', 'logs'],
  ['post', '/events/filter', 'api'],
  ['get', '/events/in', 'logs'],
  ['post', '/work_pools/{name}/claim', 'agent'],
  ['post', '/work_pools/{name}/renew', 'agent'],
  ['get', '/work_pools/{name}/doorbell', 'agent'],
  ['post', '/work_pools/{work_pool_name}/workers/heartbeat', 'agent'],
  ['post', '/work_pools/{work_pool_name}/workers/filter', 'api'],
  ['post', '/work_pools/{name}/get_scheduled_flow_runs', 'agent'],
  ['post', '/work_pools/', 'api'],
  ['get', '/work_pools/{name}', 'api'],
  ['post', '/flow_runs/{id}/set_state', 'agent'],
  ['post', '/task_runs/{id}/set_state', 'agent'],
  ['post', '/flow_runs/bulk_set_state', 'api'],
  ['post', '/flow_runs/filter', 'api'],
  ['post', '/v2/concurrency_limits/increment-with-lease', 'agent'],
  ['post', '/v2/concurrency_limits/leases/{lease_id}/renew', 'agent'],
  ['post', '/v2/concurrency_limits/', 'api'],
  ['post', '/v2/concurrency_limits/filter', 'api'],
] as const)('%s %s is counted as %s', ([method, path, budget]) => {
  expect(budgetOf(method, path)).toBe(budget)
})

const moments = fc.integer({ min: 1_700_000_000_000_000, max: 1_900_000_000_000_000 })
const counts = fc.integer({ min: 1, max: 1000 })

describe('a standing', () => {
  it('ends when it says', () => {
    fc.assert(
      fc.property(moments, counts, (now, used) => {
        const { resetSeconds } = standingOf(1, used, now)
        expect(resetSeconds).toBeGreaterThanOrEqual(1)
        expect(resetSeconds).toBeLessThanOrEqual(PERIOD_SECONDS)
        expect(periodOf(now + resetSeconds * 1_000_000)).toBe(periodOf(now) + 1)
        expect(periodOf(now + (resetSeconds - 1) * 1_000_000 - 1)).toBe(periodOf(now))
      }),
    )
  })

  it('serves as many requests as the limit, and no more', () => {
    fc.assert(
      fc.property(moments, counts, counts, (now, limit, used) => {
        const standing = standingOf(limit, used, now)
        expect(standing.exceeded).toBe(used > limit)
        expect(standing.remaining).toBe(Math.max(limit - used, 0))
      }),
    )
  })

  it('that is used up comes before one that is nearly so', () => {
    const now = 1_800_000_000_000_000
    const [over, empty, plenty] = [
      standingOf(9, 10, now),
      standingOf(9, 9, now),
      standingOf(9, 1, now),
    ]
    expect(tighter(empty, over)).toBe(over)
    expect(tighter(over, empty)).toBe(over)
    expect(tighter(plenty, empty)).toBe(empty)
    expect(tighter(empty, plenty)).toBe(empty)
  })

  it('is told in headers', () => {
    expect(rateLimitHeaders(standingOf(9, 2, 1_800_000_003_500_000))).toEqual({
      'RateLimit-Limit': '9',
      'RateLimit-Remaining': '7',
      'RateLimit-Reset': '7',
      'RateLimit-Policy': '9;w=10',
    })
  })
})
