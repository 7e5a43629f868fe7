import { parseTimestamp } from './time.ts'
import type {
  DeploymentSchedule,
  DeploymentScheduleCreate,
  DeploymentScheduleUpdate,
  Schedule,
} from './wire/schedule.ts'

/** What brings a deployment's schedules to what is wanted of them. */
export interface SchedulePlan {
  create: DeploymentScheduleCreate[]
  update: { id: string; body: DeploymentScheduleUpdate }[]
  remove: DeploymentSchedule[]
  /** Not wanted, but made under a name, by hand say: left as they are. */
  keep: DeploymentSchedule[]
}

/**
 * Compares the schedules that there are with those wanted: by slug, else by when they fire. One that was paused by hand stays
 * paused unless `active` is given, and an interval keeps its rhythm unless an anchor is given.
 */
export function planSchedules(
  existing: readonly DeploymentSchedule[],
  wanted: readonly DeploymentScheduleCreate[],
): SchedulePlan {
  const plan: SchedulePlan = { create: [], update: [], remove: [], keep: [] }
  const left = new Set(existing)
  const bySlug = wanted.map((entry) => {
    const match = entry.slug == null ? undefined : find(left, ({ slug }) => slug === entry.slug)
    return match ?? renamed(left, entry)
  })
  for (const [index, entry] of wanted.entries()) {
    const match =
      bySlug[index] ?? find(left, (schedule) => sameTiming(schedule.schedule, entry.schedule))
    if (match === undefined) {
      plan.create.push(entry)
    } else {
      const body = difference(match, entry)
      if (Object.keys(body).length > 0) {
        plan.update.push({ id: match.id, body })
      }
    }
  }
  for (const schedule of left) {
    if (schedule.slug === null) {
      plan.remove.push(schedule)
    } else {
      plan.keep.push(schedule)
    }
  }
  return plan
}

function renamed(
  left: Set<DeploymentSchedule>,
  { replaces }: DeploymentScheduleCreate,
): DeploymentSchedule | undefined {
  return replaces == null ? undefined : find(left, ({ slug }) => slug === replaces)
}

/** Finds a schedule and takes it out, so that none is matched twice. */
function find(
  left: Set<DeploymentSchedule>,
  fits: (schedule: DeploymentSchedule) => boolean,
): DeploymentSchedule | undefined {
  for (const schedule of left) {
    if (fits(schedule)) {
      left.delete(schedule)
      return schedule
    }
  }
  return undefined
}

function difference(
  existing: DeploymentSchedule,
  wanted: DeploymentScheduleCreate,
): DeploymentScheduleUpdate {
  const body: DeploymentScheduleUpdate = {}
  if (!sameTiming(existing.schedule, wanted.schedule)) {
    body.schedule = withAnchor(wanted.schedule, existing.schedule)
  }
  if (wanted.active !== undefined && wanted.active !== existing.active) {
    body.active = wanted.active
  }
  if (wanted.slug != null && wanted.slug !== existing.slug) {
    body.slug = wanted.slug
  }
  if (
    wanted.max_scheduled_runs != null &&
    wanted.max_scheduled_runs !== existing.max_scheduled_runs
  ) {
    body.max_scheduled_runs = wanted.max_scheduled_runs
  }
  const missed = wanted.missed_runs
  if (missed != null && !sameJson(missed, existing.missed_runs)) {
    body.missed_runs = missed
  }
  const parameters = wanted.parameters
  if (parameters !== undefined && !sameJson(parameters, existing.parameters)) {
    body.parameters = parameters
  }
  return body
}

function withAnchor(wanted: Schedule, existing: Schedule): Schedule {
  return 'interval' in wanted &&
    'interval' in existing &&
    wanted.anchor_date === undefined &&
    existing.anchor_date !== undefined
    ? { ...wanted, anchor_date: existing.anchor_date }
    : wanted
}

function sameTiming(existing: Schedule, wanted: Schedule): boolean {
  if ((existing.timezone ?? 'UTC') !== (wanted.timezone ?? 'UTC')) {
    return false
  }
  if ('cron' in wanted) {
    return (
      'cron' in existing &&
      existing.cron === wanted.cron &&
      (existing.day_or ?? true) === (wanted.day_or ?? true)
    )
  }
  if ('rrule' in wanted) {
    return 'rrule' in existing && existing.rrule === wanted.rrule
  }
  return (
    'interval' in existing &&
    existing.interval === wanted.interval &&
    (wanted.anchor_date === undefined || sameTime(existing.anchor_date, wanted.anchor_date))
  )
}

function sameTime(a: string | undefined, b: string): boolean {
  return a !== undefined && parseTimestamp(a) === parseTimestamp(b)
}

/** Whether two JSON values are equal, whatever the order of their keys. */
function sameJson(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b)
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) =>
    typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      ? Object.fromEntries(Object.entries(entry).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : entry,
  )
}
