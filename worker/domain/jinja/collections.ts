import { equal, equalItems } from './compare.ts'
import { hashKey } from './hash-key.ts'
import { repr } from './text.ts'
import { Callable, ObjectValue, orElse, type Runtime, type Value } from './value.ts'

export class Tuple extends ObjectValue {
  readonly type = 'tuple'
  readonly items: Value[]

  constructor(items: Value[]) {
    super()
    this.items = items
  }

  repr(runtime: Runtime): string {
    const items = this.items.map((item) => repr(item, runtime))
    return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`
  }

  override length(): number {
    return this.items.length
  }

  override iterate(): Iterator<Value> {
    return this.items[Symbol.iterator]()
  }

  override equals(other: Value): boolean {
    return other instanceof Tuple && equalItems(this.items, other.items)
  }

  override sequence(): Value[] {
    return this.items
  }

  override hash(): string {
    return `t${JSON.stringify(this.items.map(hashKey))}`
  }
}

/** One of `groupby`: a tuple whose two items have names. */
export class Group extends Tuple {
  override attribute(name: string): Value | undefined {
    const [grouper, list] = this.items
    return { grouper, list }[name]
  }
}

export class Dict extends ObjectValue {
  readonly type: string = 'dict'
  private readonly entries = new Map<string, [Value, Value]>()

  set(key: Value, value: Value): this {
    const hash = hashKey(key)
    const existing = this.entries.get(hash)
    this.entries.set(hash, [existing?.[0] ?? key, value])
    return this
  }

  get(key: Value): Value | undefined {
    return this.entries.get(hashKey(key))?.[1]
  }

  has(key: Value): boolean {
    return this.entries.has(hashKey(key))
  }

  pairs(): [Value, Value][] {
    return [...this.entries.values()]
  }

  repr(runtime: Runtime): string {
    const pairs = this.pairs().map(
      ([key, value]) => `${repr(key, runtime)}: ${repr(value, runtime)}`,
    )
    return `{${pairs.join(', ')}}`
  }

  override length(): number {
    return this.entries.size
  }

  override iterate(): Iterator<Value> {
    const keys = this.pairs().map(([key]) => key)
    return keys[Symbol.iterator]()
  }

  override item(key: Value): Value | undefined {
    return this.get(key)
  }

  override attribute(name: string, runtime: Runtime): Value | undefined {
    const method = METHODS[name]
    return method === undefined
      ? undefined
      : new Callable(`built-in method ${name} of dict object`, ({ positional }) =>
          method(this, positional, runtime),
        )
  }

  override hash(): undefined {
    return undefined
  }

  override equals(other: Value): boolean {
    return (
      other instanceof Dict &&
      other.length() === this.length() &&
      this.pairs().every(([key, value]) => {
        const there = other.get(key)
        return there !== undefined && equal(value, there)
      })
    )
  }
}

const METHODS: Readonly<
  Partial<Record<string, (dict: Dict, args: Value[], runtime: Runtime) => Value>>
> = {
  keys: (dict) => new DictView('dict_keys', dict),
  values: (dict) => new DictView('dict_values', dict),
  items: (dict) => new DictView('dict_items', dict),
  get: (dict, [key = null, otherwise = null]) => orElse(dict.get(key), () => otherwise),
  copy: (dict) => {
    const copy = new Dict()
    for (const [key, value] of dict.pairs()) {
      copy.set(key, value)
    }
    return copy
  },
}

/** What `keys()`, `values()` and `items()` give. */
export class DictView extends ObjectValue {
  readonly type: 'dict_keys' | 'dict_values' | 'dict_items'
  private readonly dict: Dict

  constructor(type: 'dict_keys' | 'dict_values' | 'dict_items', dict: Dict) {
    super()
    this.type = type
    this.dict = dict
  }

  items(): Value[] {
    return this.dict.pairs().map(([key, value]) => {
      if (this.type === 'dict_items') {
        return new Tuple([key, value])
      }
      return this.type === 'dict_keys' ? key : value
    })
  }

  repr(runtime: Runtime): string {
    return `${this.type}(${repr(this.items(), runtime)})`
  }

  override length(): number {
    return this.dict.length()
  }

  override iterate(): Iterator<Value> {
    return this.items()[Symbol.iterator]()
  }
}

export class Range extends ObjectValue {
  readonly type = 'range'
  readonly start: number
  readonly stop: number
  readonly step: number

  constructor(start: number, stop: number, step: number) {
    super()
    this.start = start
    this.stop = stop
    this.step = step
  }

  /** Some of the items, by their places. */
  part(first: number, last: number, by: number): Range {
    const at = (place: number) => this.start + place * this.step
    return new Range(at(first), at(last), this.step * by)
  }

  items(): Value[] {
    return Array.from({ length: this.length() }, (_, index) =>
      BigInt(this.start + index * this.step),
    )
  }

  repr(): string {
    const step = this.step === 1 ? '' : `, ${this.step}`
    return `range(${this.start}, ${this.stop}${step})`
  }

  override length(): number {
    return Math.max(0, Math.ceil((this.stop - this.start) / this.step))
  }

  override iterate(): Iterator<Value> {
    return this.items()[Symbol.iterator]()
  }

  override equals(other: Value): boolean {
    return other instanceof Range && equalItems(this.items(), other.items())
  }

  override hash(): string {
    return `r${this.repr()}`
  }
}

/** Slices of an item access: `a[1:2]`. */
export class Slice extends ObjectValue {
  readonly type = 'slice'
  readonly start: Value
  readonly stop: Value
  readonly step: Value

  constructor(start: Value, stop: Value, step: Value) {
    super()
    this.start = start
    this.stop = stop
    this.step = step
  }

  override hash(): undefined {
    return undefined
  }

  repr(runtime: Runtime): string {
    const parts = [this.start, this.stop, this.step].map((part) => repr(part, runtime))
    return `slice(${parts.join(', ')})`
  }
}
