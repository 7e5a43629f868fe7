import { bind, optional, toCount, toFlag } from '../arguments.ts'
import { Dict, Group, Tuple } from '../collections.ts'
import { equal, order } from '../compare.ts'
import { hashKey } from '../hash-key.ts'
import { characters } from '../characters.ts'
import { each, iterate, lengthOf, toList, tryIterate } from '../iterate.ts'
import { operate } from '../operators.ts'
import { countAll } from '../reading.ts'
import { TemplateError, typeError } from '../template-error.ts'
import {
  type Arguments,
  content,
  isText,
  Markup,
  ObjectValue,
  orElse,
  type Runtime,
  Stream,
  typeName,
  Undefined,
  type Value,
} from '../value.ts'
import type { Filters } from './filter.ts'
import { folded, picker } from './pick.ts'

export const SEQUENCE_FILTERS: Filters = {
  length: (value) => BigInt(lengthOf(value)),
  count: (value) => BigInt(lengthOf(value)),
  list: (value, _args, runtime) => toList(value, runtime),
  first: (value, _args, runtime) => {
    const first = iterate(value, runtime).next()
    return first.done === true ? new Undefined('No first item, sequence was empty.') : first.value
  },
  last: (value, _args, runtime) => {
    const last = reversible(value, runtime).at(-1)
    return orElse(last, () => new Undefined('No last item, sequence was empty.'))
  },
  random: (value, _args, runtime) => {
    const items = reversible(value, runtime)
    if (runtime.random === undefined) {
      throw new TemplateError('RuntimeError', 'There is no chance in here.')
    }
    return orElse(
      items[Math.floor(runtime.random() * items.length)],
      () => new Undefined('No random item, sequence was empty.'),
    )
  },
  reverse: (value, _args, runtime) => {
    if (isText(value)) {
      const text = characters(content(value)).toReversed().join('')
      return value instanceof Markup ? new Markup(text) : text
    }
    if (tryIterate(value, runtime) === undefined) {
      throw new TemplateError('FilterArgumentError', 'argument must be iterable')
    }
    const items = toList(value, runtime)
    return new Stream(items.toReversed()[Symbol.iterator]())
  },
  sort: sorted,
  unique: (value, args, runtime) => {
    const { case_sensitive, attribute } = bind(args, ['case_sensitive', 'attribute'], 0, 'unique')
    const pick = picker(attribute, runtime, { ignoreCase: !toFlag(case_sensitive) })
    return new Stream(unique(value, pick, runtime))
  },
  min: (value, args, runtime) => extreme(value, args, runtime, -1),
  max: (value, args, runtime) => extreme(value, args, runtime, 1),
  sum: (value, args, runtime) => {
    const { attribute, start } = bind(args, ['attribute', 'start'], 0, 'sum')
    const pick = picker(attribute, runtime)
    let total: Value = start ?? 0n
    if (isText(total)) {
      throw typeError("sum() can't sum strings [use ''.join(seq) instead]")
    }
    for (const item of each(value, runtime)) {
      total = operate('+', total, pick(item), runtime)
    }
    return total
  },
  items: (value) => {
    if (value instanceof Undefined) {
      return new Stream([][Symbol.iterator]())
    }
    if (!(value instanceof Dict)) {
      throw typeError('Can only get item pairs from a mapping.')
    }
    const pairs = value.pairs().map((pair) => new Tuple(pair))
    return new Stream(pairs[Symbol.iterator]())
  },
  dictsort,
  groupby: (value, args, runtime) => groupBy(value, args, runtime),
  batch: (value, args, runtime) => {
    const { linecount, fill_with } = bind(args, ['linecount', 'fill_with'], 1, 'batch')
    return new Stream(batches(value, toCount(linecount, 0), optional(fill_with), runtime))
  },
  slice: (value, args, runtime) => {
    const { slices, fill_with } = bind(args, ['slices', 'fill_with'], 1, 'slice')
    const made = slicesOf(toList(value, runtime), toCount(slices, 0), optional(fill_with), runtime)
    return new Stream(made[Symbol.iterator]())
  },
}

/** What Python can read backwards. */
function reversible(value: Value, runtime: Runtime): Value[] {
  if (value instanceof Stream) {
    throw typeError(`'${typeName(value)}' object is not reversible`)
  }
  if (value instanceof ObjectValue && value.iterate(runtime) === undefined && !isText(value)) {
    throw typeError(`'${typeName(value)}' object is not reversible`)
  }
  return toList(value, runtime)
}

function sortBy(items: Value[], pick: (item: Value) => Value, reverse: boolean, runtime: Runtime) {
  const keyed = items.map((item) => ({ item, key: pick(item) }))
  // A stable sort that is reversed keeps equal ones in their order, as Python's does.
  keyed.sort((a, b) => {
    countAll([a.key, b.key], runtime)
    const compared = order(a.key, b.key)
    return reverse ? -compared : compared
  })
  return keyed.map(({ item }) => item)
}

function sorted(value: Value, args: Arguments, runtime: Runtime): Value {
  const { reverse, case_sensitive, attribute } = bind(
    args,
    ['reverse', 'case_sensitive', 'attribute'],
    0,
    'sort',
  )
  const paths = isText(attribute) ? content(attribute).split(',') : [attribute]
  const ignoreCase = !toFlag(case_sensitive)
  const picks = paths.map((path) => picker(path, runtime, { ignoreCase }))
  const items = toList(value, runtime)
  return sortBy(items, (item) => picks.map((pick) => pick(item)), toFlag(reverse), runtime)
}

function dictsort(value: Value, args: Arguments, runtime: Runtime): Value {
  const { case_sensitive, by, reverse } = bind(
    args,
    ['case_sensitive', 'by', 'reverse'],
    0,
    'dictsort',
  )
  const key = by === undefined ? 'key' : by
  if (key !== 'key' && key !== 'value') {
    throw new TemplateError('FilterArgumentError', 'You can only sort by either "key" or "value"')
  }
  if (!(value instanceof Dict)) {
    const message = `'${typeName(value)}' object has no attribute 'items'`
    throw value instanceof Undefined
      ? new TemplateError(value.kind, value.message)
      : new TemplateError('AttributeError', message)
  }
  const pairs = value.pairs().map((pair) => new Tuple(pair))
  const pick = (pair: Value) => {
    const found = (pair as Tuple).items[key === 'key' ? 0 : 1] ?? null
    return toFlag(case_sensitive) ? found : folded(found)
  }
  return sortBy(pairs, pick, toFlag(reverse), runtime)
}

function* unique(value: Value, pick: (item: Value) => Value, runtime: Runtime): Generator<Value> {
  const seen = new Set<string>()
  for (const item of each(value, runtime)) {
    const picked = pick(item)
    countAll([picked], runtime)
    const key = hashKey(picked)
    if (!seen.has(key)) {
      seen.add(key)
      yield item
    }
  }
}

function extreme(value: Value, args: Arguments, runtime: Runtime, sign: 1 | -1): Value {
  const { case_sensitive, attribute } = bind(args, ['case_sensitive', 'attribute'], 0, 'min')
  const pick = picker(attribute, runtime, { ignoreCase: !toFlag(case_sensitive) })
  let best: Value | undefined
  for (const item of each(value, runtime)) {
    countAll(best === undefined ? [] : [pick(item), pick(best)], runtime)
    const operator = sign === 1 ? '>' : '<'
    if (best === undefined || order(pick(item), pick(best), operator) * sign > 0) {
      best = item
    }
  }
  return orElse(best, () => new Undefined('No aggregated item, sequence was empty.'))
}

function groupBy(value: Value, args: Arguments, runtime: Runtime): Value {
  const {
    attribute,
    default: otherwise,
    case_sensitive,
  } = bind(args, ['attribute', 'default', 'case_sensitive'], 1, 'groupby')
  const pick = picker(attribute, runtime, { otherwise })
  const ignoreCase = !toFlag(case_sensitive)
  const key = (item: Value) => (ignoreCase ? folded(pick(item)) : pick(item))
  const groups: { key: Value; items: Value[] }[] = []
  for (const item of sortBy(toList(value, runtime), key, false, runtime)) {
    const last = groups.at(-1)
    if (last !== undefined && equal(last.key, key(item))) {
      last.items.push(item)
    } else {
      groups.push({ key: key(item), items: [item] })
    }
  }
  return groups.map(({ items }) => new Group([pick(items[0] ?? null), items]))
}

function* batches(
  value: Value,
  size: number,
  filler: Value | undefined,
  runtime: Runtime,
): Generator<Value> {
  let batch: Value[] = []
  for (const item of each(value, runtime)) {
    if (batch.length === size) {
      yield batch
      batch = []
    }
    batch.push(item)
  }
  if (batch.length > 0) {
    const missing = filler === undefined ? 0 : Math.max(0, size - batch.length)
    runtime.meter.items(missing)
    yield [...batch, ...Array.from({ length: missing }, () => filler ?? null)]
  }
}

function slicesOf(
  items: Value[],
  count: number,
  filler: Value | undefined,
  runtime: Runtime,
): Value[] {
  if (count === 0) {
    throw new TemplateError('ZeroDivisionError', 'integer division or modulo by zero')
  }
  runtime.meter.items(Math.max(0, count))
  const size = Math.floor(items.length / count)
  const longer = items.length % count
  let offset = 0
  return Array.from({ length: Math.max(0, count) }, (_, index) => {
    const start = offset + index * size
    offset += index < longer ? 1 : 0
    const slice = items.slice(start, offset + (index + 1) * size)
    return filler !== undefined && index >= longer ? [...slice, filler] : slice
  })
}
