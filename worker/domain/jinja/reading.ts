import { Dict, Tuple } from './collections.ts'
import { content, isText, ObjectValue, type Runtime, type Value } from './value.ts'

/** Counts texts that a function is given, since most functions look at every character. */
export function countTexts(values: Iterable<Value>, runtime: Runtime): void {
  for (const value of values) {
    if (isText(value)) {
      runtime.meter.reads(content(value).length)
    }
  }
}

/** Counts all that is in values that are compared, once for each time that it is in them. */
export function countAll(values: readonly Value[], runtime: Runtime): void {
  for (const value of values) {
    if (isText(value)) {
      runtime.meter.reads(content(value).length)
    } else if (Array.isArray(value)) {
      countItems(value, runtime)
    } else if (value instanceof Tuple) {
      countItems(value.items, runtime)
    } else if (value instanceof Dict) {
      countItems(value.pairs().flat(), runtime)
    } else if (value instanceof ObjectValue) {
      runtime.meter.reads(value.length() ?? 1)
    }
  }
}

function countItems(items: readonly Value[], runtime: Runtime): void {
  runtime.meter.reads(items.length)
  runtime.meter.nested(() => countAll(items, runtime))
}
