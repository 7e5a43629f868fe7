import { bind, optional, toCount, toFlag, toPlain } from '../arguments.ts'
import { Tuple, Dict } from '../collections.ts'
import { escapeHtml } from '../escape.ts'
import { characters } from '../characters.ts'
import { toList } from '../iterate.ts'
import { formatPercent } from '../percent-format.ts'
import { casing } from '../string-kinds.ts'
import { joinAll, pad, replaceText } from '../string-methods.ts'
import { splitLines, stripText, trimSpace } from '../string-split.ts'
import { TemplateError, typeError } from '../template-error.ts'
import { toText } from '../text.ts'
import {
  type Arguments,
  assertDefined,
  content,
  EnumMember,
  isText,
  Markup,
  type Runtime,
  typeName,
  Undefined,
  type Value,
} from '../value.ts'
import type { Filter, Filters } from './filter.ts'
import { picker } from './pick.ts'
import { wrapText } from './wrap.ts'

export const TEXT_FILTERS: Filters = {
  upper: onText((text) => text.toUpperCase()),
  lower: onText((text) => text.toLowerCase()),
  capitalize: onText((text) => casing(text, 'capitalize')),
  title: onText(title),
  trim: onText((text, args) => {
    const chars = optional(bind(args, ['chars'], 0, 'trim').chars)
    return chars === undefined
      ? trimSpace(text)
      : stripText(text, toPlain(chars, 'strip arg'), true, true)
  }),
  center: onText((text, args, runtime) => {
    const width = bind(args, ['width'], 0, 'center').width ?? 80n
    return pad(text, { positional: [width], named: new Map() }, runtime, 'center')
  }),
  string: (value, _args, runtime) =>
    isText(value) && !(value instanceof EnumMember) ? value : toText(value, runtime),
  wordcount: (value, _args, runtime) =>
    BigInt([...toText(value, runtime).matchAll(/[\p{L}\p{N}_]+/gu)].length),
  replace: (value, args, runtime) => {
    const { old, new: by, count } = bind(args, ['old', 'new', 'count'], 2, 'replace')
    return replaceText(
      toText(value, runtime),
      toText(old ?? '', runtime),
      toText(by ?? '', runtime),
      toCount(optional(count), -1),
      runtime,
    )
  },
  join: (value, args, runtime) => {
    const { d, attribute } = bind(args, ['d', 'attribute'], 0, 'join')
    const pick = picker(attribute, runtime)
    const items = toList(value, runtime).map(pick)
    const separator = d ?? ''
    if (runtime.autoescape && [separator, ...items].some((item) => item instanceof Markup)) {
      return new Markup(
        joinAll(
          escapeHtml(separator, runtime),
          items.map((item) => escapeHtml(item, runtime)),
          runtime,
        ),
      )
    }
    return joinAll(
      toText(separator, runtime),
      items.map((item) => toText(item, runtime)),
      runtime,
    )
  },
  format: (value, args, runtime) => {
    if (args.positional.length > 0 && args.named.size > 0) {
      throw new TemplateError(
        'FilterArgumentError',
        "can't handle positional and keyword arguments at the same time",
      )
    }
    return formatPercent(
      isText(value) ? value : toText(value, runtime),
      args.named.size > 0 ? dictOf(args) : new Tuple(args.positional),
      runtime,
    )
  },
  indent,
  truncate,
  wordwrap: (value, args, runtime) => {
    const { width, break_long_words, wrapstring, break_on_hyphens } = bind(
      args,
      ['width', 'break_long_words', 'wrapstring', 'break_on_hyphens'],
      0,
      'wordwrap',
    )
    const text = needText(value, 'splitlines')
    runtime.meter.characters(text.length * 4)
    const separator = optional(wrapstring) === undefined ? '\n' : toPlain(wrapstring, 'wrapstring')
    const options = {
      width: toCount(width, 79),
      breakLongWords: toFlag(break_long_words, true),
      breakOnHyphens: toFlag(break_on_hyphens, true),
    }
    const lines = splitLines(text).map((line) => wrapText(line, options).join(separator))
    return joinAll(separator, lines, runtime)
  },
}

/** A filter that takes any value by its text, and gives HTML for HTML. */
function onText(change: (text: string, args: Arguments, runtime: Runtime) => string): Filter {
  return (value, args, runtime) => {
    const changed = change(isText(value) ? content(value) : toText(value, runtime), args, runtime)
    runtime.meter.characters(changed.length)
    return value instanceof Markup ? new Markup(changed) : changed
  }
}

function title(text: string): string {
  return text
    .split(/([-\s({[<]+)/)
    .map((part) => {
      const [first = '', ...rest] = characters(part)
      return first.toUpperCase() + rest.join('').toLowerCase()
    })
    .join('')
}

function dictOf({ named }: Arguments): Dict {
  const dict = new Dict()
  for (const [key, value] of named) {
    dict.set(key, value)
  }
  return dict
}

function needText(value: Value, method: string): string {
  if (!isText(value)) {
    throw new TemplateError(
      'AttributeError',
      `'${typeName(value)}' object has no attribute '${method}'`,
    )
  }
  return content(value)
}

function indent(value: Value, args: Arguments, runtime: Runtime): Value {
  const { width, first, blank } = bind(args, ['width', 'first', 'blank'], 0, 'indent')
  assertDefined(value)
  if (!isText(value)) {
    throw typeError(`unsupported operand type(s) for +=: '${typeName(value)}' and 'str'`)
  }
  const text = content(value)
  const columns = isText(width) ? 0 : toCount(width, 4)
  runtime.meter.characters(columns)
  const space = isText(width) ? content(width) : ' '.repeat(Math.max(0, columns))
  const lines = splitLines(`${text}\n`)
  runtime.meter.characters(text.length + lines.length * space.length)
  const indented = lines.map((line, index) =>
    index === 0 || (line === '' && !toFlag(blank)) ? line : space + line,
  )
  const joined = (toFlag(first) ? space : '') + indented.join('\n')
  return value instanceof Markup ? new Markup(joined) : joined
}

/** How much longer a text may be without being cut. */
const LEEWAY = 5

function truncate(value: Value, args: Arguments): Value {
  const { length, killwords, end, leeway } = bind(
    args,
    ['length', 'killwords', 'end', 'leeway'],
    0,
    'truncate',
  )
  if (value instanceof Undefined) {
    return value
  }
  if (!isText(value)) {
    throw typeError(`object of type '${typeName(value)}' has no len()`)
  }
  const letters = characters(content(value))
  const most = toCount(length, 255)
  const spare = toCount(optional(leeway), LEEWAY)
  const ending = end === undefined ? '...' : toPlain(end, 'end')
  if (most < characters(ending).length || spare < 0) {
    throw new TemplateError(
      'AssertionError',
      spare < 0
        ? `expected leeway >= 0, got ${spare}`
        : `expected length >= ${characters(ending).length}, got ${most}`,
    )
  }
  if (letters.length <= most + spare) {
    return value
  }
  const kept = letters.slice(0, most - characters(ending).length).join('')
  const space = kept.lastIndexOf(' ')
  const cut = toFlag(killwords) || space === -1 ? kept : kept.slice(0, space)
  return value instanceof Markup ? new Markup(cut + ending) : cut + ending
}
