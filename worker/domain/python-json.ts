import type { Json } from '../../core/wire/common.ts'
import { isObject, numberText } from './exact-json.ts'

/** Writes JSON as Python's `json.dumps(value, sort_keys=True)` does, to the letter: checksums are made of that text. */
export function pythonJson(value: Json): string {
  if (typeof value === 'string') {
    return quoted(value)
  }
  const number = numberText(value)
  if (number !== undefined) {
    return pythonNumber(number)
  }
  if (Array.isArray(value)) {
    return `[${value.map(pythonJson).join(', ')}]`
  }
  if (isObject(value)) {
    const members = Object.entries(value)
      .toSorted(([left], [right]) => compareCodePoints(left, right))
      .map(([key, item]) => `${quoted(key)}: ${pythonJson(item)}`)
    return `{${members.join(', ')}}`
  }
  return JSON.stringify(value)
}

/** @param text a number as JSON has it: with a dot or an exponent Python makes it a float, else an integer of any length */
function pythonNumber(text: string): string {
  return /[.eE]/.test(text) ? pythonFloat(Number(text)) : BigInt(text).toString()
}

/** The shortest digits that name the number, as in JavaScript; but `e` below 0.0001 and from 1e16 on, and never without a dot. */
function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) {
    return value > 0 ? 'Infinity' : '-Infinity'
  }
  if (value === 0) {
    return Object.is(value, -0) ? '-0.0' : '0.0'
  }
  const [mantissa = '', exponentText = ''] = value.toExponential().split('e')
  const exponent = Number(exponentText)
  if (exponent < -4 || exponent >= 16) {
    const size = String(Math.abs(exponent)).padStart(2, '0')
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${size}`
  }
  const sign = value < 0 ? '-' : ''
  const digits = mantissa.replaceAll(/[-.]/g, '')
  if (exponent < 0) {
    return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  }
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]|[^ -~]/g, (unit) => ESCAPES[unit] ?? hexEscape(unit))}"`
}

const ESCAPES: Partial<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
}

/** Without the flag `u` a pattern sees the two halves of a pair by themselves, as Python writes them. */
function hexEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Python orders texts by code points, JavaScript by the halves of pairs, which come before U+E000 and what follows it. */
function compareCodePoints(left: string, right: string): number {
  const others = codePoints(right)
  for (const [index, point] of codePoints(left).entries()) {
    const other = others[index]
    if (point !== other) {
      return other === undefined ? 1 : point - other
    }
  }
  return left.length - right.length
}

function codePoints(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0)
}
