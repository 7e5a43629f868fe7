import { typeError } from './template-error.ts'
import { asNumber, ObjectValue, typeName, type Value } from './value.ts'

/** The same text for values that are the same key in Python: `1`, `1.0` and `True` are. */
export function hashKey(value: Value): string {
  if (typeof value === 'string') {
    return `s${value}`
  }
  if (value === null) {
    return 'none'
  }
  const number = asNumber(value)
  if (number !== undefined) {
    const whole = typeof number === 'bigint' || Number.isInteger(number)
    return `n${whole ? BigInt(number) : number}`
  }
  const hash = value instanceof ObjectValue ? value.hash() : undefined
  if (hash === undefined) {
    throw typeError(`unhashable type: '${typeName(value)}'`)
  }
  return hash ?? identity(value as ObjectValue)
}

const identities = new WeakMap<ObjectValue, string>()
let made = 0

function identity(value: ObjectValue): string {
  const known = identities.get(value)
  if (known !== undefined) {
    return known
  }
  made += 1
  identities.set(value, `o${made}`)
  return `o${made}`
}
