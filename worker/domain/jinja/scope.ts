import type { Value } from './value.ts'

/** Names and their values; what isn't here is looked for in the scope around it. */
export class Scope {
  private readonly names = new Map<string, Value>()
  private readonly outer: Scope | undefined

  constructor(outer?: Scope) {
    this.outer = outer
  }

  get(name: string): Value | undefined {
    const value = this.names.get(name)
    return value === undefined ? this.outer?.get(name) : value
  }

  set(name: string, value: Value): void {
    this.names.set(name, value)
  }
}
