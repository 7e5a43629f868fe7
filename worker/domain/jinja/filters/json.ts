import { bind, optional, toCount } from '../arguments.ts'
import { Dict, Tuple } from '../collections.ts'
import { textOrder, order } from '../compare.ts'
import { floatText } from '../float-text.ts'
import { typeError } from '../template-error.ts'
import { Model } from '../model.ts'
import { asNumber, content, isText, Markup, type Runtime, typeName, type Value } from '../value.ts'
import type { Filters } from './filter.ts'

export const JSON_FILTERS: Filters = {
  tojson: (value, args, runtime) => {
    const { indent } = bind(args, ['indent'], 0, 'tojson')
    const width = optional(indent)
    const space =
      width === undefined
        ? undefined
        : isText(width)
          ? content(width)
          : ' '.repeat(Math.max(0, measure(toCount(width, 0), runtime)))
    const text = toJson(value, space, '\n', runtime)
    runtime.meter.characters(text.length)
    return new Markup(
      text.replace(/[<>&']/g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`),
    )
  },
}

function measure(width: number, runtime: Runtime): number {
  runtime.meter.characters(width)
  return width
}

/** As Python's json.dumps writes it, keys in their order, all of it ASCII. */
function toJson(
  value: Value,
  space: string | undefined,
  newline: string,
  runtime: Runtime,
): string {
  runtime.meter.step()
  if (value instanceof Model) {
    return toJson(value.plain(), space, newline, runtime)
  }
  if (value === null || typeof value === 'boolean') {
    return String(value)
  }
  if (isText(value)) {
    runtime.meter.characters(content(value).length)
    return jsonText(content(value))
  }
  const number = asNumber(value)
  if (number !== undefined) {
    return typeof number === 'bigint' ? number.toString() : jsonFloat(number)
  }
  return runtime.meter.nested(() => {
    const inner = newline + (space ?? '')
    if (value instanceof Dict) {
      const entries = sortKeys(value).map(
        ([key, item]) => `${jsonKey(key)}: ${toJson(item, space, inner, runtime)}`,
      )
      return enclose('{', entries, '}', space, newline, runtime)
    }
    if (Array.isArray(value) || value instanceof Tuple) {
      const items = Array.isArray(value) ? value : value.items
      const parts = items.map((item) => toJson(item, space, inner, runtime))
      return enclose('[', parts, ']', space, newline, runtime)
    }
    throw typeError(`Object of type ${typeName(value)} is not JSON serializable`)
  })
}

function enclose(
  open: string,
  parts: string[],
  close: string,
  space: string | undefined,
  newline: string,
  runtime: Runtime,
): string {
  runtime.meter.characters(parts.reduce((sum, part) => sum + part.length + 2, 0))
  if (parts.length === 0) {
    return open + close
  }
  return space === undefined
    ? `${open}${parts.join(', ')}${close}`
    : `${open}${newline}${space}${parts.join(`,${newline}${space}`)}${newline}${close}`
}

function sortKeys(dict: Dict): [Value, Value][] {
  return dict
    .pairs()
    .toSorted(([a], [b]) =>
      typeof a === 'string' && typeof b === 'string' ? textOrder(a, b) : order(a, b),
    )
}

function jsonKey(key: Value): string {
  if (isText(key)) {
    return jsonText(content(key))
  }
  if (key === null || typeof key === 'boolean') {
    return `"${String(key)}"`
  }
  const number = asNumber(key)
  if (number === undefined) {
    throw typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`)
  }
  return `"${typeof number === 'bigint' ? number.toString() : jsonFloat(number)}"`
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) {
    return 'NaN'
  }
  return Number.isFinite(value) ? floatText(value) : value > 0 ? 'Infinity' : '-Infinity'
}

function jsonText(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) =>
    unit === '\u007f' ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
