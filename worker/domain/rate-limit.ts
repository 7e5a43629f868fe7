import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'

/** What a request is counted as: each has limits of its own, so that none can use up what another needs. */
export type Budget =
  /** Reading, configuring, starting: all but what follows. */
  | 'api'
  /** Logs and events, which come in as many requests as there is to tell. */
  | 'logs'
  /** What keeps runs going: claims and renewals, states, slots. */
  | 'agent'

const LOGS = /^post \/(logs\/|events)$|^get \/(events|logs)\/(in|out)$/
const AGENT =
  /^(post|get) \/work_pools\/\{\w+\}\/(claim|accept|renew|finish|doorbell|get_scheduled_flow_runs|workers\/heartbeat)$|\/(set_state|get_runs|get_scheduled_flow_runs)$|^post \/(v2\/)?concurrency_limits\/((in|de)crement|leases\/)/

/** @param path as the route is declared: `/flow_runs/{id}` */
export function budgetOf(method: string, path: string): Budget {
  const operation = `${method} ${path}`
  return LOGS.test(operation) ? 'logs' : AGENT.test(operation) ? 'agent' : 'api'
}

/** Ten seconds: the shorter one of those that Cloudflare's rate limits know, so that whoever meets a limit soon goes on. */
export const PERIOD_SECONDS = 10
const PERIOD = PERIOD_SECONDS * MICROS_PER_SECOND

/** The number of the period that a moment lies in: requests are counted from one whole period to the next. */
export function periodOf(now: Micros): number {
  return Math.floor(now / PERIOD)
}

/** How a counter stands. */
export interface Standing {
  /** How many requests a period has room for. */
  limit: number
  /** How many of them are left. */
  remaining: number
  /** Whole seconds until the next period, one at least. */
  resetSeconds: number
  exceeded: boolean
}

/** @param used how many requests the period has seen, this one included */
export function standingOf(limit: number, used: number, now: Micros): Standing {
  return {
    limit,
    remaining: Math.max(0, limit - used),
    resetSeconds: Math.max(1, Math.ceil(((periodOf(now) + 1) * PERIOD - now) / MICROS_PER_SECOND)),
    exceeded: used > limit,
  }
}

/** The one that ends first. */
export function tighter(a: Standing, b: Standing): Standing {
  return a.exceeded !== b.exceeded ? (a.exceeded ? a : b) : a.remaining <= b.remaining ? a : b
}

/** As the drafts of `RateLimit` fields for HTTP write it. */
export function rateLimitHeaders({
  limit,
  remaining,
  resetSeconds,
}: Standing): Record<string, string> {
  return {
    'RateLimit-Limit': String(limit),
    'RateLimit-Remaining': String(remaining),
    'RateLimit-Reset': String(resetSeconds),
    'RateLimit-Policy': `${limit};w=${PERIOD_SECONDS}`,
  }
}
