import { asInteger, type Arguments, type Value } from './value.ts'
import { isTrue } from './iterate.ts'
import { typeError } from './template-error.ts'
import { content, isText, typeName } from './value.ts'

/** The arguments of a call by the names of its parameters; those that were not given are undefined. */
export function bind<const Name extends string>(
  args: Arguments,
  names: readonly Name[],
  required: number,
  of: string,
): Partial<Record<Name, Value>> {
  const found: Partial<Record<Name, Value>> = {}
  if (args.positional.length > names.length) {
    throw typeError(
      `${of}() takes ${names.length} positional arguments but ${args.positional.length} were given`,
    )
  }
  for (const [index, value] of args.positional.entries()) {
    const name = names[index]
    if (name !== undefined) {
      found[name] = value
    }
  }
  for (const [key, value] of args.named) {
    const name = names.find((candidate) => candidate === key)
    if (name === undefined) {
      throw typeError(`${of}() got an unexpected keyword argument '${key}'`)
    }
    if (found[name] !== undefined) {
      throw typeError(`${of}() got multiple values for argument '${key}'`)
    }
    found[name] = value
  }
  const missing = names.slice(0, required).filter((name) => found[name] === undefined)
  if (missing.length > 0) {
    throw typeError(
      `${of}() missing ${missing.length} required positional argument${missing.length > 1 ? 's' : ''}: ${missing.map((name) => `'${name}'`).join(' and ')}`,
    )
  }
  return found
}

/** A whole number that is small enough to count with. */
export function toCount(value: Value | undefined, otherwise: number): number {
  if (value === undefined) {
    return otherwise
  }
  const whole = asInteger(value)
  if (whole === undefined) {
    throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`)
  }
  return Number(BigInt.asIntN(53, whole > MAX ? MAX : whole < -MAX ? -MAX : whole))
}

const MAX = 2n ** 50n

export function toFlag(value: Value | undefined, otherwise = false): boolean {
  return value === undefined ? otherwise : isTrue(value)
}

export function toPlain(value: Value | undefined, of: string): string {
  if (value === undefined || !isText(value)) {
    throw typeError(`${of} must be str, not ${value === undefined ? 'nothing' : typeName(value)}`)
  }
  return content(value)
}

/** Undefined where nothing or None was given. */
export function optional(value: Value | undefined): Exclude<Value, null> | undefined {
  return value === null ? undefined : value
}
