import { characters } from './characters.ts'
import { typeError, TemplateError } from './template-error.ts'
import { asNumber, content, isText, ObjectValue, typeName, Undefined, type Value } from './value.ts'

/** Python's `==`. */
export function equal(left: Value, right: Value): boolean {
  const [a, b] = [asNumber(left), asNumber(right)]
  if (a !== undefined || b !== undefined) {
    // oxlint-disable-next-line eqeqeq -- a bigint equals a number only so
    return a !== undefined && b !== undefined && a == b
  }
  if (Array.isArray(left) || Array.isArray(right)) {
    return Array.isArray(left) && Array.isArray(right) && equalItems(left, right)
  }
  if (left instanceof ObjectValue) {
    return left.equals(right)
  }
  return right instanceof ObjectValue ? right.equals(left) : left === right
}

export function equalItems(left: readonly Value[], right: readonly Value[]): boolean {
  return (
    left.length === right.length && left.every((item, index) => equal(item, right[index] ?? null))
  )
}

/** Less than, equal or greater than zero; throws where the two have no order. */
export function order(left: Value, right: Value, operator = '<'): number {
  const [a, b] = [asNumber(left), asNumber(right)]
  if (a !== undefined && b !== undefined) {
    return numericOrder(a, b)
  }
  if (isText(left) && isText(right)) {
    return textOrder(content(left), content(right))
  }
  const [x, y] = [sequence(left), sequence(right)]
  if (x !== undefined && y !== undefined && typeName(left) === typeName(right)) {
    return sequenceOrder(x, y, operator)
  }
  for (const value of [left, right]) {
    if (value instanceof Undefined) {
      throw new TemplateError(value.kind, value.message)
    }
  }
  const own = left instanceof ObjectValue ? left.order(right) : undefined
  if (own === undefined) {
    throw typeError(
      `'${operator}' not supported between instances of '${typeName(left)}' and '${typeName(right)}'`,
    )
  }
  return own
}

/** NaN has no order with anything, which no number says; only equality differs, and sorting keeps it where it is. */
function numericOrder(a: bigint | number, b: bigint | number): number {
  if (a < b) {
    return -1
  }
  if (a > b) {
    return 1
  }
  // oxlint-disable-next-line eqeqeq -- a bigint equals a number only so
  return a == b ? 0 : Number.NaN
}

/** By code point, where JavaScript's own order is by UTF-16 unit. */
export function textOrder(left: string, right: string): number {
  if (left === right) {
    return 0
  }
  const [a, b] = [characters(left), characters(right)]
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const difference = (a[index]?.codePointAt(0) ?? 0) - (b[index]?.codePointAt(0) ?? 0)
    if (difference !== 0) {
      return difference
    }
  }
  return a.length - b.length
}

function sequence(value: Value): Value[] | undefined {
  if (Array.isArray(value)) {
    return value
  }
  return value instanceof ObjectValue ? value.sequence() : undefined
}

function sequenceOrder(left: Value[], right: Value[], operator: string): number {
  for (const [index, item] of left.entries()) {
    const other = right[index]
    if (other === undefined) {
      return 1
    }
    if (!equal(item, other)) {
      return order(item, other, operator)
    }
  }
  return left.length - right.length
}
