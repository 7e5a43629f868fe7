import { bind, optional, toCount, toFlag, toPlain } from '../arguments.ts'
import { formatBraces } from '../brace-format.ts'
import { Tuple } from '../collections.ts'
import { order } from '../compare.ts'
import { toFloat, toWhole } from '../convert.ts'
import { toFraction } from '../exact-digits.ts'
import { formatValue } from '../format-spec.ts'
import { formatPercent } from '../percent-format.ts'
import { TemplateError } from '../template-error.ts'
import { toText } from '../text.ts'
import { asNumber, content, isText, type Runtime, type Value } from '../value.ts'
import type { Filters } from './filter.ts'
import { roundFloat } from './numbers.ts'

export const HUMANIZE_NUMBER_FILTERS: Filters = {
  humanize_ordinal: (value, _args, runtime) =>
    asWhole(value, runtime, (whole) => `${whole}${ordinalSuffix(whole)}`),
  humanize_intcomma: (value, args, runtime) => {
    const { ndigits } = bind(args, ['ndigits'], 0, 'intcomma')
    return intComma(value, optional(ndigits), runtime)
  },
  humanize_intword: (value, args, runtime) => {
    const format = formatOf(bind(args, ['format'], 0, 'intword').format, '%.1f')
    return asWhole(value, runtime, (whole) => intWord(whole, format, runtime))
  },
  humanize_apnumber: (value, _args, runtime) =>
    asWhole(value, runtime, (whole) => WORDS[Number(whole)] ?? whole.toString()),
  humanize_fractional: (value, _args, runtime) => fractional(value, runtime),
  humanize_scientific: (value, args, runtime) => {
    const { precision } = bind(args, ['precision'], 0, 'scientific')
    return asFloat(value, runtime, (number) => scientific(number, toCount(precision, 2), runtime))
  },
  humanize_clamp: (value, args, runtime) => {
    const given = bind(args, ['floor', 'ceil', 'format', 'floor_token', 'ceil_token'], 0, 'clamp')
    if (value === null) {
      return null
    }
    const [floor, ceil] = [optional(given.floor), optional(given.ceil)]
    const format = formatOf(given.format, '{:}')
    const show = (shown: Value) =>
      formatBraces(format, { positional: [shown], named: new Map() }, runtime)
    const number = toFloat(value)
    if (!Number.isFinite(number)) {
      return notFinite(number)
    }
    if (floor !== undefined && order(value, floor) < 0) {
      return `${toText(given.floor_token ?? '<', runtime)}${show(floor)}`
    }
    if (ceil !== undefined && order(value, ceil) > 0) {
      return `${toText(given.ceil_token ?? '>', runtime)}${show(ceil)}`
    }
    return show(value)
  },
  humanize_metric: (value, args, runtime) => {
    const { unit, precision } = bind(args, ['unit', 'precision'], 0, 'metric')
    return metric(
      toFloat(value),
      unit === undefined ? '' : toText(unit, runtime),
      toCount(precision, 3),
      runtime,
    )
  },
  humanize_naturalsize: (value, args, runtime) => {
    const { binary, gnu, format } = bind(args, ['binary', 'gnu', 'format'], 0, 'naturalsize')
    return naturalSize(
      toFloat(value),
      toFlag(binary),
      toFlag(gnu),
      formatOf(format, '%.1f'),
      runtime,
    )
  },
  humanize_thousands_separator: () => ',',
  humanize_decimal_separator: () => '.',
}

function formatOf(value: Value | undefined, otherwise: string): string {
  return value === undefined ? otherwise : toPlain(value, 'format')
}

function notFinite(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}

/** What is no number stays as it is. */
function asFloat(value: Value, runtime: Runtime, show: (number: number) => string): string {
  let number: number
  try {
    number = toFloat(value)
  } catch (error) {
    if (error instanceof TemplateError && ['TypeError', 'ValueError'].includes(error.kind)) {
      return toText(value, runtime)
    }
    throw error
  }
  return Number.isFinite(number) ? show(number) : notFinite(number)
}

function asWhole(value: Value, runtime: Runtime, show: (whole: bigint) => string): string {
  return asFloat(value, runtime, () => {
    try {
      return show(toWhole(value))
    } catch (error) {
      if (error instanceof TemplateError && error.kind === 'ValueError') {
        return toText(value, runtime)
      }
      throw error
    }
  })
}

function ordinalSuffix(value: bigint): string {
  const positive = ((value % 100n) + 100n) % 100n
  if (positive >= 11n && positive <= 13n) {
    return 'th'
  }
  return ['th', 'st', 'nd', 'rd'][Number(positive % 10n)] ?? 'th'
}

export function intComma(value: Value, digits: Value | undefined, runtime: Runtime): string {
  return asFloat(value, runtime, () => {
    const plain = isText(value) ? content(value).replaceAll(',', '') : value
    const number =
      typeof plain === 'string' ? (plain.includes('.') ? toFloat(plain) : toWhole(plain)) : plain
    const spec = digits === undefined ? ',' : `,.${toCount(digits, 0)}f`
    return formatValue(
      typeof number === 'boolean' ? (asNumber(number) ?? 0n) : number,
      spec,
      runtime,
    )
  })
}

const POWERS = [3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 100].map((power) => 10n ** BigInt(power))
const NAMES = [
  'thousand',
  'million',
  'billion',
  'trillion',
  'quadrillion',
  'quintillion',
  'sextillion',
  'septillion',
  'octillion',
  'nonillion',
  'decillion',
  'googol',
]

function intWord(value: bigint, format: string, runtime: Runtime): string {
  const size = value < 0n ? -value : value
  const sign = value < 0n ? '-' : ''
  let index = POWERS.findLastIndex((power) => power <= size)
  const power = POWERS[index]
  if (power === undefined) {
    return `${sign}${size}`
  }
  const show = (number: number) =>
    toText(formatPercent(format, new Tuple([number]), runtime), runtime)
  let rounded = toFloat(show(Number(size) / Number(power)))
  const next = POWERS[index + 1]
  if (next !== undefined && rounded === Number(next / power)) {
    index += 1
    rounded = 1
  }
  return `${sign}${show(rounded)} ${NAMES[index]}`
}

const WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']

function fractional(value: Value, runtime: Runtime): string {
  return asFloat(value, runtime, (number) => {
    const whole = Math.trunc(number)
    const { numerator, denominator } = nearestFraction(number - whole, 1000n)
    if (denominator === 1n) {
      return (BigInt(whole) + numerator).toString()
    }
    if (whole === 0) {
      return `${numerator}/${denominator}`
    }
    return `${BigInt(whole)} ${numerator < 0n ? -numerator : numerator}/${denominator}`
  })
}

/** The fraction nearest to a number whose denominator is at most `limit`, by continued fractions. */
function nearestFraction(value: number, limit: bigint): { numerator: bigint; denominator: bigint } {
  const exact = toFraction(value)
  if (exact.denominator <= limit) {
    return exact
  }
  let [p0, q0, p1, q1] = [0n, 1n, 1n, 0n]
  let { numerator: n, denominator: d } = exact
  for (;;) {
    const a = n / d - (n % d !== 0n && n < 0n ? 1n : 0n)
    const q2 = q0 + a * q1
    if (q2 > limit) {
      break
    }
    ;[p0, q0, p1, q1] = [p1, q1, p0 + a * p1, q2]
    ;[n, d] = [d, n - a * d]
  }
  const k = (limit - q0) / q1
  const lower = { numerator: p0 + k * p1, denominator: q0 + k * q1 }
  const upper = { numerator: p1, denominator: q1 }
  const distance = (one: { numerator: bigint; denominator: bigint }) => {
    const difference = one.numerator * exact.denominator - exact.numerator * one.denominator
    return (
      (difference < 0n ? -difference : difference) * (one === upper ? lower : upper).denominator
    )
  }
  return distance(upper) <= distance(lower) ? upper : lower
}

const SUPERSCRIPTS: Readonly<Record<string, string>> = {
  '0': '⁰',
  '1': '¹',
  '2': '²',
  '3': '³',
  '4': '⁴',
  '5': '⁵',
  '6': '⁶',
  '7': '⁷',
  '8': '⁸',
  '9': '⁹',
  '-': '⁻',
}

function scientific(value: number, precision: number, runtime: Runtime): string {
  const [mantissa = '', exponent = '0'] = formatValue(value, `.${precision}e`, runtime).split('e')
  const raised = String(Number(exponent)).replace(/./g, (digit) => SUPERSCRIPTS[digit] ?? digit)
  return `${mantissa} x 10${raised}`
}

function metric(value: number, unit: string, precision: number, runtime: Runtime): string {
  if (!Number.isFinite(value)) {
    return notFinite(value)
  }
  let exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  if (exponent >= 33 || exponent < -30) {
    return scientific(value, precision - 1, runtime) + unit
  }
  const bucket = Math.floor(exponent / 3) * 3
  const inBucket = () => ((exponent % 3) + 3) % 3
  let scaled = value / 10 ** bucket
  let digits = Math.max(0, precision - inBucket() - 1)
  if (exponent < 30 && Math.abs(roundFloat(scaled, digits)) >= 10 ** (inBucket() + 1)) {
    exponent += 1
    scaled /= 10 ** (Math.floor(exponent / 3) * 3 - bucket)
    digits = Math.max(0, precision - inBucket() - 1)
  }
  const prefix =
    exponent >= 3
      ? 'kMGTPEZYRQ'.charAt(Math.floor(exponent / 3) - 1)
      : exponent < 0
        ? 'mμnpfazyrq'.charAt(Math.floor((-exponent - 1) / 3))
        : ''
  const tight = (unit === '' && prefix === '') || ['°', '′', '″'].includes(unit)
  return `${formatValue(scaled, `.${digits}f`, runtime)}${tight ? '' : ' '}${prefix}${unit}`
}

const SUFFIXES = {
  decimal: ['kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB', 'RB', 'QB'],
  binary: ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB', 'RiB', 'QiB'],
  gnu: 'KMGTPEZYRQ'.split(''),
}

function naturalSize(
  bytes: number,
  binary: boolean,
  gnu: boolean,
  format: string,
  runtime: Runtime,
): string {
  const suffixes = SUFFIXES[gnu ? 'gnu' : binary ? 'binary' : 'decimal']
  const base = gnu || binary ? 1024 : 1000
  const size = Math.abs(bytes)
  if (size === 1 && !gnu) {
    return `${toWhole(bytes)} Byte`
  }
  if (size < base) {
    return gnu ? `${toWhole(bytes)}B` : `${toWhole(bytes)} Bytes`
  }
  const show = (number: number) =>
    toText(formatPercent(format, new Tuple([number]), runtime), runtime)
  let power = Math.trunc(Math.min(Math.log(size) / Math.log(base), suffixes.length))
  if (power < suffixes.length && Math.abs(toFloat(show(size / base ** power))) >= base) {
    power += 1
  }
  return `${show(bytes / base ** power)}${gnu ? '' : ' '}${suffixes[power - 1]}`
}
