import { bind, toCount, toFlag } from '../arguments.ts'
import { toFloat, toWhole } from '../convert.ts'
import { fixedDigits } from '../exact-digits.ts'
import { TemplateError, typeError } from '../template-error.ts'
import { asNumber, content, isText, orElse, typeName, Undefined, type Value } from '../value.ts'
import type { Filters } from './filter.ts'

export const NUMBER_FILTERS: Filters = {
  abs: (value) => {
    const number = asNumber(value)
    if (number === undefined) {
      throw typeError(`bad operand type for abs(): '${typeName(value)}'`)
    }
    return number < 0 || Object.is(number, -0) ? -number : number
  },
  int: (value, args) => {
    const { default: otherwise, base } = bind(args, ['default', 'base'], 0, 'int')
    const whole =
      attempt(() => toWhole(value, toCount(base, 10)), ['TypeError', 'ValueError']) ??
      attempt(() => toWhole(toFloat(value)), ['TypeError', 'ValueError', 'OverflowError'])
    return whole === undefined ? orElse(otherwise, () => 0n) : whole
  },
  float: (value, args) => {
    const { default: otherwise } = bind(args, ['default'], 0, 'float')
    const float = attempt(() => toFloat(value), ['TypeError', 'ValueError'])
    return float === undefined ? orElse(otherwise, () => 0) : float
  },
  round: (value, args) => {
    const { precision, method } = bind(args, ['precision', 'method'], 0, 'round')
    const how = isText(method) ? content(method) : 'common'
    return round(value, toCount(precision, 0), how)
  },
  filesizeformat: (value, args) => {
    const { binary } = bind(args, ['binary'], 0, 'filesizeformat')
    return fileSize(toFloat(value), toFlag(binary))
  },
}

function attempt<T>(make: () => T, kinds: readonly string[]): T | undefined {
  try {
    return make()
  } catch (error) {
    if (error instanceof TemplateError && kinds.includes(error.kind)) {
      return undefined
    }
    throw error
  }
}

function round(value: Value, places: number, method: string): Value {
  if (!['common', 'ceil', 'floor'].includes(method)) {
    throw new TemplateError('FilterArgumentError', 'method must be common, ceil or floor')
  }
  const number = asNumber(value)
  if (number === undefined) {
    throw value instanceof Undefined
      ? new TemplateError(value.kind, value.message)
      : typeError(`type ${typeName(value)} doesn't define __round__ method`)
  }
  if (method === 'common') {
    if (typeof number === 'bigint') {
      return places >= 0 ? number : BigInt(fixedDigits(number, Math.max(places, -5000)))
    }
    return roundFloat(number, places)
  }
  const factor = 10 ** places
  const scaled = Number(number) * factor
  return (method === 'ceil' ? Math.ceil(scaled) : Math.floor(scaled)) / factor
}

export function roundFloat(value: number, places: number): number {
  // A float has no more than 324 digits behind its point, and 309 before it.
  return Number.isFinite(value) && places < 324
    ? Number(fixedDigits(value, Math.max(places, -310)))
    : value
}

const DECIMAL = ['kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB']
const BINARY = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB']

function fileSize(bytes: number, binary: boolean): string {
  const base = binary ? 1024 : 1000
  if (bytes === 1) {
    return '1 Byte'
  }
  if (bytes < base) {
    return `${toWhole(bytes)} Bytes`
  }
  const units = binary ? BINARY : DECIMAL
  const found = units.findIndex((_, index) => bytes < base ** (index + 2))
  const index = found === -1 ? units.length - 1 : found
  return `${fixedDigits((base * bytes) / base ** (index + 2), 1)} ${units[index]}`
}
