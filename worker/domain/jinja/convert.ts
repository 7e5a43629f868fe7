import { characters } from './characters.ts'
import { quote } from './quote.ts'
import { TemplateError, typeError, valueError } from './template-error.ts'
import { asNumber, assertDefined, content, isText, typeName, type Value } from './value.ts'

const WHOLE = /^\s*([+-]?)(\d(?:_?\d)*)\s*$/
const FLOAT =
  /^\s*[+-]?(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?\s*$/
const SPECIAL = /^\s*([+-]?)(inf|infinity|nan)\s*$/i

/** Python's float(). */
export function toFloat(value: Value): number {
  const number = asNumber(value)
  if (number !== undefined) {
    const float = Number(number)
    if (typeof number === 'bigint' && !Number.isFinite(float)) {
      throw new TemplateError('OverflowError', 'int too large to convert to float')
    }
    return float
  }
  assertDefined(value)
  if (!isText(value)) {
    throw typeError(`float() argument must be a string or a real number, not '${typeName(value)}'`)
  }
  const text = content(value)
  const special = SPECIAL.exec(text)
  if (special !== null) {
    const size = special[2]?.toLowerCase() === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY
    return special[1] === '-' ? -size : size
  }
  if (!FLOAT.test(text)) {
    throw valueError(`could not convert string to float: ${quote(text)}`)
  }
  return Number(text.replaceAll('_', ''))
}

/** Python's int(), of a text in the given base. */
export function toWhole(value: Value, base = 10): bigint {
  const number = asNumber(value)
  if (typeof number === 'bigint') {
    return number
  }
  if (number !== undefined) {
    return truncate(number)
  }
  assertDefined(value)
  if (!isText(value)) {
    throw typeError(
      `int() argument must be a string, a bytes-like object or a real number, not '${typeName(value)}'`,
    )
  }
  return fromText(content(value), base)
}

function truncate(value: number): bigint {
  if (Number.isNaN(value)) {
    throw valueError('cannot convert float NaN to integer')
  }
  if (!Number.isFinite(value)) {
    throw new TemplateError('OverflowError', 'cannot convert float infinity to integer')
  }
  return BigInt(Math.trunc(value))
}

function fromText(text: string, base: number): bigint {
  const found = base === 10 ? WHOLE.exec(text) : inBase(text, base)
  const invalid = () => valueError(`invalid literal for int() with base ${base}: ${quote(text)}`)
  if (found === undefined || found === null || text.length > 4300) {
    throw invalid()
  }
  const digits = (found[2] ?? '').replaceAll('_', '')
  const size = base === 10 ? BigInt(digits) : digitsToNumber(digits, Number(found[3] ?? base))
  return found[1] === '-' ? -size : size
}

const PREFIXES: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16 }

function inBase(text: string, base: number): string[] | undefined {
  const parsed = /^\s*([+-]?)(?:0([bBoOxX])_?)?([\da-zA-Z]+(?:_[\da-zA-Z]+)*)\s*$/.exec(text)
  if (parsed === null || base < 0 || base > 36 || base === 1) {
    return undefined
  }
  const prefix = PREFIXES[(parsed[2] ?? '').toLowerCase()]
  const actual = base === 0 ? (prefix ?? 10) : base
  // In base 16 "0b1" is a number of three digits, not a one in base 2.
  const digits =
    prefix !== undefined && prefix !== actual ? `0${parsed[2]}${parsed[3]}` : (parsed[3] ?? '')
  const fits = characters(digits.replaceAll('_', '')).every(
    (digit) => Number.parseInt(digit, 36) < actual,
  )
  return fits ? ['', parsed[1] ?? '', digits, String(actual)] : undefined
}

/** So many digits at once are a safe integer in every base. */
const DIGITS_AT_ONCE = 10

function digitsToNumber(digits: string, base: number): bigint {
  const first = digits.length % DIGITS_AT_ONCE
  const shift = BigInt(base) ** BigInt(DIGITS_AT_ONCE)
  let number = BigInt(first === 0 ? 0 : Number.parseInt(digits.slice(0, first), base))
  for (let at = first; at < digits.length; at += DIGITS_AT_ONCE) {
    number = number * shift + BigInt(Number.parseInt(digits.slice(at, at + DIGITS_AT_ONCE), base))
  }
  return number
}
