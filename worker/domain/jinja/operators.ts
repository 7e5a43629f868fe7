import { calculate, unsupported } from './arithmetic.ts'
import { DictView, Dict, Range, Tuple } from './collections.ts'
import { equal } from './compare.ts'
import { escapeHtml } from './escape.ts'
import { each } from './iterate.ts'
import type { BinaryOperator } from './nodes.ts'
import { formatPercent } from './percent-format.ts'
import { typeError } from './template-error.ts'
import { countAll } from './reading.ts'
import { toText } from './text.ts'
import { hasArithmetic } from './time-arithmetic.ts'
import {
  asInteger,
  asNumber,
  content,
  isText,
  Markup,
  ObjectValue,
  type Runtime,
  typeName,
  Undefined,
  type Value,
} from './value.ts'

/** Python's binary operators. */
export function operate(
  operator: BinaryOperator,
  left: Value,
  right: Value,
  runtime: Runtime,
): Value {
  const [a, b] = [asNumber(left), asNumber(right)]
  if (a !== undefined && b !== undefined) {
    return calculate(operator, a, b, runtime)
  }
  if (operator === '%' && isText(left)) {
    return formatPercent(left, right, runtime)
  }
  if (operator === '*') {
    return (
      repeat(left, right, runtime) ?? repeat(right, left, runtime) ?? fail(operator, left, right)
    )
  }
  if (operator === '+') {
    const joined = join(left, right, runtime)
    if (joined !== undefined) {
      return joined
    }
  }
  if (hasArithmetic(left)) {
    return left.operate(operator, right) ?? fail(operator, left, right)
  }
  return fail(operator, left, right)
}

function fail(operator: string, left: Value, right: Value): never {
  const sequence = [left, right].find((value) => isText(value) || Array.isArray(value))
  if (operator === '*' && sequence !== undefined && !(left instanceof Undefined)) {
    const other = sequence === left ? right : left
    throw typeError(`can't multiply sequence by non-int of type '${typeName(other)}'`)
  }
  if (operator === '+' && !(left instanceof Undefined) && !(right instanceof Undefined)) {
    if (isText(left)) {
      throw typeError(`can only concatenate str (not "${typeName(right)}") to str`)
    }
    if (Array.isArray(left) || left instanceof Tuple) {
      const type = typeName(left)
      throw typeError(`can only concatenate ${type} (not "${typeName(right)}") to ${type}`)
    }
  }
  throw unsupported(operator, left, right)
}

function join(left: Value, right: Value, runtime: Runtime): Value | undefined {
  if (left instanceof Markup || right instanceof Markup) {
    return isEscapable(left) && isEscapable(right)
      ? new Markup(measured(escapeHtml(left, runtime) + escapeHtml(right, runtime), runtime))
      : undefined
  }
  if (typeof left === 'string' && typeof right === 'string') {
    return measured(left + right, runtime)
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    runtime.meter.items(left.length + right.length)
    return [...left, ...right]
  }
  if (left instanceof Tuple && right instanceof Tuple) {
    runtime.meter.items(left.length() + right.length())
    return new Tuple([...left.items, ...right.items])
  }
  return undefined
}

function isEscapable(value: Value): boolean {
  return isText(value) || value instanceof Undefined
}

function measured(text: string, runtime: Runtime): string {
  runtime.meter.characters(text.length)
  return text
}

function repeat(value: Value, count: Value, runtime: Runtime): Value | undefined {
  const times = asInteger(count)
  if (times === undefined) {
    return undefined
  }
  const number = times > 0n ? Number(times) : 0
  if (isText(value)) {
    runtime.meter.characters(content(value).length * number)
    const repeated = content(value).repeat(number)
    return typeof value === 'string' ? repeated : new Markup(repeated)
  }
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined
  if (items === undefined) {
    return undefined
  }
  runtime.meter.items(items.length * number)
  const repeated = Array.from({ length: number }, () => items).flat()
  return Array.isArray(value) ? repeated : new Tuple(repeated)
}

/** Python's `in`. */
export function contains(container: Value, value: Value, runtime: Runtime): boolean {
  if (isText(container)) {
    if (value instanceof Undefined) {
      throw typeError(`'in <string>' requires string as left operand, not ${typeName(value)}`)
    }
    if (!isText(value)) {
      throw typeError(`'in <string>' requires string as left operand, not ${typeName(value)}`)
    }
    runtime.meter.characters(content(container).length)
    return content(container).includes(content(value))
  }
  if (container instanceof Dict) {
    return container.has(value)
  }
  if (container instanceof ObjectValue && container.contains !== undefined) {
    return container.contains(value)
  }
  if (
    !Array.isArray(container) &&
    !(container instanceof Tuple || container instanceof Range || container instanceof DictView) &&
    !(container instanceof ObjectValue && container.iterate(runtime) !== undefined)
  ) {
    throw typeError(`argument of type '${typeName(container)}' is not iterable`)
  }
  for (const item of each(container, runtime)) {
    countAll([item, value], runtime)
    if (equal(item, value)) {
      return true
    }
  }
  return false
}

/** The `~` operator. */
export function concatenate(values: readonly Value[], runtime: Runtime): Value {
  if (!runtime.autoescape) {
    return measured(values.map((value) => toText(value, runtime)).join(''), runtime)
  }
  const markup = values.some((value) => value instanceof Markup || value instanceof Undefined)
  return markup
    ? new Markup(measured(values.map((value) => escapeHtml(value, runtime)).join(''), runtime))
    : measured(values.map((value) => toText(value, runtime)).join(''), runtime)
}
