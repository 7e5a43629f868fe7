import { expect, test } from 'vitest'
import { limits, planName } from '../../core/wire/usage.ts'
import { PLAN_NAMES, planOf, PLANS } from '../../worker/domain/plans.ts'

const none = { plan: null, limits: null }

test('without anything set an account has the plan of who runs it himself, without quotas', () => {
  const { plan, limits: own } = planOf(none, none)
  expect(plan).toBe('self_hosted')
  expect([own.flow_runs, own.log_bytes]).toEqual([null, null])
  // As Prefect keeps events.
  expect(own.event_days).toBe(7)
})

test('what an account has of its own goes before what the service has, and that before the plan', () => {
  const service = { plan: 'team', limits: { flow_runs: 5, log_days: 3 } } as const
  expect(planOf(none, service).limits).toEqual({ ...PLANS.team, flow_runs: 5, log_days: 3 })
  expect(planOf({ plan: null, limits: { flow_runs: null } }, service).limits).toEqual({
    ...PLANS.team,
    flow_runs: null,
    log_days: 3,
  })
  expect(planOf({ plan: 'team', limits: { log_days: 9 } }, service).limits).toEqual({
    ...PLANS.team,
    flow_runs: 5,
    log_days: 9,
  })
})

test('another plan than that of the service has its own figures', () => {
  const service = { plan: 'team', limits: { flow_runs: 5 } } as const
  expect(planOf({ plan: 'free', limits: null }, service)).toEqual({
    plan: 'free',
    limits: PLANS.free,
  })
})

test('the table and what is told of it name the same plans, and valid limits', () => {
  expect(planName.options).toEqual([...PLAN_NAMES])
  expect(Object.keys(PLANS)).toEqual([...PLAN_NAMES])
  for (const plan of Object.values(PLANS)) {
    expect(limits.parse(plan)).toEqual(plan)
  }
})
