import type { CallBlockNode, FilterNode, Signature, Statement, Target } from './nodes.ts'
import { parseExpression } from './parse-expression.ts'
import { parseFilter } from './parse-postfix.ts'
import { parseTuple } from './parse-primary.ts'
import { inScope, nested, type ParseState } from './parse-state.ts'
import { nameTarget, parseTarget } from './parse-target.ts'
import { syntaxError, TemplateError } from './template-error.ts'
import { describeToken, describeType } from './token.ts'

/** Statements up to one of the ends, which stays the current token; without ends up to the end of the text. */
export function parseBody(state: ParseState, ends: readonly string[] | undefined): Statement[] {
  const { stream } = state
  const body: Statement[] = []
  if (ends !== undefined) {
    state.ends.push(ends)
  }
  while (!stream.is('eof')) {
    const { type, line } = stream.current
    if (type === 'data') {
      body.push({ type: 'data', text: stream.next().value, line })
    } else if (type === 'variable_begin') {
      stream.next()
      body.push({ type: 'print', value: parseTuple(state), line })
      stream.expect('variable_end')
    } else {
      stream.expect('block_begin')
      if (ends?.some((end) => stream.is(end)) === true) {
        break
      }
      body.push(...nested(state, () => parseStatement(state)))
      stream.expect('block_end')
    }
  }
  if (ends !== undefined) {
    state.ends.pop()
  }
  return body
}

/** The body of a tag, up to one of the ends. */
function parseBlock(state: ParseState, ...ends: string[]): Statement[] {
  state.stream.skipIf('colon')
  state.stream.expect('block_end')
  const body = parseBody(state, ends)
  if (state.stream.is('eof')) {
    failUnclosed(state, undefined, [...state.ends, ends])
  }
  return body
}

function parseClosed(state: ParseState, end: string): Statement[] {
  const body = parseBlock(state, end)
  state.stream.next()
  return body
}

function parseStatement(state: ParseState): Statement[] {
  const token = state.stream.current
  if (token.type !== 'name') {
    throw syntaxError('tag name expected', token.line)
  }
  const parse = PARSERS[token.value]
  if (parse === undefined) {
    return failUnclosed(state, token.value, state.ends)
  }
  state.tags.push(token.value)
  const parsed = parse(state, token.line)
  state.tags.pop()
  return Array.isArray(parsed) ? parsed : [parsed]
}

const PARSERS: Readonly<
  Partial<Record<string, (state: ParseState, line: number) => Statement | Statement[]>>
> = {
  for: parseFor,
  if: parseIf,
  set: parseSet,
  with: parseWith,
  macro: parseMacro,
  call: parseCallBlock,
  filter: parseFilterBlock,
  autoescape: parseAutoescape,
  block: parseNamedBlock,
  print: parsePrint,
  extends: (state, line) => parseLoad(state, line, 'extends'),
  include: (state, line) => parseLoad(state, line, 'include'),
  import: (state, line) => parseLoad(state, line, 'import'),
  from: (state, line) => parseLoad(state, line, 'from'),
}

function failUnclosed(
  state: ParseState,
  name: string | undefined,
  ends: readonly (readonly string[])[],
): never {
  const innermost = ends.at(-1)
  const message = [
    name === undefined ? 'Unexpected end of template.' : `Encountered unknown tag '${name}'.`,
  ]
  if (innermost !== undefined) {
    const looking = innermost.map((end) => `'${describe(end)}'`).join(' or ')
    const expected = ends.some((group) => group.some((end) => describe(end) === name))
    message.push(
      name !== undefined && expected
        ? `You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for ${looking}.`
        : `Jinja was looking for the following tags: ${looking}.`,
    )
  }
  const tag = state.tags.at(-1)
  if (tag !== undefined) {
    message.push(`The innermost block that needs to be closed is '${tag}'.`)
  }
  throw syntaxError(message.join(' '), state.stream.current.line)
}

function describe(end: string): string {
  return end.startsWith('name:') ? end.slice(5) : describeType(end)
}

function parseFor(state: ParseState): Statement {
  const { stream, found } = state
  const { line } = stream.next()
  const target = parseTarget(state)
  stream.expect('name:in')
  const iterable = parseTuple(state, { conditional: false })
  return inScope(state, false, () => {
    const test = stream.skipIf('name:if') ? parseExpression(state) : undefined
    const recursive = stream.skipIf('name:recursive')
    found.loops += 1
    state.loop += 1
    found.loopDepth = Math.max(found.loopDepth, state.loop)
    const body = parseBlock(state, 'name:endfor', 'name:else')
    const otherwise = stream.next().value === 'endfor' ? [] : parseClosed(state, 'name:endfor')
    state.loop -= 1
    return { type: 'for', target, iterable, test, recursive, body, otherwise, line }
  })
}

function parseIf(state: ParseState): Statement {
  const { stream } = state
  const { line } = stream.next()
  return inScope(state, true, () => {
    const branches: { test: TestOf; body: Statement[] }[] = []
    let otherwise: Statement[] = []
    for (;;) {
      const test = parseTuple(state, { conditional: false })
      const body = parseBlock(state, 'name:elif', 'name:else', 'name:endif')
      branches.push({ test, body })
      const end = stream.next().value
      if (end !== 'elif') {
        otherwise = end === 'else' ? parseClosed(state, 'name:endif') : []
        return { type: 'if', branches, otherwise, line }
      }
    }
  })
}

type TestOf = ReturnType<typeof parseTuple>

function parseSet(state: ParseState): Statement {
  const { stream } = state
  const { line } = stream.next()
  const target = parseTarget(state, { members: true })
  if (stream.skipIf('assign')) {
    return { type: 'set', target, value: parseTuple(state), line }
  }
  return inScope(state, false, () => {
    const filter = parseFilterChain(state)
    return { type: 'set_block', target, filter, body: parseClosed(state, 'name:endset'), line }
  })
}

function parseFilterChain(state: ParseState): FilterNode | undefined {
  let filter: FilterNode | undefined
  while (state.stream.is('pipe')) {
    filter = parseFilter(state, filter)
  }
  return filter
}

function parseWith(state: ParseState): Statement {
  const { stream } = state
  const { line } = stream.next()
  const targets: Target[] = []
  const values: TestOf[] = []
  while (!stream.is('block_end')) {
    if (targets.length > 0) {
      stream.expect('comma')
    }
    targets.push(parseTarget(state))
    stream.expect('assign')
    values.push(parseExpression(state))
  }
  return inScope(state, false, () => {
    return { type: 'with', targets, values, body: parseClosed(state, 'name:endwith'), line }
  })
}

function parseAutoescape(state: ParseState): Statement {
  const { line } = state.stream.next()
  return inScope(state, false, () => {
    const value = parseExpression(state)
    return { type: 'autoescape', value, body: parseClosed(state, 'name:endautoescape'), line }
  })
}

function parseMacro(state: ParseState): Statement {
  const { line } = state.stream.next()
  return inScope(state, false, () => {
    const name = nameTarget(state)
    const signature = parseSignature(state)
    return { type: 'macro', name, signature, body: parseClosed(state, 'name:endmacro'), line }
  })
}

function parseCallBlock(state: ParseState): CallBlockNode {
  const { stream } = state
  const { line } = stream.next()
  return inScope(state, false, () => {
    const signature = stream.is('lparen') ? parseSignature(state) : { names: [], defaults: [] }
    const call = parseExpression(state)
    if (call.type !== 'call') {
      throw syntaxError('expected call', line)
    }
    return { type: 'call_block', signature, call, body: parseClosed(state, 'name:endcall'), line }
  })
}

function parseSignature(state: ParseState): Signature {
  const { stream } = state
  const signature: Signature = { names: [], defaults: [] }
  stream.expect('lparen')
  while (!stream.is('rparen')) {
    if (signature.names.length > 0) {
      stream.expect('comma')
    }
    const name = nameTarget(state)
    if (stream.skipIf('assign')) {
      signature.defaults.push(parseExpression(state))
    } else if (signature.defaults.length > 0) {
      throw syntaxError('non-default argument follows default argument', stream.current.line)
    }
    signature.names.push(name)
  }
  stream.expect('rparen')
  return signature
}

function parseFilterBlock(state: ParseState): Statement {
  const { line } = state.stream.next()
  return inScope(state, false, () => {
    let filter = parseFilter(state, undefined, false)
    while (state.stream.is('pipe')) {
      filter = parseFilter(state, filter)
    }
    return { type: 'filter_block', filter, body: parseClosed(state, 'name:endfilter'), line }
  })
}

function parseNamedBlock(state: ParseState): Statement {
  const { stream } = state
  const { line } = stream.next()
  return inScope(state, false, () => {
    const name = stream.expect('name').value
    stream.skipIf('name:scoped')
    const required = stream.skipIf('name:required')
    if (stream.is('sub')) {
      throw syntaxError(
        'Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.',
        stream.current.line,
      )
    }
    const body = parseClosed(state, 'name:endblock')
    if (required && body.some((part) => part.type !== 'data' || part.text.trim() !== '')) {
      throw syntaxError(
        'Required blocks can only contain comments or whitespace',
        stream.current.line,
      )
    }
    stream.skipIf(`name:${name}`)
    return { type: 'block', name, body, line }
  })
}

function parsePrint(state: ParseState): Statement[] {
  const { stream } = state
  const { line } = stream.next()
  const printed: Statement[] = []
  while (!stream.is('block_end')) {
    if (printed.length > 0) {
      stream.expect('comma')
    }
    printed.push({ type: 'print', value: parseExpression(state), line })
  }
  return printed
}

/** The tags that bring in other templates: they are read, and fail when they are reached, as there are none. */
function parseLoad(state: ParseState, line: number, tag: string): Statement {
  const { stream } = state
  stream.next()
  parseExpression(state)
  if (tag === 'include' && stream.is('name:ignore') && stream.look().value === 'missing') {
    stream.next()
    stream.next()
  }
  if (tag === 'import') {
    stream.expect('name:as')
    nameTarget(state)
  }
  if (tag === 'from') {
    parseImportedNames(state)
  }
  if (stream.is('name:with') || stream.is('name:without')) {
    stream.next()
    stream.expect('name:context')
  }
  if (!stream.is('block_end')) {
    throw syntaxError(
      `expected token 'end of statement block', got '${describeToken(stream.current)}'`,
      stream.current.line,
    )
  }
  return { type: 'load', line }
}

function parseImportedNames(state: ParseState): void {
  const { stream } = state
  stream.expect('name:import')
  do {
    const { line } = stream.current
    if (nameTarget(state).startsWith('_')) {
      throw new TemplateError(
        'TemplateAssertionError',
        'names starting with an underline can not be imported',
        line,
      )
    }
    if (stream.skipIf('name:as')) {
      nameTarget(state)
    }
  } while (stream.skipIf('comma'))
}
