import { cronDates } from './cron-dates.ts'
import { CronError, parseCron } from './cron.ts'
import { intervalDates } from './interval.ts'
import { rruleDates } from './rrule-dates.ts'
import { parseRRule, RRuleError } from './rrule.ts'
import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp, type Micros } from './time.ts'
import type { Schedule } from './wire/schedule.ts'
import { isTimeZone } from './zone.ts'

/** Dates looked at for one answer, as in Prefect, so that no schedule can stall its caller. */
const MAX_DATES = 1_000
/** So often in a row for past ones: more than these come only of schedules of fractions of a second. */
const MAX_LOOKS = 100

/** Whether a schedule can be used; `field` is the one at fault, `error` a sentence about it. */
export type ScheduleCheck =
  { ok: true } | { ok: false; field: 'interval' | 'cron' | 'rrule' | 'timezone'; error: string }

/**
 * The next dates of a schedule, ascending and all different.
 * @param schedule one that `parseSchedule` found right; an interval without anchor counts from the epoch
 * @param options.after microseconds since the epoch, itself included
 * @param options.limit how many dates at most (1000 at most)
 * @param options.until no date is later
 * @throws RangeError when the schedule is not right
 */
export function nextDates(
  schedule: Schedule,
  options: { after: Micros; limit: number; until?: Micros },
): Micros[] {
  const check = parseSchedule(schedule)
  if (!check.ok) {
    throw new RangeError(check.error)
  }
  const limit = Math.min(options.limit, MAX_DATES)
  const until = options.until ?? Infinity
  // A set, since two wall times can be one time where clocks change; there they may also come out of order.
  const dates = new Set<Micros>()
  if (limit > 0) {
    for (const date of datesOf(schedule, options.after)) {
      if (date > until) {
        break
      }
      dates.add(date)
      if (dates.size >= limit) {
        break
      }
    }
  }
  return [...dates].toSorted((a, b) => a - b)
}

/** How far back is looked first for past dates; twice as far each time that it was not far enough. */
const FIRST_LOOK_BACK = 60 * MICROS_PER_SECOND

/**
 * The latest dates of a schedule before a time, ascending.
 * @param options.after none is earlier
 * @param options.before itself left out
 * @param options.limit how many at most (1000 at most)
 * @throws RangeError when the schedule is not right
 */
export function lastDates(
  schedule: Schedule,
  options: { after: Micros; before: Micros; limit: number },
): Micros[] {
  const { after, before } = options
  const limit = Math.min(options.limit, MAX_DATES)
  for (let span = FIRST_LOOK_BACK; ; span *= 2) {
    const from = Math.max(after, before - span)
    const dates = from < before ? datesBetween(schedule, from, before, limit) : []
    if (dates.length >= limit || from === after || from >= before) {
      return dates
    }
  }
}

/** The last ones of a span in which there may be more than are looked at in one go. */
function datesBetween(schedule: Schedule, from: Micros, before: Micros, limit: number): Micros[] {
  let kept: Micros[] = []
  let next = from
  for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
    const dates = nextDates(schedule, { after: next, limit: MAX_DATES, until: before - 1 })
    kept = [...kept, ...dates].slice(-limit)
    if (dates.length < MAX_DATES) {
      break
    }
    next = (dates.at(-1) ?? next) + 1
  }
  return kept
}

function datesOf(schedule: Schedule, after: Micros): Iterable<Micros> {
  // No zone, and the empty one, are UTC.
  const zone = schedule.timezone || 'UTC'
  if ('interval' in schedule) {
    const anchor = parseTimestamp(schedule.anchor_date ?? '') ?? 0
    return intervalDates(toMicros(schedule.interval), anchor, zone, after)
  }
  if ('cron' in schedule) {
    return cronDates(parseCron(schedule.cron), zone, schedule.day_or ?? true, after)
  }
  return rruleDates(parseRRule(schedule.rrule), zone, after)
}

/** Says whether a schedule is right: its cron expression, rule and time zone. */
export function parseSchedule(schedule: Schedule): ScheduleCheck {
  if (schedule.timezone && !isTimeZone(schedule.timezone)) {
    const error = `Invalid timezone: "${schedule.timezone}" (specify in IANA tzdata format, for example, America/New_York)`
    return { ok: false, field: 'timezone', error }
  }
  if ('interval' in schedule) {
    return toMicros(schedule.interval) >= 1
      ? { ok: true }
      : { ok: false, field: 'interval', error: 'The interval must be positive' }
  }
  if ('cron' in schedule) {
    return attempt('cron', `Invalid cron string: "${schedule.cron}"`, () =>
      parseCron(schedule.cron),
    )
  }
  const shown = schedule.rrule.length > 40 ? `${schedule.rrule.slice(0, 40)}...` : schedule.rrule
  return attempt('rrule', `Invalid RRule string "${shown}"`, () => parseRRule(schedule.rrule))
}

function attempt(field: 'cron' | 'rrule', intro: string, parse: () => unknown): ScheduleCheck {
  try {
    parse()
    return { ok: true }
  } catch (error) {
    if (error instanceof CronError || error instanceof RRuleError) {
      return { ok: false, field, error: `${intro} (${error.message})` }
    }
    throw error
  }
}

/**
 * Fills in what Prefect fills in when a schedule is made: an interval's anchor is now and its zone UTC, a rule's zone is
 * UTC, a cron's days are joined by *or* and its zone stays as it is.
 */
export function scheduleDefaults(schedule: Schedule, now: Micros): Schedule {
  if ('interval' in schedule) {
    const anchor = schedule.anchor_date ?? formatTimestamp(now)
    return { ...schedule, anchor_date: anchor, timezone: schedule.timezone ?? 'UTC' }
  }
  if ('cron' in schedule) {
    return { ...schedule, timezone: schedule.timezone ?? null, day_or: schedule.day_or ?? true }
  }
  return { ...schedule, timezone: schedule.timezone ?? 'UTC' }
}

function toMicros(seconds: number): Micros {
  return Math.round(seconds * MICROS_PER_SECOND)
}
