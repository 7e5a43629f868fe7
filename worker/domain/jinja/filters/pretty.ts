import { Dict, Tuple } from '../collections.ts'
import { order } from '../compare.ts'
import { quote } from '../quote.ts'
import { TemplateError } from '../template-error.ts'
import { repr } from '../text.ts'
import type { Runtime, Value } from '../value.ts'

const WIDTH = 80

/** Python's pformat: on one line where it fits, else an item to a line. */
export function pretty(value: Value, runtime: Runtime): string {
  return lay(value, 0, 0, runtime)
}

/** `room`: what follows on the same line. */
function lay(value: Value, indent: number, room: number, runtime: Runtime): string {
  return runtime.meter.nested(() => {
    const short = repr(sorted(value), runtime)
    if (short.length <= WIDTH - indent - room) {
      return short
    }
    if (value instanceof Dict) {
      return layDict(value, indent, room, runtime)
    }
    if (Array.isArray(value)) {
      return `[${layItems(value, indent + 1, room + 1, runtime)}]`
    }
    if (value instanceof Tuple) {
      const comma = value.length() === 1 ? ',' : ''
      return `(${layItems(value.items, indent + 1, room + 1 + comma.length, runtime)}${comma})`
    }
    return typeof value === 'string' ? layText(value, indent, room) : short
  })
}

function sorted(value: Value): Value {
  if (!(value instanceof Dict)) {
    return value
  }
  const dict = new Dict()
  for (const [key, item] of sortedPairs(value)) {
    dict.set(key, sorted(item))
  }
  return dict
}

function sortedPairs(dict: Dict): [Value, Value][] {
  try {
    return dict.pairs().toSorted(([a], [b]) => order(a, b))
  } catch (error) {
    if (error instanceof TemplateError) {
      return dict.pairs()
    }
    throw error
  }
}

function layDict(dict: Dict, indent: number, room: number, runtime: Runtime): string {
  const pairs = sortedPairs(dict)
  const lines = pairs.map(([key, item], index) => {
    const name = `${repr(key, runtime)}: `
    const last = index === pairs.length - 1
    return name + lay(item, indent + 1 + name.length, last ? room + 1 : 1, runtime)
  })
  return `{${lines.join(`,\n${' '.repeat(indent + 1)}`)}}`
}

function layItems(items: readonly Value[], indent: number, room: number, runtime: Runtime): string {
  return items
    .map((item, index) => lay(item, indent, index === items.length - 1 ? room : 1, runtime))
    .join(`,\n${' '.repeat(indent)}`)
}

/** A long text is cut behind its words and lines. */
function layText(text: string, indent: number, room: number): string {
  const inner = indent === 0 ? 1 : indent
  const width = WIDTH - inner
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const chunks: string[] = []
  for (const [index, line] of lines.entries()) {
    const most = index === lines.length - 1 ? width - room - (indent === 0 ? 1 : 0) : width
    if (quote(line).length <= most) {
      chunks.push(quote(line))
      continue
    }
    let current = ''
    const parts = line.match(/\S*\s*/g)?.filter(Boolean) ?? []
    for (const [at, part] of parts.entries()) {
      const longest = at === parts.length - 1 && index === lines.length - 1 ? most : width
      if (current !== '' && quote(current + part).length > longest) {
        chunks.push(quote(current))
        current = part
      } else {
        current += part
      }
    }
    if (current !== '') {
      chunks.push(quote(current))
    }
  }
  if (chunks.length === 1) {
    return quote(text)
  }
  const joined = chunks.join(`\n${' '.repeat(inner)}`)
  return indent === 0 ? `(${joined})` : joined
}
