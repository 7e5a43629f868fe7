import { Dict, Tuple } from './collections.ts'
import { escapeText } from './escape.ts'
import { toFloat, toWhole } from './convert.ts'
import { characters } from './characters.ts'
import { formatFloat } from './number-format.ts'
import { TemplateError, typeError, valueError } from './template-error.ts'
import { repr, toText } from './text.ts'
import {
  asNumber,
  content,
  isText,
  Markup,
  ObjectValue,
  type Runtime,
  typeName,
  type Value,
} from './value.ts'

const DIRECTIVE = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?([^])?/gu

/** Python's `text % values`. */
export function formatPercent(format: string | Markup, values: Value, runtime: Runtime): Value {
  const escaping = format instanceof Markup
  const items = values instanceof Tuple ? values.items : [values]
  const source = new Source(items, values, runtime)
  const text = content(format).replace(
    DIRECTIVE,
    (whole: string, ...groups: (string | undefined)[]) => {
      const [key, flags = '', width, precision, conversion] = groups
      if (conversion === '%') {
        return '%'
      }
      if (conversion === undefined) {
        throw valueError('incomplete format')
      }
      const columns = width === '*' ? source.nextNumber() : Number(width ?? 0)
      const places = precision === '*' ? source.nextNumber() : precision
      const value = key === undefined ? source.next() : source.named(key)
      const hasPoint = whole.includes('.', whole.indexOf(')') + 1)
      const shown = convert(value, conversion, {
        flags,
        places: places === undefined ? (hasPoint ? 0 : undefined) : Number(places),
        runtime,
        escaping,
      })
      runtime.meter.characters(columns)
      return pad(shown, conversion, flags, columns)
    },
  )
  source.finish()
  runtime.meter.characters(text.length)
  return escaping ? new Markup(text) : text
}

class Source {
  private readonly items: Value[]
  private readonly whole: Value
  private readonly runtime: Runtime
  private at = 0

  constructor(items: Value[], whole: Value, runtime: Runtime) {
    this.items = items
    this.whole = whole
    this.runtime = runtime
  }

  next(): Value {
    const value = this.items[this.at]
    if (value === undefined) {
      throw typeError('not enough arguments for format string')
    }
    this.at += 1
    return value
  }

  nextNumber(): number {
    const value = asNumber(this.next())
    if (typeof value !== 'bigint') {
      throw typeError('* wants int')
    }
    return Number(value)
  }

  named(key: string): Value {
    if (!(this.whole instanceof Dict)) {
      throw typeError('format requires a mapping')
    }
    this.at = this.items.length
    const value = this.whole.get(key)
    if (value === undefined) {
      throw new TemplateError('KeyError', `'${key}'`)
    }
    return value
  }

  finish(): void {
    if (
      this.at < this.items.length &&
      !(this.whole instanceof Dict) &&
      !isSequenceOnly(this.whole)
    ) {
      throw typeError('not all arguments converted during string formatting')
    }
    this.runtime.meter.step()
  }
}

/** A list may stand unused, as anything may that has items; a tuple may not. */
function isSequenceOnly(value: Value): boolean {
  return Array.isArray(value) || (value instanceof ObjectValue && value.type === 'range')
}

interface How {
  flags: string
  places: number | undefined
  runtime: Runtime
  escaping: boolean
}

function convert(value: Value, conversion: string, how: How): string {
  switch (conversion) {
    case 's':
    case 'r':
    case 'a': {
      const plain =
        conversion === 's'
          ? toText(value, how.runtime)
          : ascii(repr(value, how.runtime), conversion)
      const text =
        how.escaping && !(value instanceof Markup && conversion === 's') ? escapeText(plain) : plain
      return how.places === undefined ? text : characters(text).slice(0, how.places).join('')
    }
    case 'd':
    case 'i':
    case 'u':
      return sign(padDigits(decimal(value, conversion), how.places), how.flags)
    case 'x':
    case 'X':
    case 'o':
      return sign(padDigits(inBase(value, conversion, how.flags), how.places), how.flags)
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G': {
      if (asNumber(value) === undefined) {
        throw typeError(`must be real number, not ${typeName(value)}`)
      }
      limitPlaces(how)
      return sign(formatFloat(toFloat(value), conversion, how.places ?? 6), how.flags)
    }
    case 'c':
      return character(value)
    default:
      throw valueError(
        `unsupported format character '${conversion}' (0x${(conversion.codePointAt(0) ?? 0).toString(16)}) at index 0`,
      )
  }
}

function limitPlaces({ places, runtime }: How): void {
  // Exact digits are made by dividing numbers of that many digits.
  runtime.meter.characters((places ?? 0) * 100)
}

function ascii(text: string, conversion: string): string {
  return conversion === 'a'
    ? text.replace(/\P{ASCII}/gu, (letter) => {
        const code = letter.codePointAt(0) ?? 0
        return code < 256
          ? `\\x${code.toString(16)}`
          : code < 65536
            ? `\\u${code.toString(16).padStart(4, '0')}`
            : `\\U${code.toString(16).padStart(8, '0')}`
      })
    : text
}

function decimal(value: Value, conversion: string): string {
  if (asNumber(value) === undefined) {
    throw typeError(`%${conversion} format: a real number is required, not ${typeName(value)}`)
  }
  return toWhole(value).toString()
}

function inBase(value: Value, conversion: string, flags: string): string {
  const number = asNumber(value)
  if (typeof number !== 'bigint') {
    throw typeError(`%${conversion} format: an integer is required, not ${typeName(value)}`)
  }
  const digits = (number < 0n ? -number : number).toString(conversion === 'o' ? 8 : 16)
  const prefix = flags.includes('#') ? (conversion === 'o' ? '0o' : '0x') : ''
  const text = `${number < 0n ? '-' : ''}${prefix}${digits}`
  return conversion === 'X' ? text.toUpperCase() : text
}

function padDigits(text: string, places: number | undefined): string {
  const digits = text.replace('-', '')
  return `${text.startsWith('-') ? '-' : ''}${digits.padStart(Math.min(places ?? 0, 10_000), '0')}`
}

function character(value: Value): string {
  if (isText(value) && characters(content(value)).length === 1) {
    return content(value)
  }
  const code = asNumber(value)
  if (typeof code !== 'bigint') {
    throw typeError('%c requires int or char')
  }
  if (code < 0n || code > 0x10ffffn) {
    throw new TemplateError('OverflowError', '%c arg not in range(0x110000)')
  }
  return String.fromCodePoint(Number(code))
}

function sign(text: string, flags: string): string {
  if (text.startsWith('-')) {
    return text
  }
  return flags.includes('+') ? `+${text}` : flags.includes(' ') ? ` ${text}` : text
}

function pad(text: string, conversion: string, flags: string, columns: number): string {
  const missing = columns - characters(text).length
  if (missing <= 0) {
    return text
  }
  if (flags.includes('-')) {
    return text + ' '.repeat(missing)
  }
  if (flags.includes('0') && !/[srac]/.test(conversion)) {
    const [, lead = '', rest = ''] = /^([-+ ]?(?:0[xo])?)([^]*)$/.exec(text) ?? []
    return lead + '0'.repeat(missing) + rest
  }
  return ' '.repeat(missing) + text
}
