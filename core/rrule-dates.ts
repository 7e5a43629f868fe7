import { FREQUENCIES, weekdayOf, type Rule, type RuleSet } from './rrule.ts'
import {
  civilFromDays,
  daysFromCivil,
  daysInMonth,
  MICROS_PER_DAY,
  MICROS_PER_SECOND,
  type Micros,
} from './time.ts'
import { fromWall, offsetAt, toWall } from './zone.ts'

/** The longest that clocks have ever skipped: a day, in Samoa. */
const LONGEST_SKIP = 25 * 3600 * MICROS_PER_SECOND

/** Days and times looked at in vain before a rule counts as one that has ended: all days of the calendar's cycle. */
const MAX_STEPS = 150_000

/** Dates gone through in vain, to count them or since others exclude them, before a rule is given up: under a second. */
const MAX_PASSED = 100_000

const UNIT_SECONDS = new Map([
  ['HOURLY', 3600],
  ['MINUTELY', 60],
  ['SECONDLY', 1],
])

/** Ends the search at the end of the calendar's cycle: what doesn't happen in it never does. */
const CYCLE_DAYS = 146_097

/**
 * The times of a recurrence rule from `after` (itself included) on, by the zone's clocks. What they show twice happens
 * once, the first time; what they skip is moved back by what is skipped, as in Prefect, so there the times may not ascend.
 */
export function* rruleDates(set: RuleSet, zone: string, after: Micros): Generator<Micros> {
  // What clocks skipped or showed twice shortly before belongs here too; elsewhere that would only be slow.
  const isNearChange = offsetAt(zone, after - LONGEST_SKIP) !== offsetAt(zone, after + LONGEST_SKIP)
  for (const wall of setWalls(set, toWall(zone, after) - (isNearChange ? LONGEST_SKIP : 0))) {
    const time = fromWall(zone, wall, 'back')
    if (time >= after) {
      yield time
    }
  }
}

function* setWalls(set: RuleSet, from: Micros): Generator<Micros> {
  const included = mergeWalls([...set.rules.map((rule) => ruleWalls(rule, from)), set.dates])
  const excluded = mergeWalls(set.exRules.map((rule) => ruleWalls(rule, from)))
  let next = excluded.next()
  let passed = 0
  for (const wall of included) {
    passed += 1
    if (passed > MAX_PASSED) {
      return
    }
    while (!next.done && next.value < wall) {
      next = excluded.next()
    }
    const isExcluded = set.exDates.has(wall) || (!next.done && next.value === wall)
    if (wall >= from && !isExcluded) {
      passed = 0
      yield wall
    }
  }
}

/** Merges ascending times into one ascending row without doubles. */
function* mergeWalls(rows: Iterable<Micros>[]): Generator<Micros> {
  const heads = rows.map((row) => {
    const iterator = row[Symbol.iterator]()
    return { iterator, head: iterator.next() }
  })
  for (;;) {
    const least = Math.min(...heads.map(({ head }) => (head.done ? Infinity : head.value)))
    if (least === Infinity) {
      return
    }
    yield least
    for (const row of heads) {
      while (!row.head.done && row.head.value === least) {
        row.head = row.iterator.next()
      }
    }
  }
}

/** The wall times of one rule that are not before `from`; one with a COUNT must count from its start. */
function* ruleWalls(counted: Rule, from: Micros): Generator<Micros> {
  const rule = withoutCount(counted)
  const until = rule.until ?? Infinity
  let left = rule.count ?? Infinity
  let passed = 0
  const steps = { left: MAX_STEPS }
  for (const wall of allWalls(rule, rule.count === undefined ? from : rule.start, steps)) {
    steps.left = MAX_STEPS
    passed += 1
    if (wall > until || left <= 0 || passed > MAX_PASSED) {
      return
    }
    if (wall >= rule.start) {
      left -= 1
      if (wall >= from) {
        passed = 0
        yield wall
      }
    }
  }
}

/** Where a rule of hours, minutes or seconds has nothing but an interval, its COUNT is as good as an UNTIL. */
function withoutCount(rule: Rule): Rule {
  const unit = UNIT_SECONDS.get(rule.frequency)
  const isBare =
    !(rule.months ?? rule.monthDays ?? rule.yearDays ?? rule.weekNumbers ?? rule.weekdays) &&
    rule.positions.length === 0 &&
    rule.hours === undefined &&
    (unit === 3600 ? rule.minutes?.length === 1 : rule.minutes === undefined) &&
    (unit === 1 ? rule.seconds === undefined : rule.seconds?.length === 1)
  if (unit === undefined || rule.count === undefined || !isBare || rule.count === 0) {
    return rule
  }
  const last = rule.start + (rule.count * rule.interval * unit - 1) * MICROS_PER_SECOND
  return { ...rule, count: undefined, until: Math.min(rule.until ?? Infinity, last) }
}

type Steps = { left: number }

/** May begin with times before `from`, or before the rule's start. */
function* allWalls(rule: Rule, from: Micros, steps: Steps): Generator<Micros> {
  const rank = FREQUENCIES.indexOf(rule.frequency)
  const firstDay = Math.floor(Math.max(from, rule.start) / MICROS_PER_DAY)
  const lastDay = firstDay + CYCLE_DAYS
  const periods = rank > 3 ? everyDay(firstDay) : dayPeriods(rule, firstDay)
  for (const [first, last] of periods) {
    if (first > lastDay || steps.left <= 0) {
      return
    }
    const days: number[] = []
    for (let day = first; day <= last; day += 1) {
      steps.left -= 1
      if (fitsDay(rule, day)) {
        days.push(day)
      }
    }
    if (days.length === 0) {
      continue
    }
    if (rank > 3) {
      for (const times of clockPeriods(rule, first, steps)) {
        yield* pick(rule, days, times)
      }
    } else {
      yield* pick(rule, days, clockTimes(rule.hours ?? [], rule.minutes ?? [], rule.seconds ?? []))
    }
  }
}

/** The first and last day of each of the rule's years, months, weeks or days that doesn't end before a day. */
function* dayPeriods(rule: Rule, firstDay: number): Generator<[number, number]> {
  const startDay = Math.floor(rule.start / MICROS_PER_DAY)
  const start = civilFromDays(startDay)
  const target = civilFromDays(firstDay)
  const weekStart = startDay - ((weekdayOf(startDay) - rule.weekStart + 7) % 7)
  const distance = {
    YEARLY: target.year - start.year,
    MONTHLY: (target.year - start.year) * 12 + target.month - start.month,
    WEEKLY: Math.floor((firstDay - weekStart) / 7),
    DAILY: firstDay - startDay,
  }
  const unit = rule.frequency as keyof typeof distance
  const first = Math.max(0, Math.floor(distance[unit] / rule.interval))
  for (let index = first; ; index += 1) {
    const offset = index * rule.interval
    switch (unit) {
      case 'YEARLY': {
        const year = start.year + offset
        yield [daysFromCivil(year, 1, 1), daysFromCivil(year, 12, 31)]
        break
      }
      case 'MONTHLY': {
        const months = start.month - 1 + offset
        const year = start.year + Math.floor(months / 12)
        const month = (months % 12) + 1
        const day = daysFromCivil(year, month, 1)
        yield [day, day + daysInMonth(year, month) - 1]
        break
      }
      case 'WEEKLY': {
        // The first week begins with the rule, which matters to BYSETPOS.
        const day = weekStart + offset * 7
        yield [index === 0 ? startDay : day, day + 6]
        break
      }
      case 'DAILY':
        yield [startDay + offset, startDay + offset]
        break
      default:
        unit satisfies never
    }
  }
}

function* everyDay(first: number): Generator<[number, number]> {
  for (let day = first; ; day += 1) {
    yield [day, day]
  }
}

/** The times of each of a day's hours, minutes or seconds in which a rule of that frequency happens. */
function* clockPeriods(rule: Rule, day: number, steps: Steps): Generator<Micros[]> {
  const unit = UNIT_SECONDS.get(rule.frequency) ?? 1
  const start = Math.floor(rule.start / MICROS_PER_SECOND / unit)
  for (const [begin, end] of clockSpans(rule)) {
    steps.left -= 1
    const first = (day * 86_400 + begin) / unit - start
    const wait = Math.ceil(first / rule.interval) * rule.interval - first
    for (let time = begin + wait * unit; time < end; time += rule.interval * unit) {
      steps.left -= 1
      const [hour, minute, second] = [
        Math.floor(time / 3600),
        Math.floor(time / 60) % 60,
        time % 60,
      ]
      const isHour = !rule.hours || rule.hours.includes(hour)
      if (isHour && unit === 3600) {
        yield clockTimes([hour], rule.minutes ?? [], rule.seconds ?? [])
      } else if (isHour && unit === 60 && (!rule.minutes || rule.minutes.includes(minute))) {
        yield clockTimes([hour], [minute], rule.seconds ?? [])
      } else if (unit === 1 && (!rule.seconds || rule.seconds.includes(second))) {
        yield [time * MICROS_PER_SECOND]
      }
    }
  }
}

/** The parts of a day, in seconds, outside of which nothing of the rule happens. */
function clockSpans(rule: Rule): (readonly [number, number])[] {
  const hours = rule.hours?.map((hour) => [hour * 3600, (hour + 1) * 3600] as const)
  const whole = [[0, 86_400] as const]
  if (rule.frequency === 'HOURLY') {
    return whole
  }
  const { minutes } = rule
  if (rule.frequency === 'MINUTELY' || !minutes) {
    return hours ?? whole
  }
  const begins =
    hours?.map(([begin]) => begin) ?? Array.from({ length: 24 }, (_, hour) => hour * 3600)
  return begins.flatMap((begin) =>
    minutes.map((minute) => [begin + minute * 60, begin + minute * 60 + 60] as const),
  )
}

function clockTimes(
  hours: readonly number[],
  minutes: readonly number[],
  seconds: readonly number[],
): Micros[] {
  return hours.flatMap((hour) =>
    minutes.flatMap((minute) =>
      seconds.map((second) => (hour * 3600 + minute * 60 + second) * MICROS_PER_SECOND),
    ),
  )
}

/** All times of a period, or those at the positions that BYSETPOS names. */
function* pick(rule: Rule, days: readonly number[], times: readonly Micros[]): Generator<Micros> {
  if (rule.positions.length === 0) {
    for (const day of days) {
      for (const time of times) {
        yield day * MICROS_PER_DAY + time
      }
    }
    return
  }
  const total = days.length * times.length
  const indexes = rule.positions
    .map((position) => (position > 0 ? position - 1 : total + position))
    .filter((index) => index >= 0 && index < total)
  for (const index of [...new Set(indexes)].toSorted((a, b) => a - b)) {
    const day = days[Math.floor(index / times.length)] ?? 0
    yield day * MICROS_PER_DAY + (times[index % times.length] ?? 0)
  }
}

function fitsDay(rule: Rule, day: number): boolean {
  if (rule.months || rule.monthDays || rule.yearDays || rule.nthWeekdays.length > 0) {
    const { year, month, day: dayOfMonth } = civilFromDays(day)
    const monthLength = daysInMonth(year, month)
    const yearStart = daysFromCivil(year, 1, 1)
    const yearLength = daysFromCivil(year + 1, 1, 1) - yearStart
    const dayOfYear = day - yearStart + 1
    const isByMonth = rule.frequency === 'MONTHLY' || rule.months !== undefined
    const fits =
      (!rule.months || rule.months.has(month)) &&
      fitsCount(rule.monthDays, dayOfMonth, monthLength) &&
      fitsCount(rule.yearDays, dayOfYear, yearLength) &&
      (rule.nthWeekdays.length === 0 ||
        rule.weekdays?.has(weekdayOf(day)) ||
        (isByMonth
          ? isNthWeekday(rule, day, dayOfMonth, monthLength)
          : isNthWeekday(rule, day, dayOfYear, yearLength)))
    if (!fits) {
      return false
    }
  }
  return (
    (!rule.weekdays || rule.nthWeekdays.length > 0 || rule.weekdays.has(weekdayOf(day))) &&
    (!rule.weekNumbers || fitsWeek(rule.weekNumbers, rule.weekStart, day))
  )
}

/** Whether the nth of so many is among numbers of which the negative ones count from the end. */
function fitsCount(numbers: ReadonlySet<number> | undefined, nth: number, total: number): boolean {
  return numbers === undefined || numbers.has(nth) || numbers.has(nth - total - 1)
}

function isNthWeekday(rule: Rule, day: number, nthDay: number, total: number): boolean {
  const fromStart = Math.ceil(nthDay / 7)
  const fromEnd = -Math.ceil((total - nthDay + 1) / 7)
  return rule.nthWeekdays.some(
    ([weekday, which]) => weekday === weekdayOf(day) && (which === fromStart || which === fromEnd),
  )
}

/** A week belongs to the year in which it has four days or more. */
function fitsWeek(weeks: ReadonlySet<number>, weekStart: number, day: number): boolean {
  const begin = day - ((weekdayOf(day) - weekStart + 7) % 7)
  const { year } = civilFromDays(begin + 3)
  const firstWeek = weekOne(year, weekStart)
  const total = (weekOne(year + 1, weekStart) - firstWeek) / 7
  return fitsCount(weeks, (begin - firstWeek) / 7 + 1, total)
}

/** The first day of a year's first week. */
function weekOne(year: number, weekStart: number): number {
  const fourth = daysFromCivil(year, 1, 4)
  return fourth - ((weekdayOf(fourth) - weekStart + 7) % 7)
}
