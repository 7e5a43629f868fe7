import { bind, optional, toCount, toFlag, toPlain } from '../arguments.ts'
import { Dict } from '../collections.ts'
import { escapeHtml, escapeText } from '../escape.ts'
import { toList } from '../iterate.ts'
import { quote } from '../quote.ts'
import { TemplateError, valueError } from '../template-error.ts'
import { toText } from '../text.ts'
import {
  type Arguments,
  content,
  isText,
  Markup,
  type Runtime,
  typeName,
  Undefined,
  type Value,
} from '../value.ts'
import type { Filters } from './filter.ts'
import { unescapeHtml } from './unescape-html.ts'
import { linkWords } from './urlize.ts'

export const MARKUP_FILTERS: Filters = {
  e: escape,
  escape,
  forceescape: (value, _args, runtime) => markup(escapeText(toText(value, runtime)), runtime),
  safe: (value, _args, runtime) => new Markup(toText(value, runtime)),
  striptags: (value, _args, runtime) => new Markup(stripTags(toText(value, runtime), runtime)),
  urlencode: (value, _args, runtime) => urlEncode(value, runtime),
  urlize: (value, args, runtime) => urlize(value, args, runtime),
  xmlattr: (value, args, runtime) => {
    const { autospace } = bind(args, ['autospace'], 0, 'xmlattr')
    const text = xmlAttributes(value, runtime)
    const spaced = text !== '' && toFlag(autospace, true) ? ` ${text}` : text
    return runtime.autoescape ? new Markup(spaced) : spaced
  },
}

function markup(text: string, runtime: Runtime): Markup {
  runtime.meter.characters(text.length)
  return new Markup(text)
}

function escape(value: Value, _args: Arguments, runtime: Runtime): Value {
  return markup(escapeHtml(value, runtime), runtime)
}

function stripTags(text: string, runtime: Runtime): string {
  const parts: string[] = []
  let at = 0
  for (let start = text.indexOf('<'); start !== -1; start = text.indexOf('<', at)) {
    const isComment = text.startsWith('<!--', start)
    const end = isComment ? text.indexOf('-->', start + 4) : text.indexOf('>', start)
    if (end === -1) {
      break
    }
    parts.push(text.slice(at, start))
    at = end + (isComment ? 3 : 1)
    runtime.meter.step()
  }
  const bare = parts.join('') + text.slice(at)
  return unescapeHtml(bare.split(/\s+/).filter(Boolean).join(' '))
}

function urlEncode(value: Value, runtime: Runtime): string {
  if (isText(value)) {
    return quoteUrl(content(value), false)
  }
  if (value instanceof Dict) {
    return value
      .pairs()
      .map((pair) => pair.map((part) => quoteUrl(toText(part, runtime), true)).join('='))
      .join('&')
  }
  if (!Array.isArray(value) && !(typeof value === 'object' && value !== null)) {
    return quoteUrl(toText(value, runtime), false)
  }
  return toList(value, runtime)
    .map((pair) => {
      const [key, item, ...more] = toList(pair, runtime)
      if (key === undefined || item === undefined || more.length > 0) {
        throw valueError('too many values to unpack (expected 2)')
      }
      return `${quoteUrl(toText(key, runtime), true)}=${quoteUrl(toText(item, runtime), true)}`
    })
    .join('&')
}

function quoteUrl(text: string, inQuery: boolean): string {
  const encoded = encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return inQuery ? encoded.replaceAll('%20', '+') : encoded.replaceAll('%2F', '/')
}

const SCHEME = /^[\w.+-]{2,}:\/{0,2}$/

function urlize(value: Value, args: Arguments, runtime: Runtime): Value {
  const given = bind(
    args,
    ['trim_url_limit', 'nofollow', 'target', 'rel', 'extra_schemes'],
    0,
    'urlize',
  )
  const rel = new Set(
    optional(given.rel) === undefined ? [] : toPlain(given.rel, 'rel').split(/\s+/).filter(Boolean),
  )
  rel.add('noopener')
  if (toFlag(given.nofollow)) {
    rel.add('nofollow')
  }
  const schemes =
    optional(given.extra_schemes) === undefined
      ? []
      : toList(given.extra_schemes ?? null, runtime).map((scheme) => toText(scheme, runtime))
  const wrong = schemes.find((scheme) => !SCHEME.test(scheme))
  if (wrong !== undefined) {
    throw new TemplateError(
      'FilterArgumentError',
      `${quote(wrong)} is not a valid URI scheme prefix.`,
    )
  }
  const text = escapeHtml(value, runtime)
  runtime.meter.characters(text.length * 4)
  const linked = linkWords(text, {
    limit:
      optional(given.trim_url_limit) === undefined ? undefined : toCount(given.trim_url_limit, 0),
    rel: [...rel].toSorted().join(' '),
    target: optional(given.target) === undefined ? undefined : toPlain(given.target, 'target'),
    schemes,
  })
  return runtime.autoescape ? new Markup(linked) : linked
}

function xmlAttributes(value: Value, runtime: Runtime): string {
  if (!(value instanceof Dict)) {
    throw value instanceof Undefined
      ? new TemplateError(value.kind, value.message)
      : new TemplateError('AttributeError', `'${typeName(value)}' object has no attribute 'items'`)
  }
  return value
    .pairs()
    .filter(([, item]) => item !== null && !(item instanceof Undefined))
    .map(([key, item]) => {
      const name = toText(key, runtime)
      if (/[\s/>=]/.test(name)) {
        throw valueError(`Invalid character in attribute name: ${quote(name)}`)
      }
      return `${escapeHtml(key, runtime)}="${escapeHtml(item, runtime)}"`
    })
    .join(' ')
}
