import { Tuple } from '../collections.ts'
import { toFloat } from '../convert.ts'
import { formatPercent } from '../percent-format.ts'
import type { Span } from '../span.ts'
import { valueError } from '../template-error.ts'
import { toText } from '../text.ts'
import type { Runtime } from '../value.ts'
import { intComma } from './humanize-numbers.ts'

interface PreciseOptions {
  /** Numbers of units, as in `NAMES`. */
  unit: number
  suppress: readonly number[]
  format: string
  runtime: Runtime
}

const NAMES = ['microsecond', 'millisecond', 'second', 'minute', 'hour', 'day', 'month', 'year']
const [MILLIS, SECONDS, MINUTES, HOURS, DAYS, MONTHS, YEARS] = [1, 2, 3, 4, 5, 6, 7]

/** A span as '2 days, 1 hour and 33.12 seconds'. */
export function preciseDelta(span: Span, options: PreciseOptions): string {
  const unit = smallestUnit(options)
  const hidden = new Set([...options.suppress, ...Array.from({ length: unit }, (_, low) => low)])
  const amounts = split(span, unit, hidden, options)
  promote(amounts, hidden)
  const texts = describe(amounts, unit, options)
  return texts.length === 1
    ? (texts[0] ?? '')
    : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1) ?? ''}`
}

function smallestUnit({ unit, suppress }: PreciseOptions): number {
  if (!suppress.includes(unit)) {
    return unit
  }
  const larger = NAMES.findIndex((_, index) => index > unit && !suppress.includes(index))
  if (larger === -1) {
    throw valueError('Minimum unit is suppressed and no suitable replacement was found')
  }
  return larger
}

/** The amount of each unit, by its number. */
function split(
  span: Span,
  smallest: number,
  hidden: ReadonlySet<number>,
  options: PreciseOptions,
): number[] {
  const amounts = Array.from({ length: NAMES.length }, () => 0)
  const take = (value: number, divisor: number, unit: number): number => {
    if (unit === smallest) {
      amounts[unit] = rounded(value / divisor, options)
      return 0
    }
    if (hidden.has(unit)) {
      return value
    }
    amounts[unit] = Math.floor(value / divisor)
    return Math.trunc(value - Math.floor(value / divisor) * divisor)
  }
  let days = take(span.days, 365, YEARS)
  days = take(days, 30.5, MONTHS)
  let seconds = take(days * 86_400 + span.seconds, 86_400, DAYS)
  seconds = take(seconds, 3600, HOURS)
  seconds = take(seconds, 60, MINUTES)
  let micros = take(seconds * 1e6 + span.microseconds, 1e6, SECONDS)
  micros = take(micros, 1000, MILLIS)
  amounts[0] = micros
  return amounts
}

function rounded(value: number, { format, runtime }: PreciseOptions): number {
  return toFloat(toText(formatPercent(format, new Tuple([value]), runtime), runtime))
}

const FULL = [
  [MILLIS, 1000],
  [SECONDS, 60],
  [MINUTES, 60],
  [HOURS, 24],
  [DAYS, 31],
  [MONTHS, 12],
] as const

/** Sixty minutes, which rounding can make, are an hour. */
function promote(amounts: number[], hidden: ReadonlySet<number>): void {
  for (const [unit, full] of FULL) {
    const amount = amounts[unit] ?? 0
    if (amount >= full && !hidden.has(unit + 1)) {
      amounts[unit] = amount - full
      amounts[unit + 1] = (amounts[unit + 1] ?? 0) + 1
    }
  }
}

function describe(amounts: readonly number[], smallest: number, options: PreciseOptions): string[] {
  const { format, runtime } = options
  const texts: string[] = []
  for (let unit = YEARS; unit >= smallest; unit -= 1) {
    const amount = amounts[unit] ?? 0
    if (amount <= 0 && (texts.length > 0 || unit !== smallest)) {
      continue
    }
    const isWhole = Number.isInteger(amount)
    const name = `${NAMES[unit]}${isWhole && amount === 1 ? '' : 's'}`
    const number =
      unit === smallest && !isWhole
        ? toText(formatPercent(format, new Tuple([amount]), runtime), runtime)
        : unit === YEARS
          ? intComma(isWhole ? BigInt(amount) : amount, undefined, runtime)
          : String(Math.trunc(amount))
    // Less than one of a unit is one of it, by the words.
    texts.push(`${number} ${!isWhole && amount < 1 ? `${NAMES[unit]}s` : name}`)
  }
  return texts
}
