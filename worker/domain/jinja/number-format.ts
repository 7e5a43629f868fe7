import { fixedDigits, scientificDigits } from './exact-digits.ts'

/** `f`, `e`, `g` and `%` of Python's number formats, without sign and padding. */
export function formatFloat(
  value: number,
  type: string,
  places: number,
  keepZeros = false,
): string {
  if (!Number.isFinite(value)) {
    const text = Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
    return /[FEG]/.test(type) ? text.toUpperCase() : text
  }
  switch (type) {
    case 'f':
    case 'F':
      return fixedDigits(value, places)
    case 'e':
      return scientific(value, places)
    case 'E':
      return scientific(value, places).toUpperCase()
    case '%':
      return `${fixedDigits(value * 100, places)}%`
    default: {
      const text = general(value, places === 0 ? 1 : places, keepZeros)
      return type === 'G' ? text.toUpperCase() : text
    }
  }
}

function scientific(value: number, places: number): string {
  const { negative, digits, exponent } = scientificDigits(value, places)
  return `${negative ? '-' : ''}${withPoint(digits)}e${exponentText(exponent)}`
}

function general(value: number, significant: number, keepZeros: boolean): string {
  const { negative, digits, exponent } = scientificDigits(value, significant - 1)
  const sign = negative ? '-' : ''
  if (exponent < -4 || exponent >= significant) {
    const kept = keepZeros ? digits : digits.replace(/(?!^)0+$/, '')
    return `${sign}${withPoint(kept)}e${exponentText(exponent)}`
  }
  const plain =
    exponent < 0
      ? `0.${'0'.repeat(-exponent - 1)}${digits}`
      : `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
  return sign + (keepZeros ? plain.replace(/\.$/, '') : plain.replace(/\.?0*$/, ''))
}

function withPoint(digits: string): string {
  return digits.length > 1 ? `${digits.slice(0, 1)}.${digits.slice(1)}` : digits
}

function exponentText(exponent: number): string {
  return `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

/** Puts a separator between every three digits before the point. */
export function group(digits: string, separator: string): string {
  const [, whole = '', rest = ''] = /^(\d*)(.*)$/s.exec(digits) ?? []
  const first = whole.length % 3 || 3
  const more = whole.slice(first).match(/.{3}/g) ?? []
  return [whole.slice(0, first), ...more].join(separator) + rest
}
