import type { Expression } from './nodes.ts'
import { nested, type ParseState } from './parse-state.ts'
import { syntaxError, valueError } from './template-error.ts'
import { describeToken, type Token } from './token.ts'

export function parsePrimary(state: ParseState): Expression {
  const { stream } = state
  const token = stream.current
  const { line } = token
  switch (token.type) {
    case 'name':
      stream.next()
      return toName(token)
    case 'string': {
      const parts: string[] = []
      while (stream.is('string')) {
        parts.push(stream.next().value)
      }
      return { type: 'constant', value: parts.join(''), line }
    }
    case 'integer':
      stream.next()
      return { type: 'constant', value: toInteger(token.value), line }
    case 'float':
      stream.next()
      return { type: 'constant', value: Number(token.value), line }
    case 'lparen': {
      stream.next()
      const inner = nested(state, () => parseTuple(state, { parentheses: true }))
      stream.expect('rparen')
      return inner
    }
    case 'lbracket':
      return { type: 'list', items: parseItems(state), line }
    case 'lbrace':
      return { type: 'dict', entries: parseEntries(state), line }
    default:
      throw syntaxError(`unexpected '${describeToken(token)}'`, line)
  }
}

const CONSTANTS = new Map<string, null | boolean>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
])

function toName(token: Token): Expression {
  const constant = CONSTANTS.get(token.value)
  return constant === undefined
    ? { type: 'name', name: token.value, line: token.line }
    : { type: 'constant', value: constant, line: token.line }
}

/** Python reads no more digits than that either. */
const MAX_DIGITS = 4300

function toInteger(text: string): bigint {
  if (text.length > MAX_DIGITS) {
    throw valueError(`Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion`)
  }
  return BigInt(text.replace(/^0+(?=\d)/, ''))
}

interface TupleOptions {
  conditional?: boolean
  parentheses?: boolean
}

/** One expression, or several with commas between them. */
export function parseTuple(state: ParseState, options: TupleOptions = {}): Expression {
  const { stream } = state
  let { line } = stream.current
  const items: Expression[] = []
  let isTuple = false
  for (;;) {
    if (items.length > 0) {
      stream.expect('comma')
    }
    if (isTupleEnd(state)) {
      break
    }
    items.push(state.parseExpression(state, options.conditional ?? true))
    if (!stream.is('comma')) {
      break
    }
    isTuple = true
    line = stream.current.line
  }
  const [first] = items
  if (!isTuple && first !== undefined) {
    return first
  }
  if (!isTuple && options.parentheses !== true) {
    throw syntaxError(
      `Expected an expression, got '${describeToken(stream.current)}'`,
      stream.current.line,
    )
  }
  return { type: 'tuple', items, line }
}

export function isTupleEnd({ stream }: ParseState): boolean {
  return stream.is('variable_end') || stream.is('block_end') || stream.is('rparen')
}

function parseItems(state: ParseState): Expression[] {
  const items: Expression[] = []
  state.stream.expect('lbracket')
  while (!state.stream.is('rbracket')) {
    if (items.length > 0) {
      state.stream.expect('comma')
    }
    if (state.stream.is('rbracket')) {
      break
    }
    items.push(state.parseExpression(state))
  }
  state.stream.expect('rbracket')
  return items
}

function parseEntries(state: ParseState): { key: Expression; value: Expression }[] {
  const entries: { key: Expression; value: Expression }[] = []
  state.stream.expect('lbrace')
  while (!state.stream.is('rbrace')) {
    if (entries.length > 0) {
      state.stream.expect('comma')
    }
    if (state.stream.is('rbrace')) {
      break
    }
    const key = state.parseExpression(state)
    state.stream.expect('colon')
    entries.push({ key, value: state.parseExpression(state) })
  }
  state.stream.expect('rbrace')
  return entries
}
