import { syntaxError } from './template-error.ts'
import { describeToken, describeType, type Token } from './token.ts'

/** The parser's view of the tokens: the current one, and one ahead. */
export class TokenStream {
  current: Token
  private readonly tokens: Iterator<Token>
  private ahead: Token | undefined

  constructor(tokens: Iterator<Token>) {
    this.tokens = tokens
    this.current = this.pull(1)
  }

  next(): Token {
    const token = this.current
    this.current = this.ahead ?? this.pull(token.line)
    this.ahead = undefined
    return token
  }

  look(): Token {
    this.ahead ??= this.pull(this.current.line)
    return this.ahead
  }

  /** `name:for` asks for that very word. */
  is(expected: string): boolean {
    return fits(this.current, expected)
  }

  skipIf(expected: string): boolean {
    if (!this.is(expected)) {
      return false
    }
    this.next()
    return true
  }

  expect(expected: string): Token {
    if (this.is(expected)) {
      return this.next()
    }
    const wanted = expected.startsWith('name:') ? expected.slice(5) : describeType(expected)
    throw syntaxError(
      this.current.type === 'eof'
        ? `unexpected end of template, expected '${wanted}'.`
        : `expected token '${wanted}', got '${describeToken(this.current)}'`,
      this.current.line,
    )
  }

  private pull(line: number): Token {
    const next = this.tokens.next()
    return next.done === true ? { line, type: 'eof', value: '' } : next.value
  }
}

export function fits(token: Token, expected: string): boolean {
  return (
    token.type === expected ||
    (token.type === 'name' && expected.startsWith('name:') && token.value === expected.slice(5))
  )
}
