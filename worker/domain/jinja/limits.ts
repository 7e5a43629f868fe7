import { limitError } from './template-error.ts'

/** How much one rendering may do. It runs in a Worker that others share, with no way to stop it from outside. */
export interface Limits {
  /** Evaluated nodes, plus one for every sixteen characters or items that are made or read. */
  steps: number
  /** Characters of the text that comes out, and of any text made on the way. */
  characters: number
  /** Items of a list made on the way. */
  items: number
  /** Expressions, statements and calls inside one another. The stack of a Worker holds about ten times that. */
  depth: number
  /** Characters of the template itself. */
  source: number
}

/** A mail of half a million characters is more than any receiver takes; the steps are some 50 ms. */
export const DEFAULT_LIMITS: Limits = {
  steps: 200_000,
  characters: 500_000,
  items: 50_000,
  depth: 100,
  source: 200_000,
}

const UNITS_A_STEP = 16

/** Counts what a rendering has done, and ends it at a limit. */
export class Meter {
  private readonly limits: Limits
  private steps = 0
  private depth = 0

  constructor(limits: Limits) {
    this.limits = limits
  }

  step(count = 1): void {
    this.steps += count
    if (this.steps > this.limits.steps) {
      throw limitError(`The template takes more than ${this.limits.steps} steps.`)
    }
  }

  /** Asked before a text of that length is made. */
  characters(length: number): void {
    if (length > this.limits.characters) {
      throw limitError(
        `The template makes a text of more than ${this.limits.characters} characters.`,
      )
    }
    this.step(Math.ceil(length / UNITS_A_STEP))
  }

  /** Asked before a list of that length is made. */
  items(length: number): void {
    if (length > this.limits.items) {
      throw limitError(`The template makes a list of more than ${this.limits.items} items.`)
    }
    this.step(Math.ceil(length / UNITS_A_STEP))
  }

  /** Asked before a text or a list of that length is read. */
  reads(length: number): void {
    this.step(Math.ceil(length / UNITS_A_STEP))
  }

  nested<T>(evaluate: () => T): T {
    this.depth += 1
    if (this.depth > this.limits.depth) {
      throw limitError(`The template nests deeper than ${this.limits.depth} levels.`)
    }
    try {
      return evaluate()
    } finally {
      this.depth -= 1
    }
  }
}
