import { bind, optional, toCount, toFlag, toPlain } from './arguments.ts'
import { Dict, Tuple } from './collections.ts'
import { escapeHtml, escapeText } from './escape.ts'
import { formatBraces } from './brace-format.ts'
import { characters } from './characters.ts'
import { toList } from './iterate.ts'
import { countTexts } from './reading.ts'
import { casing, isKind } from './string-kinds.ts'
import { splitLines, splitText, stripText, trimSpace } from './string-split.ts'
import { typeError, valueError } from './template-error.ts'
import {
  type Arguments,
  Callable,
  content,
  isText,
  Markup,
  type Runtime,
  typeName,
  type Value,
} from './value.ts'

type Method = (text: string, args: Arguments, runtime: Runtime) => Value

/** A method of a text; undefined where there is none of that name. */
export function stringMethod(text: string | Markup, name: string): Callable | undefined {
  const method = METHODS[name] ?? (isKind(name) ? kindMethod(name) : undefined)
  if (method === undefined) {
    return undefined
  }
  return new Callable(`built-in method ${name} of str object`, (args, runtime) => {
    countTexts([text, ...args.positional, ...args.named.values()], runtime)
    if (typeof text === 'string') {
      return measured(method(text, args, runtime), runtime)
    }
    return toMarkup(
      measured(method(text.content, escapeAll(args, name, runtime), runtime), runtime),
    )
  })
}

function kindMethod(name: string): Method | undefined {
  return (text) => casing(text, name)
}

function measured(value: Value, runtime: Runtime): Value {
  if (typeof value === 'string') {
    runtime.meter.characters(value.length)
  } else if (Array.isArray(value)) {
    runtime.meter.items(value.length)
  }
  return value
}

/** What goes into a text that is HTML is made HTML. */
function escapeAll(args: Arguments, name: string, runtime: Runtime): Arguments {
  if (name === 'join') {
    const items = args.positional[0] ?? null
    return {
      positional: [toList(items, runtime).map((item) => escapeHtml(item, runtime))],
      named: args.named,
    }
  }
  return {
    positional: args.positional.map(escapePlain),
    named: new Map([...args.named].map(([key, value]) => [key, escapePlain(value)])),
  }
}

function escapePlain(value: Value): Value {
  return typeof value === 'string' ? escapeText(value) : value
}

function toMarkup(value: Value): Value {
  if (typeof value === 'string') {
    return new Markup(value)
  }
  if (Array.isArray(value)) {
    return value.map(toMarkup)
  }
  return value instanceof Tuple ? new Tuple(value.items.map(toMarkup)) : value
}

const METHODS: Readonly<Partial<Record<string, Method>>> = {
  upper: (text) => text.toUpperCase(),
  lower: (text) => text.toLowerCase(),
  casefold: (text) => text.toLowerCase().replaceAll('ß', 'ss'),
  capitalize: (text) => casing(text, 'capitalize'),
  title: (text) => casing(text, 'title'),
  swapcase: (text) => casing(text, 'swapcase'),
  strip: (text, args) => strip(text, args, true, true),
  lstrip: (text, args) => strip(text, args, true, false),
  rstrip: (text, args) => strip(text, args, false, true),
  split: (text, args, runtime) => split(text, args, runtime, false),
  rsplit: (text, args, runtime) => split(text, args, runtime, true),
  splitlines: (text, args) =>
    splitLines(text, toFlag(bind(args, ['keepends'], 0, 'splitlines').keepends)),
  join: (text, { positional: [items] }, runtime) => joinAll(text, items ?? null, runtime),
  replace: (text, args, runtime) => replace(text, args, runtime),
  startswith: (text, args) => hasAffix(text, args, 'startsWith'),
  endswith: (text, args) => hasAffix(text, args, 'endsWith'),
  removeprefix: (text, { positional: [prefix] }) => {
    const plain = toPlain(prefix, 'removeprefix() argument')
    return text.startsWith(plain) ? text.slice(plain.length) : text
  },
  removesuffix: (text, { positional: [suffix] }) => {
    const plain = toPlain(suffix, 'removesuffix() argument')
    return plain !== '' && text.endsWith(plain) ? text.slice(0, -plain.length) : text
  },
  find: (text, args) => BigInt(search(text, args, 'find')),
  rfind: (text, args) => BigInt(search(text, args, 'rfind')),
  index: (text, args) => found(search(text, args, 'find')),
  rindex: (text, args) => found(search(text, args, 'rfind')),
  count: (text, args) => count(text, args),
  center: (text, args, runtime) => pad(text, args, runtime, 'center'),
  ljust: (text, args, runtime) => pad(text, args, runtime, 'ljust'),
  rjust: (text, args, runtime) => pad(text, args, runtime, 'rjust'),
  zfill: (text, { positional: [width] }, runtime) => {
    const columns = toCount(width, 0)
    runtime.meter.characters(columns)
    const [, sign = '', rest = ''] = /^([+-]?)([^]*)$/.exec(text) ?? []
    return sign + '0'.repeat(Math.max(0, columns - characters(text).length)) + rest
  },
  partition: (text, { positional: [separator] }) => partition(text, separator, false),
  rpartition: (text, { positional: [separator] }) => partition(text, separator, true),
  expandtabs: (text, args, runtime) => expandTabs(text, args, runtime),
  format: (text, args, runtime) => formatBraces(text, args, runtime),
  format_map: (text, { positional: [mapping] }, runtime) => {
    if (!(mapping instanceof Dict)) {
      throw typeError('format_map() takes exactly one mapping')
    }
    const named = new Map(
      mapping.pairs().flatMap(([key, value]) => (isText(key) ? [[content(key), value]] : [])),
    )
    return formatBraces(text, { positional: [], named }, runtime)
  },
}

function strip(text: string, args: Arguments, start: boolean, end: boolean): string {
  const chars = optional(args.positional[0])
  return chars === undefined
    ? trimSpace(text, start, end)
    : stripText(text, toPlain(chars, 'strip arg'), start, end)
}

function split(text: string, args: Arguments, runtime: Runtime, fromEnd: boolean): Value[] {
  const { sep, maxsplit } = bind(args, ['sep', 'maxsplit'], 0, fromEnd ? 'rsplit' : 'split')
  runtime.meter.characters(text.length)
  const separator = optional(sep)
  return splitText(
    text,
    separator === undefined ? undefined : toPlain(separator, 'sep'),
    toCount(maxsplit, -1),
    fromEnd,
  )
}

export function joinAll(separator: string, items: Value, runtime: Runtime): string {
  const texts = toList(items, runtime).map((item, index) => {
    if (!isText(item)) {
      throw typeError(`sequence item ${index}: expected str instance, ${typeName(item)} found`)
    }
    return content(item)
  })
  const length = texts.reduce((sum, text) => sum + text.length + separator.length, 0)
  runtime.meter.characters(length)
  return texts.join(separator)
}

function replace(text: string, args: Arguments, runtime: Runtime): string {
  const [old, by, most] = args.positional
  return replaceText(
    text,
    toPlain(old, 'replace() argument 1'),
    toPlain(by, 'replace() argument 2'),
    toCount(most, -1),
    runtime,
  )
}

export function replaceText(
  text: string,
  old: string,
  by: string,
  limit: number,
  runtime: Runtime,
): string {
  const parts = old === '' ? ['', ...characters(text), ''] : text.split(old)
  const most = limit < 0 ? parts.length - 1 : Math.min(limit, parts.length - 1)
  runtime.meter.characters(text.length + most * by.length)
  const rest = parts.slice(most).join(old)
  return most === 0 ? text : `${parts.slice(0, most).join(by)}${by}${rest}`
}

function hasAffix(text: string, args: Arguments, test: 'startsWith' | 'endsWith'): boolean {
  const [affix, start, end] = args.positional
  const part = between(text, start, end)
  const affixes = affix instanceof Tuple ? affix.items : [affix]
  return affixes.some((one) => part[test](toPlain(one, `${test.toLowerCase()} first arg`)))
}

function between(text: string, start: Value | undefined, end: Value | undefined): string {
  if (start === undefined && end === undefined) {
    return text
  }
  return characters(text)
    .slice(toCount(optional(start), 0), optional(end) === undefined ? undefined : toCount(end, 0))
    .join('')
}

function search(text: string, args: Arguments, how: 'find' | 'rfind'): number {
  const [wanted, start, end] = args.positional
  const part = between(text, start, end)
  const plain = toPlain(wanted, 'find() argument')
  const at = how === 'find' ? part.indexOf(plain) : part.lastIndexOf(plain)
  if (at === -1) {
    return -1
  }
  const length = characters(text).length
  const offset = toCount(optional(start), 0)
  return characters(part.slice(0, at)).length + (offset < 0 ? Math.max(0, length + offset) : offset)
}

function found(at: number): bigint {
  if (at === -1) {
    throw valueError('substring not found')
  }
  return BigInt(at)
}

function count(text: string, args: Arguments): bigint {
  const [wanted, start, end] = args.positional
  const part = between(text, start, end)
  const plain = toPlain(wanted, 'count() argument')
  return BigInt(plain === '' ? characters(part).length + 1 : part.split(plain).length - 1)
}

export function pad(
  text: string,
  args: Arguments,
  runtime: Runtime,
  where: 'center' | 'ljust' | 'rjust',
): string {
  const { width, fillchar } = bind(args, ['width', 'fillchar'], 1, where)
  const fill = fillchar === undefined ? ' ' : toPlain(fillchar, 'The fill character')
  if (characters(fill).length !== 1) {
    throw typeError('The fill character must be exactly one character long')
  }
  const columns = toCount(width, 0)
  runtime.meter.characters(columns)
  const missing = Math.max(0, columns - characters(text).length)
  if (where !== 'center') {
    return where === 'ljust' ? text + fill.repeat(missing) : fill.repeat(missing) + text
  }
  // As CPython does it: of an odd number, the one more goes to the left when the width is odd.
  const left = Math.floor(missing / 2) + (missing & columns & 1)
  return fill.repeat(left) + text + fill.repeat(missing - left)
}

function partition(text: string, separator: Value | undefined, last: boolean): Tuple {
  const plain = toPlain(separator, 'must be str')
  if (plain === '') {
    throw valueError('empty separator')
  }
  const at = last ? text.lastIndexOf(plain) : text.indexOf(plain)
  if (at === -1) {
    return new Tuple(last ? ['', '', text] : [text, '', ''])
  }
  return new Tuple([text.slice(0, at), plain, text.slice(at + plain.length)])
}

function expandTabs(text: string, args: Arguments, runtime: Runtime): string {
  const size = toCount(bind(args, ['tabsize'], 0, 'expandtabs').tabsize, 8)
  runtime.meter.characters(text.length + (text.split('\t').length - 1) * Math.max(size, 0))
  return text
    .split(/(\r\n|\n|\r)/)
    .map((line) => {
      let column = 0
      return characters(line)
        .map((letter) => {
          const width = letter === '\t' ? (size > 0 ? size - (column % size) : 0) : 1
          column += width
          return letter === '\t' ? ' '.repeat(width) : letter
        })
        .join('')
    })
    .join('')
}
