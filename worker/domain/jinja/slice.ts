import { optional, toCount } from './arguments.ts'
import { Dict, Range, type Slice, Tuple } from './collections.ts'
import { characters } from './characters.ts'
import { typeError, valueError } from './template-error.ts'
import { content, isText, Markup, type Runtime, typeName, Undefined, type Value } from './value.ts'

/** `of[start:stop:step]` */
export function sliceOf(of: Value, slice: Slice, runtime: Runtime): Value {
  if (of instanceof Undefined) {
    return of
  }
  if (isText(of)) {
    const text = cut(characters(content(of)), slice, runtime).join('')
    return of instanceof Markup ? new Markup(text) : text
  }
  if (Array.isArray(of)) {
    return cut(of, slice, runtime)
  }
  if (of instanceof Tuple) {
    return new Tuple(cut(of.items, slice, runtime))
  }
  if (of instanceof Range) {
    const { first, last, by } = places(of.length(), slice)
    return of.part(first, last, by)
  }
  throw typeError(
    of instanceof Dict
      ? "unhashable type: 'slice'"
      : `'${typeName(of)}' object is not subscriptable`,
  )
}

function cut<T>(items: readonly T[], slice: Slice, runtime: Runtime): T[] {
  runtime.meter.items(items.length)
  const { first, last, by } = places(items.length, slice)
  const found: T[] = []
  for (let at = first; by > 0 ? at < last : at > last; at += by) {
    const item = items[at]
    if (item !== undefined) {
      found.push(item)
    }
  }
  return found
}

function places(size: number, { start, stop, step }: Slice) {
  const by = toCount(bound(step), 1)
  if (by === 0) {
    throw valueError('slice step cannot be zero')
  }
  const first = place(bound(start), by > 0 ? 0 : size - 1, size, by)
  const last = place(bound(stop), by > 0 ? size : -1, size, by)
  return { first, last, by }
}

function bound(value: Value): Value | undefined {
  const given = optional(value)
  if (given !== undefined && typeof given !== 'bigint' && typeof given !== 'boolean') {
    throw typeError('slice indices must be integers or None or have an __index__ method')
  }
  return given
}

function place(value: Value | undefined, otherwise: number, size: number, by: number): number {
  if (value === undefined) {
    return otherwise
  }
  const index = toCount(value, 0)
  const at = index < 0 ? index + size : index
  return by > 0 ? Math.min(Math.max(at, 0), size) : Math.min(Math.max(at, -1), size - 1)
}
