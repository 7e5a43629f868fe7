import type { Cron } from './cron.ts'
import {
  civilFromDays,
  daysFromCivil,
  daysInMonth,
  MICROS_PER_DAY,
  MICROS_PER_SECOND,
  type Micros,
} from './time.ts'
import { fromWall, offsetAt, toWall } from './zone.ts'

/** Years without a single match after which an expression counts as one that never fires (30 February), as in croniter. */
const MAX_YEARS_BETWEEN = 50

/** The longest that clocks have ever skipped: a day, in Samoa. */
const LONGEST_SKIP = 25 * 3600 * MICROS_PER_SECOND

/**
 * The times at which a cron expression fires, ascending, from `after` (itself included) on. It is evaluated by the zone's
 * clocks: what they skip fires as much later, what they show twice fires once, the first time.
 * @param dayOr whether a day fits by its day of month or its day of week (cron's way), or must by both
 */
export function* cronDates(
  cron: Cron,
  zone: string,
  dayOr: boolean,
  after: Micros,
): Generator<Micros> {
  // What clocks skipped shortly before may fire after; elsewhere that would only be slow.
  const isNearChange = offsetAt(zone, after - LONGEST_SKIP) !== offsetAt(zone, after)
  const start = toWall(zone, isNearChange ? after - LONGEST_SKIP : after)
  let last = after - 1
  for (const wall of cronWalls(cron, dayOr, start)) {
    const time = fromWall(zone, wall)
    if (time > last) {
      last = time
      yield time
    }
  }
}

function* cronWalls(cron: Cron, dayOr: boolean, start: Micros): Generator<Micros> {
  const firstDay = Math.floor(start / MICROS_PER_DAY)
  let { year, month, day } = civilFromDays(firstDay)
  let lastYear = year + MAX_YEARS_BETWEEN
  while (year <= lastYear) {
    const isMonth =
      (cron.months === undefined || cron.months.has(month)) &&
      (cron.years === undefined || cron.years.has(year))
    for (const fit of isMonth ? fittingDays(cron, dayOr, year, month) : []) {
      if (fit >= day) {
        const midnight = daysFromCivil(year, month, fit) * MICROS_PER_DAY
        yield* clockTimes(cron, midnight, start)
        lastYear = year + MAX_YEARS_BETWEEN
      }
    }
    day = 1
    month += 1
    if (month > 12) {
      month = 1
      year += 1
    }
  }
}

function* clockTimes(cron: Cron, midnight: Micros, start: Micros): Generator<Micros> {
  for (const hour of cron.hours) {
    if (midnight + (hour + 1) * 3600 * MICROS_PER_SECOND <= start) {
      continue
    }
    for (const minute of cron.minutes) {
      for (const second of cron.seconds) {
        const wall = midnight + (hour * 3600 + minute * 60 + second) * MICROS_PER_SECOND
        if (wall >= start) {
          yield wall
        }
      }
    }
  }
}

function fittingDays(cron: Cron, dayOr: boolean, year: number, month: number): number[] {
  const length = daysInMonth(year, month)
  // 1970-01-01 was a Thursday, the 4th day from Sunday.
  const weekdayOfFirst = (((daysFromCivil(year, month, 1) + 4) % 7) + 7) % 7
  const isByDay = cron.days !== undefined || cron.lastDay
  const isByWeekday = cron.weekdays !== undefined || cron.nthWeekdays.size > 0
  return Array.from({ length }, (_, index) => index + 1).filter((day) => {
    const weekday = (weekdayOfFirst + day - 1) % 7
    const fitsDay = !isByDay || cron.days?.has(day) || (cron.lastDay && day === length)
    const fitsWeekday = fitsDayOfWeek(cron, weekday, day, length)
    // As in croniter, an nth weekday counts even where either of the two would do.
    return isByDay && isByWeekday && dayOr
      ? fitsWeekday || (fitsDay && cron.nthWeekdays.size === 0)
      : fitsDay && fitsWeekday
  })
}

function fitsDayOfWeek(cron: Cron, weekday: number, day: number, length: number): boolean {
  if (cron.nthWeekdays.size === 0) {
    return cron.weekdays === undefined || cron.weekdays.has(weekday)
  }
  const which = cron.nthWeekdays.get(weekday)
  const isLast = day + 7 > length
  return which !== undefined && (which.has(Math.ceil(day / 7)) || (isLast && which.has(-1)))
}
