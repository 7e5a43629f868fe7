import { format } from '@cfworker/json-schema'
import { readingCost, readPattern, type Pattern } from './pattern.ts'
import type { Json } from './wire/common.ts'

/** The engine refuses an expression of some hundred thousand letters: that many are too many steps. */
const LETTER_COST = 3

/**
 * The regular expressions of one judgement. The validator makes the engine's own expressions of them, which a user can make
 * run for hours; so it is given none. A `pattern` is handed to it as a format, which it asks a function for, and those of
 * `patternProperties` as the names that the value has and that fit.
 */
export class SchemaPatterns {
  readonly #patterns = new Map<string, Pattern | undefined>()
  readonly #formats = new Map<string, (text: string) => boolean>()
  readonly #names: () => string[]
  readonly #spend: (cost: number) => void

  /**
   * @param value all names that it has are looked at
   * @param spend is called before each text is judged, with what that costs; it throws to end the judgement
   */
  constructor(value: Json, spend: (cost: number) => void) {
    let names: string[] | undefined
    this.#names = () => (names ??= [...namesIn(value)])
    this.#spend = spend
  }

  /** The format that stands for a pattern; undefined for one that can't be read. */
  formatOf(source: string): string | undefined {
    const pattern = this.#read(source)
    if (pattern === undefined) {
      return undefined
    }
    const name = `pattern ${source}`
    this.#formats.set(name, (text) => this.#fits(pattern, text))
    return name
  }

  /** An expression for just those names in the value that fit a pattern; undefined where none does. */
  namesFor(source: string): string | undefined {
    const pattern = this.#read(source)
    const fitting = this.#names().filter((name) => pattern && this.#fits(pattern, name))
    const names = fitting.map((name) => name.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`))
    const expression = `^(?:${names.join('|')})$`
    this.#spend(expression.length * LETTER_COST)
    return names.length === 0 ? undefined : expression
  }

  /** Judges with the patterns in the validator's table of formats; nothing else runs meanwhile. */
  within<T>(judge: () => T): T {
    Object.assign(format, Object.fromEntries(this.#formats))
    try {
      return judge()
    } finally {
      for (const name of this.#formats.keys()) {
        delete format[name]
      }
    }
  }

  #read(source: string): Pattern | undefined {
    if (!this.#patterns.has(source)) {
      this.#spend(readingCost(source))
      this.#patterns.set(source, readPattern(source))
    }
    return this.#patterns.get(source)
  }

  #fits(pattern: Pattern, text: string): boolean {
    this.#spend(1 + pattern.cost(text.length))
    return pattern.fits(text)
  }
}

function namesIn(value: Json, names = new Set<string>()): Set<string> {
  if (typeof value === 'object' && value !== null) {
    for (const [name, child] of Object.entries(value)) {
      if (!Array.isArray(value)) {
        names.add(name)
      }
      namesIn(child, names)
    }
  }
  return names
}
