import { DEFAULT_LIMITS, type Limits } from './limits.ts'
import { tokenize } from './lexer.ts'
import type { Template } from './nodes.ts'
import { parseExpression } from './parse-expression.ts'
import { parseBody } from './parse-statement.ts'
import type { ParseState } from './parse-state.ts'
import { limitError } from './template-error.ts'
import { TokenStream } from './token-stream.ts'

/** Reads a template. Throws TemplateError. */
export function parseTemplate(source: string, limits: Limits = DEFAULT_LIMITS): Template {
  if (source.length > limits.source) {
    throw limitError(`The template is longer than ${limits.source} characters.`)
  }
  const found: ParseState['found'] = { loops: 0, loopDepth: 0, filters: [], tests: [] }
  const state: ParseState = {
    stream: new TokenStream(tokenize(source)),
    found,
    tags: [],
    ends: [],
    depth: 0,
    maxDepth: limits.depth,
    loop: 0,
    soft: false,
    parseExpression,
  }
  const body = parseBody(state, undefined)
  return { body, ...found }
}
