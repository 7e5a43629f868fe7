import {
  daysFromCivil,
  civilFromDays,
  MICROS_PER_SECOND,
  parseTimestamp,
  type Micros,
} from './time.ts'

export const FREQUENCIES = [
  'YEARLY',
  'MONTHLY',
  'WEEKLY',
  'DAILY',
  'HOURLY',
  'MINUTELY',
  'SECONDLY',
] as const
type Frequency = (typeof FREQUENCIES)[number]

/** One RRULE. Times are wall times (see zone.ts), weekdays count from Monday as 0. An absent part takes every value. */
export type Rule = {
  frequency: Frequency
  interval: number
  weekStart: number
  count: number | undefined
  until: Micros | undefined
  start: Micros
  positions: readonly number[]
  months: ReadonlySet<number> | undefined
  monthDays: ReadonlySet<number> | undefined
  yearDays: ReadonlySet<number> | undefined
  weekNumbers: ReadonlySet<number> | undefined
  weekdays: ReadonlySet<number> | undefined
  /** Pairs of weekday and which one of the month, or of the year: -1 is the last. */
  nthWeekdays: readonly (readonly [number, number])[]
  hours: readonly number[] | undefined
  minutes: readonly number[] | undefined
  seconds: readonly number[] | undefined
}

/** All lines of a rule: what is in it, and what is taken out again. */
export type RuleSet = {
  rules: readonly Rule[]
  dates: readonly Micros[]
  exRules: readonly Rule[]
  exDates: ReadonlySet<Micros>
}

/** A recurrence rule that can't be read; the message says why. */
export class RRuleError extends Error {
  override readonly name = 'RRuleError'
}

const MAX_LENGTH = 6_500

/** Where a rule starts that doesn't say it: as in Prefect, midnight in the schedule's zone. */
const DEFAULT_START = daysFromCivil(2020, 1, 1) * 86_400 * MICROS_PER_SECOND

const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']

/** Of each list: its least and greatest number; with `signed`, minus counts from the end and 0 is none. */
const LISTS: Record<string, { min: number; max: number; signed?: true }> = {
  BYSETPOS: { min: 1, max: 366, signed: true },
  BYMONTH: { min: 1, max: 12 },
  BYMONTHDAY: { min: 1, max: 31, signed: true },
  BYYEARDAY: { min: 1, max: 366, signed: true },
  BYWEEKNO: { min: 1, max: 53, signed: true },
  BYHOUR: { min: 0, max: 23 },
  BYMINUTE: { min: 0, max: 59 },
  BYSECOND: { min: 0, max: 59 },
}
const PARTS = new Set([
  ...Object.keys(LISTS),
  'FREQ',
  'INTERVAL',
  'COUNT',
  'UNTIL',
  'WKST',
  'BYDAY',
  'BYWEEKDAY',
])

/**
 * Reads an iCalendar rule (RFC 5545): RRULE, EXRULE, RDATE, EXDATE and DTSTART lines, or a bare rule. As in Prefect, the
 * zones of its dates (`Z`, TZID) don't count: all are by the clocks of the schedule's zone.
 * @throws RRuleError
 */
export function parseRRule(text: string): RuleSet {
  if (text.length > MAX_LENGTH) {
    throw new RRuleError(`a rule has at most ${MAX_LENGTH} characters, got ${text.length}`)
  }
  const lines = text
    .toUpperCase()
    .split(/\s+/)
    .filter((line) => line !== '')
    .map(splitLine)
  const starts = lines.filter((line) => line.name === 'DTSTART').flatMap(readDates)
  if (starts.length > 1) {
    throw new RRuleError('a rule has one DTSTART')
  }
  const start = starts[0] ?? DEFAULT_START
  const rulesNamed = (name: string): Rule[] =>
    lines.filter((line) => line.name === name).map((line) => parseRule(line.value, start))
  const datesNamed = (name: string): Micros[] =>
    lines.filter((line) => line.name === name).flatMap(readDates)
  const set = {
    rules: rulesNamed('RRULE'),
    exRules: rulesNamed('EXRULE'),
    dates: datesNamed('RDATE').toSorted((a, b) => a - b),
    exDates: new Set(datesNamed('EXDATE')),
  }
  if (set.rules.length === 0 && set.dates.length === 0) {
    throw new RRuleError('expected an RRULE or an RDATE')
  }
  return set
}

type Line = { name: string; value: string }

function splitLine(line: string): Line {
  const colon = line.indexOf(':')
  if (colon === -1) {
    return { name: 'RRULE', value: line }
  }
  const [name = '', ...settings] = line.slice(0, colon).split(';')
  if (!['RRULE', 'EXRULE', 'RDATE', 'EXDATE', 'DTSTART'].includes(name)) {
    throw new RRuleError(`unsupported property '${name}'`)
  }
  const isDated = name === 'DTSTART' || name === 'EXDATE'
  const wrong = settings.find(
    (setting) =>
      !(
        (isDated && /^(?:TZID=.+|VALUE=DATE)$/.test(setting)) ||
        (name.endsWith('DATE') || isDated ? setting === 'VALUE=DATE-TIME' : false)
      ),
  )
  if (wrong !== undefined) {
    throw new RRuleError(`unsupported ${name} parameter '${wrong}'`)
  }
  return { name, value: line.slice(colon + 1) }
}

function readDates({ name, value }: Line): Micros[] {
  return value.split(',').map((text) => parseDate(name, text))
}

const DATE =
  /^(\d{4})-?(\d{2})-?(\d{2})(?:T(\d{2}):?(\d{2})(?::?(\d{2}))?)?(?:Z|[+-]\d{2}:?\d{2})?$/

function parseDate(name: string, text: string): Micros {
  const [, year, month, day, hour = '00', minute = '00', second = '00'] = DATE.exec(text) ?? []
  const time = parseTimestamp(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (time === undefined) {
    throw new RRuleError(`invalid ${name} '${text}': expected a date like 20260131T090000`)
  }
  return time
}

function parseRule(text: string, start: Micros): Rule {
  const parts = new Map<string, string>()
  for (const pair of text.split(';')) {
    const [name = '', value, ...rest] = pair.split('=')
    if (value === undefined || rest.length > 0) {
      throw new RRuleError(`'${pair}' can't be read: expected NAME=VALUE`)
    }
    if (!PARTS.has(name)) {
      throw new RRuleError(`unknown parameter '${name}'`)
    }
    parts.set(name, value)
  }
  const frequency = parseFrequency(parts.get('FREQ'))
  const until = parts.get('UNTIL')
  const set = (name: string): Set<number> | undefined => {
    const list = parseList(parts, name)
    return list && new Set(list)
  }
  const rule: Rule = {
    frequency,
    interval: parseCount(parts, 'INTERVAL', 1) ?? 1,
    weekStart: parseWeekday(parts.get('WKST') ?? 'MO', 'WKST'),
    count: parseCount(parts, 'COUNT', 0),
    until: until === undefined ? undefined : parseDate('UNTIL', until),
    start,
    positions: parseList(parts, 'BYSETPOS') ?? [],
    months: set('BYMONTH'),
    monthDays: set('BYMONTHDAY'),
    yearDays: set('BYYEARDAY'),
    weekNumbers: set('BYWEEKNO'),
    ...parseWeekdays(parts.get('BYDAY') ?? parts.get('BYWEEKDAY'), frequency),
    hours: parseList(parts, 'BYHOUR'),
    minutes: parseList(parts, 'BYMINUTE'),
    seconds: parseList(parts, 'BYSECOND'),
  }
  return withStart(rule)
}

/** What a rule leaves open is taken from its start: its day, its hour, its minute and its second. */
function withStart(rule: Rule): Rule {
  const seconds = Math.floor(rule.start / MICROS_PER_SECOND)
  const day = Math.floor(seconds / 86_400)
  const rank = FREQUENCIES.indexOf(rule.frequency)
  const timed = {
    ...rule,
    hours: rule.hours ?? (rank < 4 ? [Math.floor(seconds / 3600) - day * 24] : undefined),
    minutes: rule.minutes ?? (rank < 5 ? [Math.floor(seconds / 60) % 60] : undefined),
    seconds: rule.seconds ?? (rank < 6 ? [seconds % 60] : undefined),
  }
  const hasDays =
    rule.weekNumbers !== undefined ||
    rule.yearDays !== undefined ||
    rule.monthDays !== undefined ||
    rule.weekdays !== undefined ||
    rule.nthWeekdays.length > 0
  if (hasDays || rank > 2) {
    return timed
  }
  if (rule.frequency === 'WEEKLY') {
    return { ...timed, weekdays: new Set([weekdayOf(day)]) }
  }
  const { month, day: dayOfMonth } = civilFromDays(day)
  const months = rule.months ?? (rule.frequency === 'YEARLY' ? new Set([month]) : undefined)
  return { ...timed, months, monthDays: new Set([dayOfMonth]) }
}

/** 0 is Monday; 1970-01-01 was a Thursday. */
export function weekdayOf(day: number): number {
  return (((day + 3) % 7) + 7) % 7
}

function parseFrequency(text: string | undefined): Frequency {
  const frequency = FREQUENCIES.find((name) => name === text)
  if (!frequency) {
    throw new RRuleError(
      `invalid 'FREQ': expected one of ${FREQUENCIES.join(', ')}, got ${text ?? 'none'}`,
    )
  }
  return frequency
}

function parseCount(
  parts: ReadonlyMap<string, string>,
  name: string,
  min: number,
): number | undefined {
  const text = parts.get(name)
  if (text === undefined) {
    return undefined
  }
  if (!/^\d{1,9}$/.test(text) || Number(text) < min) {
    throw new RRuleError(
      `invalid '${name}': expected a whole number of ${min} or more, got ${text}`,
    )
  }
  return Number(text)
}

function parseList(parts: ReadonlyMap<string, string>, name: string): number[] | undefined {
  const text = parts.get(name)
  const range = LISTS[name]
  if (text === undefined || !range) {
    return undefined
  }
  const numbers = text.split(',').map((item) => {
    const value = /^[+-]?\d{1,3}$/.test(item) ? Number(item) : Number.NaN
    const size = range.signed ? Math.abs(value) : value
    if (!(size >= range.min && size <= range.max)) {
      const or = range.signed ? ` or -${range.max} to -${range.min}` : ''
      throw new RRuleError(
        `invalid '${name}': expected ${range.min} to ${range.max}${or}, got ${item}`,
      )
    }
    return value
  })
  return [...new Set(numbers)].toSorted((a, b) => a - b)
}

function parseWeekdays(
  text: string | undefined,
  frequency: Frequency,
): Pick<Rule, 'weekdays' | 'nthWeekdays'> {
  if (text === undefined) {
    return { weekdays: undefined, nthWeekdays: [] }
  }
  const plain = new Set<number>()
  const nthWeekdays: [number, number][] = []
  for (const item of text.split(',')) {
    const match =
      /^([+-]?\d{1,2})?([A-Z]{2})$/.exec(item) ?? /^()([A-Z]{2})\(([+-]?\d{1,2})\)$/.exec(item)
    const weekday = parseWeekday(match?.[2] ?? item, 'BYDAY')
    const which = Number(match?.[3] ?? match?.[1] ?? 0)
    // A week, a day or less has each weekday once.
    if (which === 0 || !['YEARLY', 'MONTHLY'].includes(frequency)) {
      plain.add(weekday)
    } else {
      nthWeekdays.push([weekday, which])
    }
  }
  return { weekdays: plain.size > 0 ? plain : undefined, nthWeekdays }
}

function parseWeekday(text: string, name: string): number {
  const weekday = WEEKDAYS.indexOf(text)
  if (weekday === -1) {
    throw new RRuleError(`invalid '${name}': expected ${WEEKDAYS.join(', ')}, got ${text}`)
  }
  return weekday
}
