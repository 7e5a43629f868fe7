import type { BinaryOperator } from './nodes.ts'
import { limitError, TemplateError, typeError } from './template-error.ts'
import { asNumber, type Runtime, typeName, Undefined, type Value } from './value.ts'

/** Python prints no longer whole numbers, so that there's no use in making them. */
const BOUND_DIGITS = 4300
const BOUND = 10n ** BigInt(BOUND_DIGITS)

/** What a number of some thousand digits takes, where it is multiplied, divided or raised. */
const LARGE_STEPS = 100
const LARGE = 2n ** 128n

function isLarge(value: bigint): boolean {
  return value > LARGE || value < -LARGE
}

/** An operator between two numbers. */
export function calculate(
  operator: BinaryOperator,
  left: bigint | number,
  right: bigint | number,
  runtime: Runtime,
): bigint | number {
  if (typeof left === 'bigint' && typeof right === 'bigint') {
    runtime.meter.step(isLarge(left) || isLarge(right) ? LARGE_STEPS : 1)
    return bounded(wholeNumbers(operator, left, right))
  }
  return floats(operator, Number(left), Number(right))
}

function bounded(value: bigint | number): bigint | number {
  if (typeof value === 'bigint' && (value >= BOUND || value <= -BOUND)) {
    throw limitError(`The template makes a number of more than ${BOUND_DIGITS} digits.`)
  }
  return value
}

function wholeNumbers(operator: BinaryOperator, left: bigint, right: bigint): bigint | number {
  switch (operator) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return divide(left, right)
    case '//':
      return floorDivide(left, right, 'integer division or modulo by zero')
    case '%':
      return left - right * floorDivide(left, right, 'integer modulo by zero')
    default:
      return power(left, right)
  }
}

function divide(left: bigint, right: bigint): number {
  if (right === 0n) {
    throw byZero('division by zero')
  }
  const quotient = Number(left) / Number(right)
  if (!Number.isFinite(quotient)) {
    throw new TemplateError('OverflowError', 'integer division result too large for a float')
  }
  return quotient
}

function floorDivide(left: bigint, right: bigint, message: string): bigint {
  if (right === 0n) {
    throw byZero(message)
  }
  const quotient = left / right
  return left % right !== 0n && left < 0n !== right < 0n ? quotient - 1n : quotient
}

function power(left: bigint, right: bigint): bigint | number {
  if (right < 0n) {
    return floats('**', Number(left), Number(right))
  }
  const digits = (left < 0n ? -left : left).toString().length
  const isTiny = left >= -1n && left <= 1n
  if (!isTiny && (right > BOUND_DIGITS * 4 || (digits - 1) * Number(right) > BOUND_DIGITS)) {
    throw limitError(`The template makes a number of more than ${BOUND_DIGITS} digits.`)
  }
  return isTiny ? left ** (right % 2n === 0n ? 2n * BigInt(right > 0n) : 1n) : left ** right
}

function floats(operator: BinaryOperator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return nonZero(left, right, 'float division by zero') / right
    case '//':
      return Math.floor(nonZero(left, right, 'float floor division by zero') / right)
    case '%': {
      const rest = nonZero(left, right, 'float modulo') % right
      return rest !== 0 && rest < 0 !== right < 0 ? rest + right : rest
    }
    default:
      return floatPower(left, right)
  }
}

function nonZero(left: number, right: number, message: string): number {
  if (right === 0) {
    throw byZero(message)
  }
  return left
}

function floatPower(left: number, right: number): number {
  if (left === 0 && right < 0) {
    throw byZero('0.0 cannot be raised to a negative power')
  }
  const result = left ** right
  if (Number.isNaN(result) && !Number.isNaN(left) && !Number.isNaN(right)) {
    throw typeError('complex numbers are not offered')
  }
  if (!Number.isFinite(result) && Number.isFinite(left) && Number.isFinite(right)) {
    throw new TemplateError('OverflowError', "(34, 'Numerical result out of range')")
  }
  return result
}

function byZero(message: string): TemplateError {
  return new TemplateError('ZeroDivisionError', message)
}

export function unsupported(operator: string, left: Value, right: Value): TemplateError {
  for (const value of [left, right]) {
    if (value instanceof Undefined) {
      return new TemplateError(value.kind, value.message)
    }
  }
  const name = operator === '**' ? '** or pow()' : operator
  return typeError(
    `unsupported operand type(s) for ${name}: '${typeName(left)}' and '${typeName(right)}'`,
  )
}

/** `-x` and `+x`. */
export function signed(operator: '-' | '+', value: Value): Value {
  if (value instanceof Undefined) {
    throw new TemplateError(value.kind, value.message)
  }
  const number = asNumber(value)
  if (number === undefined) {
    throw typeError(`bad operand type for unary ${operator}: '${typeName(value)}'`)
  }
  return operator === '-' ? -number : number
}
