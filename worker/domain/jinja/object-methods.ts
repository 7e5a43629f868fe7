import { Tuple } from './collections.ts'
import { equal } from './compare.ts'
import { toFraction } from './exact-digits.ts'
import { countAll } from './reading.ts'
import { stringMethod } from './string-methods.ts'
import { valueError } from './template-error.ts'
import { asNumber, Callable, isText, type Value } from './value.ts'

/** Methods and attributes of texts, lists, tuples and numbers. */
export function objectMethod(of: Value, name: string): Value | undefined {
  if (isText(of)) {
    return stringMethod(of, name)
  }
  const items = Array.isArray(of) ? of : of instanceof Tuple ? of.items : undefined
  if (items !== undefined) {
    return listMethod(items, name)
  }
  const number = asNumber(of)
  return number === undefined ? undefined : numberAttribute(number, name)
}

function listMethod(items: Value[], name: string): Value | undefined {
  switch (name) {
    case 'count':
      return new Callable('built-in method count', ({ positional: [value] }, runtime) => {
        countAll([items], runtime)
        return BigInt(items.filter((item) => equal(item, value ?? null)).length)
      })
    case 'index':
      return new Callable('built-in method index', ({ positional: [value] }, runtime) => {
        countAll([items], runtime)
        const at = items.findIndex((item) => equal(item, value ?? null))
        if (at === -1) {
          throw valueError('value is not in list')
        }
        return BigInt(at)
      })
    case 'copy':
      return new Callable('built-in method copy', () => [...items])
    default:
      return undefined
  }
}

function numberAttribute(number: bigint | number, name: string): Value | undefined {
  const whole = typeof number === 'bigint'
  switch (name) {
    case 'real':
      return number
    case 'imag':
      return whole ? 0n : 0
    case 'numerator':
      return whole ? number : undefined
    case 'denominator':
      return whole ? 1n : undefined
    case 'conjugate':
      return new Callable('built-in method conjugate', () => number)
    case 'bit_length':
      return whole ? new Callable('built-in method bit_length', () => bitLength(number)) : undefined
    case 'is_integer':
      return whole
        ? undefined
        : new Callable('built-in method is_integer', () => Number.isInteger(number))
    case 'as_integer_ratio':
      return new Callable('built-in method as_integer_ratio', () => {
        const { numerator, denominator } = toFraction(number)
        return new Tuple([numerator, denominator])
      })
    default:
      return undefined
  }
}

function bitLength(number: bigint): bigint {
  return number === 0n ? 0n : BigInt((number < 0n ? -number : number).toString(2).length)
}
