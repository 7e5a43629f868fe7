import { objectMethod } from './object-methods.ts'
import { quote } from './quote.ts'
import { sliceOf } from './slice.ts'
import { Slice, Tuple, Range } from './collections.ts'
import { characters } from './characters.ts'
import { TemplateError } from './template-error.ts'
import { repr } from './text.ts'
import {
  asInteger,
  content,
  isText,
  Markup,
  ObjectValue,
  orElse,
  type Runtime,
  typeName,
  Undefined,
  type Value,
} from './value.ts'

/** `of.name`: the attribute, else the item of that name, else undefined. */
export function getAttribute(of: Value, name: string, runtime: Runtime): Value {
  return orElse(attribute(of, name, runtime), () =>
    orElse(
      item(of, name, runtime),
      () => new Undefined(`${quote(describe(of))} has no attribute ${quote(name)}`),
    ),
  )
}

/** `of[key]`: the item, else the attribute of that name, else undefined. */
export function getItem(of: Value, key: Value, runtime: Runtime): Value {
  const found = item(of, key, runtime)
  if (found !== undefined) {
    return found
  }
  return isText(key)
    ? orElse(
        attribute(of, content(key), runtime),
        () => new Undefined(`${quote(describe(of))} has no attribute ${quote(content(key))}`),
      )
    : new Undefined(`${describe(of)} has no element ${repr(key, runtime)}`)
}

function describe(value: Value): string {
  return value === null ? 'None' : `${typeName(value)} object`
}

const CHANGING: Readonly<Record<string, ReadonlySet<string>>> = {
  list: new Set(['append', 'clear', 'pop', 'reverse', 'insert', 'sort', 'extend', 'remove']),
  dict: new Set(['clear', 'pop', 'popitem', 'setdefault', 'update']),
}

/** Only the attribute, as the filter `attr` reads it. */
export function attribute(of: Value, name: string, runtime: Runtime): Value | undefined {
  if (of instanceof Undefined) {
    return of
  }
  if (/^__\w+__$/.test(name) || CHANGING[typeName(of)]?.has(name) === true) {
    return new Undefined(
      `access to attribute ${quote(name)} of ${quote(typeName(of))} object is unsafe.`,
      'SecurityError',
    )
  }
  const own = of instanceof ObjectValue ? of.attribute(name, runtime) : undefined
  return own === undefined ? objectMethod(of, name) : own
}

function item(of: Value, key: Value, runtime: Runtime): Value | undefined {
  if (key instanceof Slice) {
    return sliceOf(of, key, runtime)
  }
  const items = isText(of)
    ? characters(content(of))
    : Array.isArray(of)
      ? of
      : of instanceof Tuple
        ? of.items
        : of instanceof Range
          ? of.items()
          : undefined
  if (items === undefined) {
    return of instanceof ObjectValue ? itemOfObject(of, key, runtime) : undefined
  }
  const index = asInteger(key)
  const found = index === undefined ? undefined : items.at(toIndex(index))
  return found !== undefined && of instanceof Markup && isText(found)
    ? new Markup(content(found))
    : found
}

function toIndex(index: bigint): number {
  return index > 1_000_000_000n || index < -1_000_000_000n ? 1_000_000_000 : Number(index)
}

function itemOfObject(of: ObjectValue, key: Value, runtime: Runtime): Value | undefined {
  try {
    return of.item(key, runtime)
  } catch (error) {
    // A list as a key is no key; looking for it finds nothing.
    if (error instanceof TemplateError && error.kind === 'TypeError') {
      return undefined
    }
    throw error
  }
}
