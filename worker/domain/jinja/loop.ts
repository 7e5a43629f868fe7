import { equalItems } from './compare.ts'
import { countAll } from './reading.ts'
import { typeError } from './template-error.ts'
import { Callable, ObjectValue, Undefined, type Value } from './value.ts'

/** What `loop` is inside a for. */
export class Loop extends ObjectValue {
  readonly type = 'LoopContext'
  private readonly items: readonly Value[]
  private readonly depth: number
  private at = 0
  private changed: readonly Value[] | undefined

  constructor(items: readonly Value[], depth: number) {
    super()
    this.items = items
    this.depth = depth
  }

  advance(): void {
    this.at += 1
  }

  repr(): string {
    return `<LoopContext ${this.at + 1}/${this.items.length}>`
  }

  override length(): number {
    return this.items.length
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case 'index':
        return BigInt(this.at + 1)
      case 'index0':
        return BigInt(this.at)
      case 'revindex':
        return BigInt(this.items.length - this.at)
      case 'revindex0':
        return BigInt(this.items.length - this.at - 1)
      case 'first':
        return this.at === 0
      case 'last':
        return this.at === this.items.length - 1
      case 'length':
        return BigInt(this.items.length)
      case 'depth':
        return BigInt(this.depth + 1)
      case 'depth0':
        return BigInt(this.depth)
      case 'previtem':
        return this.at === 0
          ? new Undefined('there is no previous item')
          : (this.items[this.at - 1] ?? null)
      case 'nextitem':
        return this.at + 1 < this.items.length
          ? (this.items[this.at + 1] ?? null)
          : new Undefined('there is no next item')
      case 'cycle':
        return new Callable('bound method LoopContext.cycle', ({ positional }) => {
          if (positional.length === 0) {
            throw typeError('no items for cycling given')
          }
          return positional[this.at % positional.length] ?? null
        })
      case 'changed':
        return new Callable('bound method LoopContext.changed', ({ positional }, runtime) => {
          countAll(positional, runtime)
          const same = this.changed !== undefined && equalItems(this.changed, positional)
          this.changed = positional
          return !same
        })
      default:
        return undefined
    }
  }
}
