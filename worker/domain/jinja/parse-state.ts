import { limitError } from './template-error.ts'
import type { Expression } from './nodes.ts'
import type { TokenStream } from './token-stream.ts'

/** What the parser carries along. */
export interface ParseState {
  readonly stream: TokenStream
  readonly found: {
    loops: number
    loopDepth: number
    filters: { name: string; line: number }[]
    tests: { name: string; line: number }[]
  }
  readonly tags: string[]
  readonly ends: (readonly string[])[]
  depth: number
  maxDepth: number
  loop: number
  soft: boolean
  /** Here since expressions contain one another, and files do not. */
  readonly parseExpression: (state: ParseState, conditional?: boolean) => Expression
}

/** Bounds what the parser, and the evaluator after it, has on its stack. */
export function nested<T>(state: ParseState, parse: () => T): T {
  state.depth += 1
  if (state.depth > state.maxDepth) {
    throw limitError(`The template nests deeper than ${state.maxDepth} levels.`)
  }
  const parsed = parse()
  state.depth -= 1
  return parsed
}

export function inScope<T>(state: ParseState, soft: boolean, parse: () => T): T {
  const before = state.soft
  state.soft = soft
  const parsed = parse()
  state.soft = before
  return parsed
}
