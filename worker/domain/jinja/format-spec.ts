import { toFloat } from './convert.ts'
import { floatText } from './float-text.ts'
import { characters } from './characters.ts'
import { formatFloat, group } from './number-format.ts'
import { TemplateError, typeError, valueError } from './template-error.ts'
import { toText } from './text.ts'
import { asNumber, isText, type Runtime, typeName, type Value } from './value.ts'

const SPEC = /^(?:([^])?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([_,])?(?:\.(\d+))?([^])?$/u

interface Spec {
  fill: string
  align: string | undefined
  sign: string
  alternate: boolean
  width: number
  separator: string
  precision: number | undefined
  type: string | undefined
}

/** Python's format(value, spec). */
export function formatValue(value: Value, text: string, runtime: Runtime): string {
  if (text === '') {
    return toText(value, runtime)
  }
  const parsed = SPEC.exec(text)
  if (parsed === null) {
    throw valueError('Invalid format specifier')
  }
  const [, fill, align, sign = '-', , alternate, zero, width, separator = '', precision, type] =
    parsed
  const spec: Spec = {
    fill: fill ?? (zero === undefined ? ' ' : '0'),
    align: align ?? (zero === undefined ? undefined : '='),
    sign,
    alternate: alternate !== undefined,
    width: Number(width ?? 0),
    separator,
    precision: precision === undefined ? undefined : Number(precision),
    type,
  }
  // Exact digits are made by dividing numbers of that many digits.
  runtime.meter.characters(spec.width + (spec.precision ?? 0) * 100)
  return typeof value === 'boolean' && type === undefined
    ? padText(toText(value, runtime), { ...spec, type: 's' })
    : formatKnown(value, spec, runtime)
}

function formatKnown(value: Value, spec: Spec, runtime: Runtime): string {
  const number = asNumber(value)
  if (typeof number === 'bigint') {
    return formatWhole(number, spec)
  }
  if (number !== undefined) {
    return formatFraction(number, spec)
  }
  if (isText(value)) {
    if (spec.type !== undefined && spec.type !== 's') {
      throw valueError(`Unknown format code '${spec.type}' for object of type '${typeName(value)}'`)
    }
    if (spec.align === '=') {
      throw valueError("'=' alignment not allowed in string format specifier")
    }
    return padText(toText(value, runtime), spec)
  }
  throw typeError(`unsupported format string passed to ${typeName(value)}.__format__`)
}

function padText(text: string, spec: Spec): string {
  const letters = characters(text)
  const kept = spec.precision === undefined ? text : letters.slice(0, spec.precision).join('')
  return alignText(kept, { ...spec, align: spec.align ?? '<' })
}

const BASES: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16, X: 16 }

function formatWhole(value: bigint, spec: Spec): string {
  const { type = 'd' } = spec
  if ('eEfFgG%'.includes(type)) {
    return formatFraction(toFloat(value), spec)
  }
  if (spec.precision !== undefined) {
    throw valueError('Precision not allowed in integer format specifier')
  }
  const size = value < 0n ? -value : value
  const base = BASES[type]
  if (type === 'c') {
    if (value < 0n || value > 0x10ffffn) {
      throw new TemplateError('OverflowError', '%c arg not in range(0x110000)')
    }
    return alignText(String.fromCodePoint(Number(value)), { ...spec, align: spec.align ?? '<' })
  }
  if (base === undefined && type !== 'd' && type !== 'n') {
    throw valueError(`Unknown format code '${type}' for object of type 'int'`)
  }
  const digits = size.toString(base ?? 10)
  const prefix = spec.alternate && base !== undefined ? `0${type}` : ''
  const text = type === 'X' ? digits.toUpperCase() : digits
  return finishNumber(
    value < 0n,
    prefix,
    spec.separator === '' ? text : group(text, spec.separator),
    spec,
  )
}

function formatFraction(value: number, spec: Spec): string {
  const { type, precision } = spec
  if (type !== undefined && !'eEfFgGn%'.includes(type)) {
    throw valueError(`Unknown format code '${type}' for object of type 'float'`)
  }
  const text =
    type === undefined
      ? precision === undefined
        ? floatText(value)
        : withFraction(formatFloat(value, 'g', precision))
      : formatFloat(value, type === 'n' ? 'g' : type, precision ?? 6, spec.alternate)
  const negative = text.startsWith('-')
  const digits = negative ? text.slice(1) : text
  return finishNumber(
    negative,
    '',
    spec.separator === '' ? digits : group(digits, spec.separator),
    spec,
  )
}

/** Without a type, a float keeps a digit behind its point. */
function withFraction(text: string): string {
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}

function finishNumber(negative: boolean, prefix: string, digits: string, spec: Spec): string {
  const sign = negative ? '-' : spec.sign === '-' ? '' : spec.sign
  const lead = sign + prefix
  if (spec.align === '=') {
    const missing = Math.max(0, spec.width - lead.length - digits.length)
    const zeros = spec.fill.repeat(missing)
    return lead + zeros + digits
  }
  return alignText(lead + digits, { ...spec, align: spec.align ?? '>' })
}

function alignText(text: string, spec: Spec): string {
  const missing = Math.max(0, spec.width - characters(text).length)
  if (spec.align === '<') {
    return text + spec.fill.repeat(missing)
  }
  if (spec.align === '^') {
    const before = Math.floor(missing / 2)
    return spec.fill.repeat(before) + text + spec.fill.repeat(missing - before)
  }
  return spec.fill.repeat(missing) + text
}
