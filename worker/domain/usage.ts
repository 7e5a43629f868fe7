import {
  formatTimestamp,
  MICROS_PER_DAY,
  MICROS_PER_SECOND,
  parseTimestamp,
  type Micros,
} from '#core/time.ts'
import type { Event } from '#core/wire/event.ts'
import { uuidOf } from './log-query.ts'
import type { Plan } from './plans.ts'

/** What is counted. An object's counts never end: what has come since it told them last is the difference. */
export interface Counts {
  flow_runs: number
  task_runs: number
  events: number
  log_bytes: number
}
export const COUNTED = ['flow_runs', 'task_runs', 'events', 'log_bytes'] as const

export const NOTHING: Counts = { flow_runs: 0, task_runs: 0, events: 0, log_bytes: 0 }

/** What ends at a limit. */
export type Quota = 'flow_runs' | 'log_bytes'

/** How an account stood when it was last asked about. */
export interface Standing extends Plan {
  /** What it has used in that month, by all that was told. */
  month: string
  used: Record<Quota, number>
}

/** The day and the month of a moment, in UTC: `2026-11-24`, `2026-11`. */
export function dayOf(now: Micros): string {
  return formatTimestamp(now).slice(0, 10)
}

export function monthOf(now: Micros): string {
  return formatTimestamp(now).slice(0, 7)
}

/** The first moment of the next month, when all that is counted by the month begins anew. */
export function monthEnd(now: Micros): Micros {
  const [year = 0, month = 0] = monthOf(now).split('-').map(Number)
  const next =
    month === 12 ? `${year + 1}-01-01` : `${year}-${String(month + 1).padStart(2, '0')}-01`
  return parseTimestamp(next) ?? now
}

/** The day so many days before a moment. */
export function dayBefore(now: Micros, days: number): string {
  return dayOf(now - days * MICROS_PER_DAY)
}

export function minus(a: Counts, b: Counts): Counts {
  return {
    flow_runs: a.flow_runs - b.flow_runs,
    task_runs: a.task_runs - b.task_runs,
    events: a.events - b.events,
    log_bytes: a.log_bytes - b.log_bytes,
  }
}

/** Small counts are told when they have waited; large ones soon, so that what others know is no more than that behind. */
const LARGE: Counts = { flow_runs: 50, task_runs: 1000, events: 1000, log_bytes: 1_000_000 }
const SOON: Micros = 5 * MICROS_PER_SECOND
const LATEST: Micros = 900 * MICROS_PER_SECOND

/**
 * Whether counts are worth the three rows that telling them costs: at most once in five seconds, and with little to tell once in
 * a quarter of an hour.
 * @param since when they were told last
 */
export function isWorthTelling(untold: Counts, since: Micros, now: Micros): boolean {
  return COUNTED.every((kind) => untold[kind] === 0)
    ? false
    : now - since >= LATEST ||
        (now - since >= SOON && COUNTED.some((kind) => untold[kind] >= LARGE[kind]))
}

/**
 * How much more of it there may be in this month.
 * @param standing undefined while nobody has been asked: what is not known stops nobody
 * @param untold what has come since
 */
export function roomFor(
  quota: Quota,
  standing: Standing | undefined,
  untold: number,
  now: Micros,
): number {
  const limit = standing?.limits[quota] ?? null
  if (standing === undefined || limit === null) {
    return Infinity
  }
  const used = standing.month === monthOf(now) ? standing.used[quota] : 0
  return Math.max(0, limit - used - untold)
}

/** Says what was reached, the limit, and when it begins anew. */
export function exhausted(quota: Quota, { plan, limits }: Plan, now: Micros): string {
  const what =
    quota === 'flow_runs'
      ? `${limits.flow_runs} flow runs in a month`
      : `${limits.log_bytes} bytes of logs in a month`
  return `The account's plan '${plan}' has ${what}, and those of ${monthOf(now)} are used up; the next month begins at ${formatTimestamp(monthEnd(now))}.`
}

/** The event that says so: the same one, whoever says it, for a workspace and a month. */
export function quotaEvent(
  quota: Quota,
  workspace: { id: string; name: string },
  plan: Plan,
  now: Micros,
): Event {
  return {
    id: uuidOf(`quota ${quota} ${workspace.id} ${monthOf(now)}`),
    occurred: formatTimestamp(now),
    event: `headgate.quota.${quota === 'flow_runs' ? 'flow-runs' : 'logs'}.exhausted`,
    resource: {
      'prefect.resource.id': `headgate.workspace.${workspace.id}`,
      'prefect.resource.name': workspace.name,
    },
    related: [],
    payload: {
      message: exhausted(quota, plan, now),
      limit: plan.limits[quota],
      plan: plan.plan,
      resets: formatTimestamp(monthEnd(now)),
    },
  }
}
