import { characters } from './characters.ts'
import { typeError, TemplateError } from './template-error.ts'
import { content, isText, ObjectValue, typeName, type Runtime, type Value } from './value.ts'

/** Python's iter(), counted. */
export function iterate(value: Value, runtime: Runtime): Iterator<Value> {
  const items = tryIterate(value, runtime)
  if (items === undefined) {
    throw typeError(`'${typeName(value)}' object is not iterable`)
  }
  return items
}

export function tryIterate(value: Value, runtime: Runtime): Iterator<Value> | undefined {
  if (isText(value)) {
    return characters(content(value))[Symbol.iterator]()
  }
  if (Array.isArray(value)) {
    return value[Symbol.iterator]()
  }
  return value instanceof ObjectValue ? value.iterate(runtime) : undefined
}

/** Python's list(). */
export function toList(value: Value, runtime: Runtime): Value[] {
  const items: Value[] = []
  for (const item of each(value, runtime)) {
    items.push(item)
    runtime.meter.items(items.length === 1 ? 1 : 0)
  }
  runtime.meter.items(items.length)
  return items
}

/** Every item read is a step. */
export function* each(value: Value, runtime: Runtime): Generator<Value> {
  const items = iterate(value, runtime)
  for (let next = items.next(); next.done !== true; next = items.next()) {
    runtime.meter.step()
    yield next.value
  }
}

export function isTrue(value: Value): boolean {
  if (value instanceof ObjectValue) {
    return value.isTrue()
  }
  if (Array.isArray(value)) {
    return value.length > 0
  }
  return Boolean(value) || Number.isNaN(value)
}

/** Python's len(). */
export function lengthOf(value: Value): number {
  const length = tryLength(value)
  if (length === undefined) {
    throw typeError(`object of type '${typeName(value)}' has no len()`)
  }
  return length
}

export function tryLength(value: Value): number | undefined {
  if (typeof value === 'string') {
    return characters(value).length
  }
  if (Array.isArray(value)) {
    return value.length
  }
  return value instanceof ObjectValue ? value.length() : undefined
}

export function raiseUndefined(value: { kind: string; message: string }): never {
  throw new TemplateError(value.kind, value.message)
}
