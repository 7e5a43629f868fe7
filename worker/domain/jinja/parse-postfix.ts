import type { CallArguments, Expression, FilterNode } from './nodes.ts'
import { parsePrimary } from './parse-primary.ts'
import type { ParseState } from './parse-state.ts'
import { syntaxError } from './template-error.ts'

/** Attributes, items and calls behind an expression. */
export function parsePostfix(state: ParseState, of: Expression): Expression {
  const { stream } = state
  let expression = of
  for (;;) {
    if (stream.is('dot')) {
      expression = parseAttribute(state, expression)
    } else if (stream.is('lbracket')) {
      expression = parseItem(state, expression)
    } else if (stream.is('lparen')) {
      const { line } = stream.current
      expression = { type: 'call', callee: expression, ...parseArguments(state), line }
    } else {
      return expression
    }
  }
}

function parseAttribute(state: ParseState, of: Expression): Expression {
  const { line } = state.stream.next()
  const token = state.stream.next()
  if (token.type === 'name') {
    return { type: 'attribute', of, name: token.value, line }
  }
  if (token.type !== 'integer') {
    throw syntaxError('expected name or number', token.line)
  }
  const key: Expression = { type: 'constant', value: BigInt(token.value), line: token.line }
  return { type: 'item', of, key, line }
}

function parseItem(state: ParseState, of: Expression): Expression {
  const { stream } = state
  const { line } = stream.next()
  const keys: Expression[] = []
  while (!stream.is('rbracket')) {
    if (keys.length > 0) {
      stream.expect('comma')
    }
    keys.push(parseSubscript(state))
  }
  stream.expect('rbracket')
  const [first] = keys
  const key: Expression =
    keys.length === 1 && first !== undefined ? first : { type: 'tuple', items: keys, line }
  return { type: 'item', of, key, line }
}

function parseSubscript(state: ParseState): Expression {
  const { stream } = state
  const { line } = stream.current
  const start = stream.is('colon') ? undefined : state.parseExpression(state)
  if (start !== undefined && !stream.is('colon')) {
    return start
  }
  stream.expect('colon')
  const stop =
    stream.is('colon') || stream.is('rbracket') || stream.is('comma')
      ? undefined
      : state.parseExpression(state)
  const step =
    stream.skipIf('colon') && !stream.is('rbracket') && !stream.is('comma')
      ? state.parseExpression(state)
      : undefined
  return { type: 'slice', start, stop, step, line }
}

function parseArguments(state: ParseState): CallArguments {
  const { stream } = state
  const { line } = stream.expect('lparen')
  const found: CallArguments = {
    positional: [],
    named: [],
    spread: undefined,
    spreadNamed: undefined,
  }
  const ensure = (fine: boolean) => {
    if (!fine) {
      throw syntaxError('invalid syntax for function call expression', line)
    }
  }
  for (let first = true; !stream.is('rparen'); first = false) {
    if (!first) {
      stream.expect('comma')
      if (stream.is('rparen')) {
        break
      }
    }
    if (stream.is('mul')) {
      ensure(found.spread === undefined && found.spreadNamed === undefined)
      stream.next()
      found.spread = state.parseExpression(state)
    } else if (stream.is('pow')) {
      ensure(found.spreadNamed === undefined)
      stream.next()
      found.spreadNamed = state.parseExpression(state)
    } else if (stream.is('name') && stream.look().type === 'assign') {
      ensure(found.spreadNamed === undefined)
      const name = stream.next().value
      stream.next()
      found.named.push({ name, value: state.parseExpression(state) })
    } else {
      ensure(
        found.spread === undefined && found.spreadNamed === undefined && found.named.length === 0,
      )
      found.positional.push(state.parseExpression(state))
    }
  }
  stream.expect('rparen')
  return found
}

const NO_ARGUMENTS: CallArguments = {
  positional: [],
  named: [],
  spread: undefined,
  spreadNamed: undefined,
}

/** One filter; `|` before it unless it opens a filter block. */
export function parseFilter(
  state: ParseState,
  value: Expression | undefined,
  hasPipe = true,
): FilterNode {
  const { stream, soft } = state
  if (hasPipe) {
    stream.expect('pipe')
  }
  const { line } = stream.current
  const name = parseDottedName(state)
  if (!soft) {
    state.found.filters.push({ name, line })
  }
  const args = stream.is('lparen') ? parseArguments(state) : NO_ARGUMENTS
  return { type: 'filter', value, name, soft, ...args, line }
}

const ARGUMENT_STARTS = ['name', 'string', 'integer', 'float', 'lbracket', 'lbrace']

export function parseTest(state: ParseState, value: Expression): Expression {
  const { stream, soft } = state
  const { line } = stream.next()
  const negated = stream.skipIf('name:not')
  const name = parseDottedName(state)
  if (!soft) {
    state.found.tests.push({ name, line })
  }
  let args = NO_ARGUMENTS
  if (stream.is('lparen')) {
    args = parseArguments(state)
  } else if (
    ARGUMENT_STARTS.some((type) => stream.is(type)) &&
    !['name:else', 'name:or', 'name:and'].some((word) => stream.is(word))
  ) {
    if (stream.is('name:is')) {
      throw syntaxError('You cannot chain multiple tests with is', stream.current.line)
    }
    args = { ...NO_ARGUMENTS, positional: [parsePostfix(state, parsePrimary(state))] }
  }
  const test: Expression = { type: 'test', value, name, soft, ...args, line }
  return negated ? { type: 'not', value: test, line } : test
}

function parseDottedName(state: ParseState): string {
  let name = state.stream.expect('name').value
  while (state.stream.skipIf('dot')) {
    name += `.${state.stream.expect('name').value}`
  }
  return name
}
