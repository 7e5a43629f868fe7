import type { Target } from './nodes.ts'
import { isTupleEnd, parsePrimary } from './parse-primary.ts'
import { nested, type ParseState } from './parse-state.ts'
import { syntaxError } from './template-error.ts'
import { describeToken } from './token.ts'

interface TargetOptions {
  /** `name.attribute` may be set, of a namespace. */
  members?: boolean
}

/** What a value is given to: a name, or several with commas between them. */
export function parseTarget(state: ParseState, options: TargetOptions = {}): Target {
  const { stream } = state
  const { line } = stream.current
  const items: Target[] = []
  let isTuple = false
  for (;;) {
    if (items.length > 0) {
      stream.expect('comma')
    }
    if (isTupleEnd(state)) {
      break
    }
    items.push(parseOne(state, options))
    if (!stream.is('comma')) {
      break
    }
    isTuple = true
  }
  const [first] = items
  if (isTuple) {
    return { type: 'tuple', items, line }
  }
  if (first === undefined) {
    throw syntaxError(
      `Expected an expression, got '${describeToken(stream.current)}'`,
      stream.current.line,
    )
  }
  return first
}

function parseOne(state: ParseState, options: TargetOptions): Target {
  const { stream } = state
  if (stream.skipIf('lparen')) {
    const inner = nested(state, () => parseTarget(state, options))
    stream.expect('rparen')
    return inner
  }
  const { line } = stream.current
  if (stream.is('name') && options.members === true && stream.look().type === 'dot') {
    const name = stream.next().value
    stream.next()
    return { type: 'member', name, attribute: stream.expect('name').value, line }
  }
  return toTarget(parsePrimary(state))
}

/** Also a bare name in the place of a target. */
export function nameTarget(state: ParseState): string {
  const { value, line } = state.stream.expect('name')
  if (RESERVED.has(value)) {
    throw syntaxError(`can't assign to 'name'`, line)
  }
  return value
}

const RESERVED: ReadonlySet<string> = new Set(['true', 'false', 'none', 'True', 'False', 'None'])

const KINDS: Readonly<Record<string, string>> = { constant: 'const' }

function toTarget(expression: ReturnType<typeof parsePrimary>): Target {
  if (expression.type !== 'name') {
    const kind = KINDS[expression.type] ?? expression.type
    throw syntaxError(`can't assign to '${kind}'`, expression.line)
  }
  return { type: 'name', name: expression.name, line: expression.line }
}
