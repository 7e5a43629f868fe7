import { characters } from './characters.ts'
import type { Meter } from './limits.ts'
import { TemplateError } from './template-error.ts'

/**
 * A value as Python has it. Whole numbers are bigint and floats are number, so that `1` and `1.0` differ;
 * a list is an array.
 */
export type Value = null | boolean | bigint | number | string | Value[] | ObjectValue

/** What evaluation needs beside the values. */
export interface Runtime {
  readonly meter: Meter
  /** Microseconds; undefined where the caller doesn't tell the time. */
  readonly now: number | undefined
  readonly random: (() => number) | undefined
  /** Where the console is, for links. */
  readonly uiUrl: string | undefined
  autoescape: boolean
  /** `of.name` and `of[key]`; here since texts can be formats that look things up. */
  getAttribute(of: Value, name: string): Value
  getItem(of: Value, key: Value): Value
  filter(name: string, value: Value, args: Arguments): Value
  test(name: string, value: Value, args: Arguments): boolean
}

export interface Arguments {
  positional: Value[]
  named: Map<string, Value>
}

/** All values that are neither scalars nor lists. What a kind doesn't have is left as it is here. */
export abstract class ObjectValue {
  /** The name of its class in Python. */
  abstract readonly type: string

  abstract repr(runtime: Runtime): string

  text(runtime: Runtime): string {
    return this.repr(runtime)
  }

  isTrue(): boolean {
    return (this.length() ?? 1) > 0
  }

  length(): number | undefined {
    return undefined
  }

  iterate(_runtime: Runtime): Iterator<Value> | undefined {
    return undefined
  }

  attribute(_name: string, _runtime: Runtime): Value | undefined {
    return undefined
  }

  item(_key: Value, _runtime: Runtime): Value | undefined {
    return undefined
  }

  equals(other: Value): boolean {
    return this === other
  }

  /** Its own answer to `in`. */
  contains: ((value: Value) => boolean) | undefined = undefined

  /** The items of a tuple, which is compared item by item. */
  sequence(): Value[] | undefined {
    return undefined
  }

  /** Less than, equal or greater than zero; undefined where the two have no order. */
  order(_other: Value): number | undefined {
    return undefined
  }

  /** The same text for equal keys of a dict; undefined where it is no key; null where only itself is the same. */
  hash(): string | null | undefined {
    return null
  }

  call: ((args: Arguments, runtime: Runtime) => Value) | undefined = undefined
}

/** A text that is HTML already. */
export class Markup extends ObjectValue {
  readonly type = 'Markup'
  readonly content: string

  constructor(html: string) {
    super()
    this.content = html
  }

  repr(): string {
    return `Markup(${this.content})`
  }

  override text(): string {
    return this.content
  }

  override length(): number {
    return characters(this.content).length
  }

  override hash(): string {
    return `s${this.content}`
  }

  override equals(other: Value): boolean {
    return other === this.content || (other instanceof Markup && other.content === this.content)
  }
}

/** A member of one of Prefect's enumerations: a text that shows itself with the name of its enumeration. */
export class EnumMember extends Markup {
  private readonly enumeration: string

  constructor(enumeration: string, value: string) {
    super(value)
    this.enumeration = enumeration
  }

  override repr(): string {
    return `${this.enumeration}.${this.content}`
  }

  override text(): string {
    return this.repr()
  }

  override attribute(name: string): Value | undefined {
    return name === 'value' || name === 'name' ? this.content : undefined
  }
}

/** What isn't there: renders empty, and so does all that is looked up in it. */
export class Undefined extends ObjectValue {
  readonly type = 'ChainableUndefined'
  readonly message: string
  readonly kind: string

  constructor(message: string, kind = 'UndefinedError') {
    super()
    this.message = message
    this.kind = kind
  }

  repr(): string {
    return 'Undefined'
  }

  override text(): string {
    return ''
  }

  override length(): number {
    return 0
  }

  override iterate(): Iterator<Value> {
    return [][Symbol.iterator]()
  }

  override attribute(name: string): Value | undefined {
    return name.startsWith('__') ? undefined : this
  }

  override item(): Value {
    return this
  }

  override equals(other: Value): boolean {
    return other instanceof Undefined
  }

  override hash(): string {
    return 'u'
  }
}

export class Callable extends ObjectValue {
  readonly type: string
  private readonly description: string

  constructor(
    description: string,
    call: (args: Arguments, runtime: Runtime) => Value,
    type = 'builtin_function_or_method',
  ) {
    super()
    this.description = description
    this.type = type
    this.call = call
  }

  repr(): string {
    return `<${this.description}>`
  }
}

/** An iterator: what has been read of it is gone. */
export class Stream extends ObjectValue {
  readonly type = 'generator'
  private readonly values: Iterator<Value>

  constructor(values: Iterator<Value>) {
    super()
    this.values = values
  }

  repr(): string {
    return '<generator object>'
  }

  override iterate(): Iterator<Value> {
    return this.values
  }
}

export function isText(value: Value | undefined): value is string | Markup {
  return typeof value === 'string' || value instanceof Markup
}

export function content(value: string | Markup): string {
  return typeof value === 'string' ? value : value.content
}

/** The first value that is there; None is one. */
export function orElse(value: Value | undefined, otherwise: () => Value): Value {
  return value === undefined ? otherwise() : value
}

/** Undefined unless it is a number, in Python's sense: a bool is one. */
export function asNumber(value: Value): bigint | number | undefined {
  if (typeof value === 'boolean') {
    return value ? 1n : 0n
  }
  return typeof value === 'bigint' || typeof value === 'number' ? value : undefined
}

/** Undefined unless it is a whole number. */
export function asInteger(value: Value | undefined): bigint | undefined {
  if (typeof value === 'boolean') {
    return value ? 1n : 0n
  }
  return typeof value === 'bigint' ? value : undefined
}

export function assertDefined(value: Value): void {
  if (value instanceof Undefined) {
    throw new TemplateError(value.kind, value.message)
  }
}

export function typeName(value: Value): string {
  if (value === null) {
    return 'NoneType'
  }
  if (Array.isArray(value)) {
    return 'list'
  }
  if (value instanceof ObjectValue) {
    return value.type
  }
  return { boolean: 'bool', bigint: 'int', number: 'float', string: 'str' }[
    typeof value as 'boolean' | 'bigint' | 'number' | 'string'
  ]
}
