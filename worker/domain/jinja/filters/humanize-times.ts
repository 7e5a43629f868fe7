import { MICROS_PER_DAY, type Micros } from '../../../../core/time.ts'
import { bind, toFlag, toPlain } from '../arguments.ts'
import { Tuple } from '../collections.ts'
import { toFloat, toWhole } from '../convert.ts'
import { toList } from '../iterate.ts'
import { Moment } from '../moment.ts'
import { Span } from '../span.ts'
import { strftime } from '../strftime.ts'
import { TemplateError, typeError, valueError } from '../template-error.ts'
import { toText } from '../text.ts'
import { asNumber, isText, type Runtime, typeName, type Value } from '../value.ts'
import type { Filters } from './filter.ts'
import { intComma } from './humanize-numbers.ts'
import { roundFloat } from './numbers.ts'
import { preciseDelta } from './precise-delta.ts'

export const HUMANIZE_TIME_FILTERS: Filters = {
  humanize_naturaldelta: (value, args, runtime) => {
    const given = bind(args, ['months', 'minimum_unit'], 0, 'naturaldelta')
    return naturalDelta(value, toFlag(given.months, true), unitOf(given.minimum_unit), runtime)
  },
  humanize_naturaltime: (value, args, runtime) => {
    const given = bind(args, ['future', 'months', 'minimum_unit', 'when'], 0, 'naturaltime')
    const now =
      given.when instanceof Moment
        ? given.when.micros
        : value instanceof Moment
          ? nowOf(runtime)
          : 0
    const delta = deltaOf(value, now, false)
    if (delta === undefined) {
      return toText(value, runtime)
    }
    const isTime = value instanceof Moment || value instanceof Span
    const isFuture = isTime ? delta < 0 : toFlag(given.future)
    const text = naturalDelta(
      new Span(Math.abs(delta)),
      toFlag(given.months, true),
      unitOf(given.minimum_unit),
      runtime,
    )
    return text === 'a moment' ? 'now' : `${text} ${isFuture ? 'from now' : 'ago'}`
  },
  humanize_naturalday: (value, _args, runtime) => naturalDay(value, '%b %d', runtime),
  humanize_naturaldate: (value, _args, runtime) => {
    if (!(value instanceof Moment)) {
      return toText(value, runtime)
    }
    const isFar = Math.abs(daysFromNow(value, runtime)) >= (5 * 365) / 12
    return naturalDay(value, isFar ? '%b %d %Y' : '%b %d', runtime)
  },
  humanize_precisedelta: (value, args, runtime) => {
    const given = bind(args, ['minimum_unit', 'suppress', 'format'], 0, 'precisedelta')
    const delta = deltaOf(value, runtime.now ?? 0, true)
    if (delta === undefined) {
      return toText(value, runtime)
    }
    const suppress = given.suppress === undefined ? [] : toList(given.suppress, runtime)
    return preciseDelta(new Span(Math.abs(delta)), {
      unit: unitOf(given.minimum_unit),
      suppress: suppress.map((unit) => unitOf(unit)),
      format: given.format === undefined ? '%0.2f' : toPlain(given.format, 'format'),
      runtime,
    })
  },
  humanize_abs_timedelta: (value) => {
    if (value instanceof Span) {
      return new Span(Math.abs(value.micros))
    }
    const number = asNumber(value)
    if (number === undefined) {
      throw typeError(`bad operand type for abs(): '${typeName(value)}'`)
    }
    return number < 0 ? -number : number
  },
  humanize_date_and_delta: (value, _args, runtime) => {
    const now = nowOf(runtime)
    const delta = deltaOf(value, now, false)
    return delta === undefined
      ? new Tuple([null, value])
      : new Tuple([new Moment(now - delta), new Span(Math.abs(delta))])
  },
}

const UNITS = [
  'MICROSECONDS',
  'MILLISECONDS',
  'SECONDS',
  'MINUTES',
  'HOURS',
  'DAYS',
  'MONTHS',
  'YEARS',
] as const

/** The number of a unit: microseconds are 0, years 7. */
function unitOf(value: Value | undefined): number {
  const name = value === undefined ? 'SECONDS' : toPlain(value, 'unit').toUpperCase()
  const index = UNITS.findIndex((unit) => unit === name)
  if (index === -1) {
    throw new TemplateError('KeyError', `'${name}'`)
  }
  return index
}

function nowOf(runtime: Runtime): Micros {
  if (runtime.now === undefined) {
    throw new TemplateError('RuntimeError', 'There is no time in here.')
  }
  return runtime.now
}

/** How long before `now`, in microseconds; undefined where the value is no time. */
function deltaOf(value: Value, now: Micros, precise: boolean): number | undefined {
  if (value instanceof Moment) {
    return now - value.micros
  }
  if (value instanceof Span) {
    return value.micros
  }
  const number = asNumber(value)
  if (number === undefined || Number.isNaN(number)) {
    return undefined
  }
  const seconds = precise ? Number(number) : roundFloat(Number(number), 0)
  return limited(seconds * 1_000_000)
}

/** Python has no spans of more than a billion days. */
function limited(micros: number): number {
  if (!(Math.abs(micros) < 8.64e19)) {
    throw new TemplateError('OverflowError', 'days must have magnitude <= 999999999')
  }
  return Math.round(micros)
}

function toSpan(value: Value): Span | undefined {
  if (value instanceof Span) {
    return value
  }
  try {
    toWhole(value)
    return new Span(limited(toFloat(value) * 1_000_000))
  } catch (error) {
    if (error instanceof TemplateError && ['TypeError', 'ValueError'].includes(error.kind)) {
      return undefined
    }
    if (!isText(value) && !Number.isFinite(asNumber(value) ?? 0) && typeof value === 'number') {
      return undefined
    }
    throw error
  }
}

function naturalDelta(value: Value, useMonths: boolean, unit: number, runtime: Runtime): string {
  if (unit > 2) {
    throw valueError(`Minimum unit '${(UNITS[unit] ?? '').toLowerCase()}' not supported`)
  }
  const given = toSpan(value)
  if (given === undefined) {
    return toText(value, runtime)
  }
  const span = new Span(Math.abs(given.micros))
  const years = Math.floor(span.days / 365)
  const days = span.days % 365
  const months = roundFloat(days / 30.5, 0)
  if (years === 0 && days < 1) {
    return withinDay(span, unit)
  }
  if (years === 0) {
    return withinYear(days, months, useMonths)
  }
  if (years === 1) {
    return secondYear(days, months, useMonths)
  }
  return `${intComma(BigInt(roundFloat(span.days / 365, 0)), undefined, runtime)} years`
}

function plural(count: number, unit: string): string {
  return `${Math.trunc(count)} ${unit}${Math.trunc(count) === 1 ? '' : 's'}`
}

function withinDay(span: Span, unit: number): string {
  const { seconds, microseconds } = span
  if (seconds === 0) {
    if (unit === 0 && microseconds < 1000) {
      return plural(microseconds, 'microsecond')
    }
    return unit <= 1 ? plural(microseconds / 1000, 'millisecond') : 'a moment'
  }
  if (seconds < 60) {
    return seconds === 1 ? 'a second' : plural(seconds, 'second')
  }
  if (seconds < 3600) {
    const minutes = roundFloat(seconds / 60, 0)
    return minutes === 1 ? 'a minute' : minutes === 60 ? 'an hour' : plural(minutes, 'minute')
  }
  const hours = roundFloat(seconds / 3600, 0)
  return hours === 1 ? 'an hour' : hours === 24 ? 'a day' : plural(hours, 'hour')
}

function withinYear(days: number, months: number, useMonths: boolean): string {
  if (days === 1) {
    return 'a day'
  }
  if (!useMonths || months === 0) {
    return plural(days, 'day')
  }
  return months === 1 ? 'a month' : months === 12 ? 'a year' : plural(months, 'month')
}

function secondYear(days: number, months: number, useMonths: boolean): string {
  if (days === 0) {
    return 'a year'
  }
  if (months === 0 || !useMonths) {
    return `1 year, ${plural(days, 'day')}`
  }
  return months === 12 ? '2 years' : `1 year, ${plural(months, 'month')}`
}

function naturalDay(value: Value, format: string, runtime: Runtime): string {
  if (!(value instanceof Moment)) {
    return toText(value, runtime)
  }
  const days = daysFromNow(value, runtime)
  const name = new Map([
    [0, 'today'],
    [1, 'tomorrow'],
    [-1, 'yesterday'],
  ]).get(days)
  return name ?? strftime(value.micros, format)
}

function daysFromNow(value: Moment, runtime: Runtime): number {
  return dayOf(value.micros) - dayOf(nowOf(runtime))
}

function dayOf(time: Micros): number {
  return Math.floor(time / MICROS_PER_DAY)
}
