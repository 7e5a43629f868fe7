import { limitsChange, planName } from '#core/wire/usage.ts'
import type { PlanChoice } from '#domain/plans.ts'
import type { Bindings } from './workspace.ts'

/**
 * The plan of accounts that have none of their own, as HEADGATE_PLAN and HEADGATE_LIMITS say it.
 * @throws Error when they say something else
 */
export function serviceChoice({ HEADGATE_PLAN, HEADGATE_LIMITS }: Bindings): PlanChoice {
  const plan = planName.nullable().safeParse(HEADGATE_PLAN || null)
  if (!plan.success) {
    throw new Error(`HEADGATE_PLAN: expected the name of a plan; it is '${HEADGATE_PLAN}'`)
  }
  if (!HEADGATE_LIMITS) {
    return { plan: plan.data, limits: null }
  }
  const limits = limitsChange.safeParse(parse(HEADGATE_LIMITS))
  if (!limits.success) {
    throw new Error(
      `HEADGATE_LIMITS: expected JSON such as {"flow_runs": 1000, "log_days": 30}; ${limits.error.message}`,
    )
  }
  return { plan: plan.data, limits: limits.data }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
