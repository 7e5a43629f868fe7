import { characters } from './characters.ts'
import { syntaxError } from './template-error.ts'
import { OPERATORS, type Token, type TokenType } from './token.ts'
import { unescapeString } from './unescape.ts'
import { quote } from './quote.ts'

/**
 * Cuts a template into tokens, one at a time: a fault in the text is found after those of the syntax
 * before it.
 */
export function* tokenize(source: string): Generator<Token, void, undefined> {
  const text = source.replace(/\r\n|\r/g, '\n').replace(/\n$/, '')
  const place: Place = { text, at: 0, line: 1 }
  while (place.at < text.length) {
    yield* readData(place)
  }
}

interface Place {
  text: string
  at: number
  line: number
}

const TAG = /\{[{%#]/g
const RAW = /\{%[-+]?\s*raw\s*(?:-%\}\s*|%\})/y

function* readData(place: Place): Generator<Token> {
  TAG.lastIndex = place.at
  const start = TAG.exec(place.text)?.index ?? place.text.length
  const data = place.text.slice(place.at, start)
  const sign = place.text[start + 2]
  const kept = sign === '-' ? data.trimEnd() : data
  if (kept !== '') {
    yield { line: place.line, type: 'data', value: kept }
  }
  move(place, start)
  if (start >= place.text.length) {
    return
  }
  if (place.text[start + 1] === '#') {
    skipComment(place)
    return
  }
  RAW.lastIndex = start
  const raw = place.text[start + 1] === '%' ? RAW.exec(place.text) : null
  if (raw !== null) {
    move(place, start + raw[0].length)
    yield* readRaw(place)
    return
  }
  const kind = place.text[start + 1] === '{' ? 'variable' : 'block'
  yield { line: place.line, type: `${kind}_begin`, value: '' }
  move(place, start + (sign === '-' || sign === '+' ? 3 : 2))
  yield* readTag(place, kind)
}

function skipComment(place: Place): void {
  const sign = place.text[place.at + 2]
  const begin = place.at + (sign === '-' || sign === '+' ? 3 : 2)
  const end = place.text.indexOf('#}', begin)
  if (end === -1) {
    throw syntaxError('Missing end of comment tag', place.line)
  }
  move(place, end + 2)
  if (end > begin && place.text[end - 1] === '-') {
    skipSpace(place)
  }
}

const END_RAW = /\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\})/g

function* readRaw(place: Place): Generator<Token> {
  END_RAW.lastIndex = place.at
  const end = END_RAW.exec(place.text)
  if (end === null) {
    throw syntaxError('Missing end of raw directive', place.line)
  }
  const data = place.text.slice(place.at, end.index)
  const kept = end[1] === '-' ? data.trimEnd() : data
  if (kept !== '') {
    yield { line: place.line, type: 'data', value: kept }
  }
  move(place, end.index + end[0].length)
}

const SPACE = /\s+/y
const FLOAT = /\d(?:_?\d)*(?:(?:\.\d(?:_?\d)*)?[eE][+-]?\d(?:_?\d)*|\.\d(?:_?\d)*)/y
const INTEGER =
  /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y
const NAME = /[\p{L}\p{N}\p{M}_·]+/uy
const STRING = /'(?:[^'\\]|\\[^])*'|"(?:[^"\\]|\\[^])*"/y
const ENDS = { variable: /-\}\}\s*|\}\}/y, block: /\+%\}|-%\}\s*|%\}/y }
const CLOSING: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' }

function* readTag(place: Place, kind: 'variable' | 'block'): Generator<Token> {
  const open: string[] = []
  while (place.at < place.text.length) {
    const end = open.length === 0 ? match(ENDS[kind], place) : undefined
    if (end !== undefined) {
      yield { line: place.line, type: `${kind}_end`, value: '' }
      move(place, place.at + end.length)
      return
    }
    const space = match(SPACE, place)
    if (space === undefined) {
      const { token, length } = readToken(place, open)
      yield token
      move(place, place.at + length)
    } else {
      move(place, place.at + space.length)
    }
  }
}

function readToken(place: Place, open: string[]): { token: Token; length: number } {
  const afterDot = place.text[place.at - 1] === '.'
  for (const [type, pattern] of PATTERNS) {
    const found = type === 'float' && afterDot ? undefined : match(pattern, place)
    if (found !== undefined) {
      return { token: toToken(type, found, place.line), length: found.length }
    }
  }
  const operator = OPERATORS.find(([text]) => place.text.startsWith(text, place.at))
  if (operator === undefined) {
    const character = String.fromCodePoint(place.text.codePointAt(place.at) ?? 0)
    const position = characters(place.text.slice(0, place.at)).length
    throw syntaxError(`unexpected char ${quote(character)} at ${position}`, place.line)
  }
  balance(operator[0], open, place.line)
  return {
    token: { line: place.line, type: operator[1], value: operator[0] },
    length: operator[0].length,
  }
}

const PATTERNS = [
  ['float', FLOAT],
  ['integer', INTEGER],
  ['name', NAME],
  ['string', STRING],
] as const

function toToken(type: TokenType, found: string, line: number): Token {
  if (type === 'string') {
    return { line, type, value: unescapeString(found.slice(1, -1), line) }
  }
  if (type === 'name' && !/^[\p{L}_]/u.test(found)) {
    throw syntaxError('Invalid character in identifier', line)
  }
  return { line, type, value: type === 'name' ? found : found.replaceAll('_', '') }
}

function balance(operator: string, open: string[], line: number): void {
  const closing = CLOSING[operator]
  if (closing !== undefined) {
    open.push(closing)
  } else if (operator === '}' || operator === ')' || operator === ']') {
    const expected = open.pop()
    if (expected === undefined) {
      throw syntaxError(`unexpected '${operator}'`, line)
    }
    if (expected !== operator) {
      throw syntaxError(`unexpected '${operator}', expected '${expected}'`, line)
    }
  }
}

function match(pattern: RegExp, place: Place): string | undefined {
  pattern.lastIndex = place.at
  return pattern.exec(place.text)?.[0]
}

function skipSpace(place: Place): void {
  move(place, place.at + (match(SPACE, place)?.length ?? 0))
}

function move(place: Place, to: number): void {
  for (let at = place.at; at < to; at += 1) {
    if (place.text[at] === '\n') {
      place.line += 1
    }
  }
  place.at = to
}
