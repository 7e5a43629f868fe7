/** Why a text is no JSON, in the words of Python's reader, which Prefect's users know. */
export function explainJsonFault(text: string): string {
  const reader = new Reader(text)
  const fault = reader.document() ?? { message: 'Expecting value', at: 0 }
  // Python counts characters, where a position here counts units of UTF-16.
  const before = Array.from(text.slice(0, fault.at))
  const line = before.filter((letter) => letter === '\n').length + 1
  const column = before.length - before.lastIndexOf('\n')
  return `${fault.message}: line ${line} column ${column} (char ${before.length})`
}

interface Fault {
  message: string
  at: number
}

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y
const WORD = /true|false|null|NaN|-?Infinity/y
/** Deeper than that Python's reader gives up too. */
const MAX_DEPTH = 500

class Reader {
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  document(): Fault | undefined {
    this.space()
    const fault = this.value(0)
    if (fault !== undefined) {
      return fault
    }
    this.space()
    return this.at < this.text.length ? this.fault('Extra data') : undefined
  }

  private fault(message: string, at = this.at): Fault {
    return { message, at }
  }

  private space(): void {
    this.take(SPACE)
  }

  private take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0]
    this.at += found?.length ?? 0
    return found !== undefined
  }

  private value(depth: number): Fault | undefined {
    const next = this.text[this.at]
    if (next === '"') {
      return this.string()
    }
    if ((next === '{' || next === '[') && depth < MAX_DEPTH) {
      return next === '{' ? this.object(depth) : this.array(depth)
    }
    return this.take(WORD) || this.take(NUMBER) ? undefined : this.fault('Expecting value')
  }

  private string(): Fault | undefined {
    const start = this.at
    for (this.at += 1; this.at < this.text.length; this.at += 1) {
      const letter = this.text.charAt(this.at)
      if (letter === '"') {
        this.at += 1
        return undefined
      }
      if (letter < ' ') {
        return this.fault('Invalid control character at')
      }
      if (letter === '\\') {
        const fault = this.escape(start)
        if (fault !== undefined) {
          return fault
        }
      }
    }
    return this.fault('Unterminated string starting at', start)
  }

  private escape(start: number): Fault | undefined {
    const letter = this.text[this.at + 1]
    if (letter === undefined) {
      return this.fault('Unterminated string starting at', start)
    }
    if (letter === 'u' && !/^[\da-fA-F]{4}/.test(this.text.slice(this.at + 2, this.at + 6))) {
      return this.fault('Invalid \\uXXXX escape', this.at + 1)
    }
    if (!'"\\/bfnrtu'.includes(letter)) {
      return this.fault('Invalid \\escape')
    }
    this.at += letter === 'u' ? 5 : 1
    return undefined
  }

  private object(depth: number): Fault | undefined {
    this.at += 1
    this.space()
    if (this.text[this.at] === '}') {
      this.at += 1
      return undefined
    }
    for (;;) {
      if (this.text[this.at] !== '"') {
        return this.fault('Expecting property name enclosed in double quotes')
      }
      const name = this.string()
      if (name !== undefined) {
        return name
      }
      this.space()
      if (this.text[this.at] !== ':') {
        return this.fault("Expecting ':' delimiter")
      }
      this.at += 1
      this.space()
      const done = this.item(depth, '}')
      if (done !== 'next') {
        return done
      }
    }
  }

  private array(depth: number): Fault | undefined {
    this.at += 1
    this.space()
    if (this.text[this.at] === ']') {
      this.at += 1
      return undefined
    }
    for (;;) {
      const done = this.item(depth, ']')
      if (done !== 'next') {
        return done
      }
    }
  }

  /** A value, and what comes behind it. */
  private item(depth: number, end: string): Fault | undefined | 'next' {
    const fault = this.value(depth + 1)
    if (fault !== undefined) {
      return fault
    }
    this.space()
    const next = this.text[this.at]
    if (next !== ',' && next !== end) {
      return this.fault("Expecting ',' delimiter")
    }
    this.at += 1
    if (next === end) {
      return undefined
    }
    this.space()
    return 'next'
  }
}
