import type { BinaryOperator } from './nodes.ts'
import { ObjectValue, type Value } from './value.ts'

/** Times and spans of time, which can be added and subtracted. */
export abstract class WithArithmetic extends ObjectValue {
  abstract operate(operator: BinaryOperator, right: Value): Value | undefined
}

export function hasArithmetic(value: Value): value is WithArithmetic {
  return value instanceof WithArithmetic
}
