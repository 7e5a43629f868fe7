/** A cron expression, read. A field that is undefined takes every value. */
export type Cron = {
  seconds: readonly number[]
  minutes: readonly number[]
  hours: readonly number[]
  days: ReadonlySet<number> | undefined
  /** The last day of a month, too. */
  lastDay: boolean
  months: ReadonlySet<number> | undefined
  /** 0 is Sunday. */
  weekdays: ReadonlySet<number> | undefined
  /** By weekday: which ones of a month, -1 being the last. If there are any, only they count. */
  nthWeekdays: ReadonlyMap<number, ReadonlySet<number>>
  years: ReadonlySet<number> | undefined
}

/** A cron expression that can't be read; the message says why. */
export class CronError extends Error {
  override readonly name = 'CronError'
}

type Field = { name: string; min: number; max: number; names: readonly string[] }

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const NAME = `(?:${[...MONTHS, ...WEEKDAYS].join('|')})`

const MINUTE: Field = { name: 'minute', min: 0, max: 59, names: [] }
const HOUR: Field = { name: 'hour', min: 0, max: 23, names: [] }
const DAY: Field = { name: 'day of month', min: 1, max: 31, names: [] }
const MONTH: Field = { name: 'month', min: 1, max: 12, names: MONTHS }
const WEEKDAY: Field = { name: 'day of week', min: 0, max: 6, names: WEEKDAYS }
const SECOND: Field = { name: 'second', min: 0, max: 59, names: [] }
const YEAR: Field = { name: 'year', min: 1970, max: 2099, names: [] }
const FIELDS = [MINUTE, HOUR, DAY, MONTH, WEEKDAY, SECOND, YEAR]

const ALIASES: Record<string, string> = {
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
}

/** `fri#2`, `mon-fri#1`, `5#3`: the nth weekday of a month; `l5`: the last one. */
const NTH_WEEKDAY = new RegExp(`^(${NAME}(?:-${NAME})?|\\w+)#(\\d+)$`)
const LAST_WEEKDAY = /^l(\d+)$/
const RANGE = /^([^-]+)-([^-/]+)(?:\/(\d+))?$/

/**
 * Reads a cron expression as Prefect does, which is as croniter does: 5 fields, a 6th for seconds and a 7th for years,
 * names, `L`, `#`, ranges that wrap around, `@daily` and the like.
 * @throws CronError
 */
export function parseCron(expression: string): Cron {
  const lower = expression.toLowerCase()
  const texts = (ALIASES[lower] ?? lower).split(/\s+/).filter((text) => text !== '')
  if (lower.startsWith('@') && ALIASES[lower] === undefined) {
    throw new CronError(`'${expression}' is none of ${Object.keys(ALIASES).join(', ')}`)
  }
  if (texts.length < 5 || texts.length > 7) {
    throw new CronError(
      `expected 5 fields (minute, hour, day of month, month, day of week), a 6th for seconds and a 7th for years, got ${texts.length}`,
    )
  }
  if (texts.some((text) => /^[hr](?:\(|\/|$)/.test(text))) {
    throw new CronError(`'${expression}' uses H or R: hashed and random times are not supported`)
  }
  const nth = new Map<number, Set<number>>()
  const values = FIELDS.map((field, index) => {
    const text = texts[index]
    return text === undefined ? undefined : parseField(field, text, texts.length, nth)
  })
  const [minutes, hours, days, months, weekdays, seconds, years] = values
  refuseMixedWeekdays(weekdays, nth)
  const lastDay = days?.delete(LAST) ?? false
  // All days written out are as good as a star, but only beside a star do they count as one.
  const isAll = (set: Set<number> | undefined, all: number, other: string | undefined): boolean =>
    set === undefined || (set.size === all && !lastDay && (other ?? '').includes('*'))
  return {
    seconds: seconds === undefined && texts.length > 5 ? every(SECOND) : sorted(seconds ?? [0]),
    minutes: minutes ? sorted(minutes) : every(MINUTE),
    hours: hours ? sorted(hours) : every(HOUR),
    days: isAll(days, 31, texts[4]) ? undefined : days,
    lastDay,
    months,
    weekdays: isAll(weekdays, 7, texts[2]) ? undefined : weekdays,
    nthWeekdays: nth,
    years,
  }
}

/** Stands for `L` among days of a month. */
const LAST = -1

function parseField(
  field: Field,
  text: string,
  fieldCount: number,
  nth: Map<number, Set<number>>,
): Set<number> | undefined {
  if (text.includes('?')) {
    if (text !== '?' || (field !== DAY && field !== WEEKDAY)) {
      throw new CronError(
        `${field.name} '${text}': a question mark stands alone, for the day of month or of week`,
      )
    }
    return undefined
  }
  const values = new Set<number>()
  let isStar = false
  for (const item of text.split(',')) {
    if (item === '*') {
      isStar = true
      continue
    }
    for (const value of parseItem(field, item, fieldCount, nth)) {
      values.add(value)
    }
  }
  return isStar ? undefined : values
}

function parseItem(
  field: Field,
  item: string,
  fieldCount: number,
  nth: Map<number, Set<number>>,
): number[] {
  const nthMatch = field === WEEKDAY ? NTH_WEEKDAY.exec(item) : null
  const lastMatch = field === WEEKDAY ? LAST_WEEKDAY.exec(item) : null
  const which = lastMatch ? LAST : Number(nthMatch?.[2])
  const text = nthMatch?.[1] ?? lastMatch?.[1] ?? item
  if (nthMatch && (which < 1 || which > 5)) {
    throw new CronError(`${field.name} '${item}': a month has the 1st to the 5th of a weekday`)
  }
  const values = parseRange(field, text, fieldCount) ?? [parseValue(field, text, fieldCount)]
  if (nthMatch || lastMatch) {
    for (const value of values) {
      nth.set(value, (nth.get(value) ?? new Set()).add(which))
    }
  }
  return values
}

function parseRange(field: Field, text: string, fieldCount: number): number[] | undefined {
  const spelt = text.replace(/^\*(?=\/.)/, `${field.min}-${field.max}`)
  const match = RANGE.exec(spelt) ?? RANGE.exec(text.replace(/^(.+)\/(.+)$/, `$1-${field.max}/$2`))
  if (!match) {
    return undefined
  }
  const [, from = '', to = '', stepText] = match
  const step = Number(stepText ?? 1)
  if (step === 0) {
    throw new CronError(`${field.name} '${text}': a step is 1 or more`)
  }
  const low = toNumber(field, from, text, fieldCount)
  const high = field === DAY && to === 'l' ? field.max : toNumber(field, to, text, fieldCount)
  if (Math.max(low, high) > field.max) {
    throw outOfRange(field, text)
  }
  const values = rangeValues(field, low, high, step)
  if (values.some((value) => value < field.min || value > field.max)) {
    throw outOfRange(field, text)
  }
  return values
}

function rangeValues(field: Field, low: number, high: number, step: number): number[] {
  if (low < high) {
    return steps(low, high, step)
  }
  if (low === high) {
    return steps(field.min, field.max, step)
  }
  // `fri-mon` goes around. Where the step leaps over the end, croniter begins anew one later than one would count.
  const first = steps(low, field.max, step)
  const rest = field.max - (first.at(-1) ?? field.max)
  const skipped = step > rest + 1 ? step - rest : 0
  return [...first, ...steps(field.min + skipped, high, step)]
}

function parseValue(field: Field, text: string, fieldCount: number): number {
  if (field === DAY && text === 'l') {
    return LAST
  }
  const value = toNumber(field, text, text, fieldCount)
  if (value < field.min || value > field.max) {
    throw outOfRange(field, text)
  }
  return value
}

function toNumber(field: Field, text: string, item: string, fieldCount: number): number {
  if (/^\d+$/.test(text)) {
    return alias(field, Number(text), fieldCount)
  }
  const index = field.names.indexOf(text)
  if (index === -1) {
    const names = field.names.length > 0 ? `, or ${field.names[0]} to ${field.names.at(-1)}` : ''
    throw new CronError(
      `${field.name} '${item}' can't be read: expected ${field.min} to ${field.max}${names}`,
    )
  }
  return index + field.min
}

/** croniter's: 7 is Sunday in 5 fields only; 0 is the first day of a month in 6 fields only. */
function alias(field: Field, value: number, fieldCount: number): number {
  if (field === WEEKDAY && value === 7 && fieldCount === 5) {
    return 0
  }
  return field === DAY && value === 0 && fieldCount === 6 ? 1 : value
}

function refuseMixedWeekdays(
  weekdays: ReadonlySet<number> | undefined,
  nth: ReadonlyMap<number, unknown>,
): void {
  const plain = [...(weekdays ?? [])].filter((value) => !nth.has(value))
  if (nth.size > 0 && plain.length > 0 && weekdays?.size !== 7) {
    throw new CronError('day of week: plain weekdays and nth weekdays can not be mixed')
  }
}

function outOfRange(field: Field, text: string): CronError {
  return new CronError(`${field.name} '${text}' is out of range: ${field.min} to ${field.max}`)
}

function every(field: Field): number[] {
  return steps(field.min, field.max, 1)
}

function steps(low: number, high: number, step: number): number[] {
  return Array.from(
    { length: Math.max(0, Math.floor((high - low) / step) + 1) },
    (_, index) => low + index * step,
  )
}

function sorted(values: Iterable<number>): number[] {
  return [...values].toSorted((a, b) => a - b)
}
