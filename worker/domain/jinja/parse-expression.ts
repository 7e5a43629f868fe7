import type { BinaryOperator, CompareOperator, Expression } from './nodes.ts'
import { inScope, nested, type ParseState } from './parse-state.ts'
import { parsePrimary } from './parse-primary.ts'
import { parseFilter, parsePostfix, parseTest } from './parse-postfix.ts'
import { fits } from './token-stream.ts'

export function parseExpression(state: ParseState, conditional = true): Expression {
  return nested(state, () => (conditional ? parseCondition(state) : parseOr(state)))
}

function parseCondition(state: ParseState): Expression {
  const { stream } = state
  let line = stream.current.line
  const before = { filters: state.found.filters.length, tests: state.found.tests.length }
  let expression = parseOr(state)
  while (stream.skipIf('name:if')) {
    // What stands in a condition may name a filter that doesn't exist, as long as it isn't reached.
    soften(expression, state, before)
    const yes = expression
    const test = inScope(state, true, () => parseOr(state))
    const no = stream.skipIf('name:else')
      ? inScope(state, true, () => nested(state, () => parseCondition(state)))
      : undefined
    expression = { type: 'condition', test, yes, no, line }
    line = stream.current.line
  }
  return expression
}

function soften(
  expression: Expression,
  state: ParseState,
  before: { filters: number; tests: number },
): void {
  state.found.filters.length = before.filters
  state.found.tests.length = before.tests
  if (expression.type === 'filter' || expression.type === 'test') {
    expression.soft = true
  }
}

function parseOr(state: ParseState): Expression {
  let left = parseAnd(state)
  for (let line = left.line; state.stream.skipIf('name:or'); line = state.stream.current.line) {
    left = { type: 'or', left, right: parseAnd(state), line }
  }
  return left
}

function parseAnd(state: ParseState): Expression {
  let left = parseNot(state)
  for (let line = left.line; state.stream.skipIf('name:and'); line = state.stream.current.line) {
    left = { type: 'and', left, right: parseNot(state), line }
  }
  return left
}

function parseNot(state: ParseState): Expression {
  const { line } = state.stream.current
  return state.stream.skipIf('name:not')
    ? { type: 'not', value: nested(state, () => parseNot(state)), line }
    : parseCompare(state)
}

const COMPARISONS: ReadonlySet<string> = new Set(['eq', 'ne', 'lt', 'lteq', 'gt', 'gteq'])

function parseCompare(state: ParseState): Expression {
  const { stream } = state
  const first = parseSum(state)
  const rest: { operator: CompareOperator; value: Expression }[] = []
  for (;;) {
    if (COMPARISONS.has(stream.current.type)) {
      const operator = stream.next().type as CompareOperator
      rest.push({ operator, value: parseSum(state) })
    } else if (stream.skipIf('name:in')) {
      rest.push({ operator: 'in', value: parseSum(state) })
    } else if (stream.is('name:not') && fits(stream.look(), 'name:in')) {
      stream.next()
      stream.next()
      rest.push({ operator: 'notin', value: parseSum(state) })
    } else {
      return rest.length === 0 ? first : { type: 'compare', first, rest, line: first.line }
    }
  }
}

function parseSum(state: ParseState): Expression {
  return parseBinary(state, { add: '+', sub: '-' }, parseConcat)
}

function parseConcat(state: ParseState): Expression {
  const items = [parseProduct(state)]
  while (state.stream.skipIf('tilde')) {
    items.push(parseProduct(state))
  }
  const [only] = items
  return items.length === 1 && only !== undefined
    ? only
    : { type: 'concat', items, line: only?.line ?? 0 }
}

function parseProduct(state: ParseState): Expression {
  return parseBinary(state, { mul: '*', div: '/', floordiv: '//', mod: '%' }, parsePower)
}

function parsePower(state: ParseState): Expression {
  return parseBinary(state, { pow: '**' }, parseUnary)
}

function parseBinary(
  state: ParseState,
  operators: Readonly<Record<string, BinaryOperator>>,
  parseOperand: (state: ParseState) => Expression,
): Expression {
  let left = parseOperand(state)
  let line = left.line
  for (;;) {
    const operator = operators[state.stream.current.type]
    if (operator === undefined) {
      return left
    }
    state.stream.next()
    left = { type: 'binary', operator, left, right: parseOperand(state), line }
    line = state.stream.current.line
  }
}

function parseUnary(state: ParseState, filters = true): Expression {
  const { type, line } = state.stream.current
  let expression: Expression
  if (type === 'sub' || type === 'add') {
    state.stream.next()
    const value = nested(state, () => parseUnary(state, false))
    expression = { type: type === 'sub' ? 'negative' : 'positive', value, line }
  } else {
    expression = parsePrimary(state)
  }
  expression = parsePostfix(state, expression)
  return filters ? parseFilters(state, expression) : expression
}

function parseFilters(state: ParseState, of: Expression): Expression {
  let expression = of
  for (;;) {
    if (state.stream.is('pipe')) {
      expression = parseFilter(state, expression)
    } else if (state.stream.is('name:is')) {
      expression = parseTest(state, expression)
    } else if (state.stream.is('lparen')) {
      expression = parsePostfix(state, expression)
    } else {
      return expression
    }
  }
}
