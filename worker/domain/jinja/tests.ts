import { calculate } from './arithmetic.ts'
import { Dict, Range, Tuple } from './collections.ts'
import { equal, order } from './compare.ts'
import { FILTERS } from './filters/all.ts'
import { LabelDiver } from './labels.ts'
import { tryIterate, tryLength } from './iterate.ts'
import { contains } from './operators.ts'
import { isLower, isUpper } from './string-kinds.ts'
import { TemplateError, typeError } from './template-error.ts'
import { toText } from './text.ts'
import {
  asNumber,
  content,
  isText,
  Markup,
  ObjectValue,
  type Runtime,
  typeName,
  Undefined,
  type Value,
} from './value.ts'

type Test = (value: Value, args: Value[], runtime: Runtime) => boolean

const equals: Test = (value, [other]) => equal(value, need(other))
const differs: Test = (value, [other]) => !equal(value, need(other))
const greater: Test = (value, [other]) => order(value, need(other), '>') > 0
const atLeast: Test = (value, [other]) => order(value, need(other), '>=') >= 0
const less: Test = (value, [other]) => order(value, need(other), '<') < 0
const atMost: Test = (value, [other]) => order(value, need(other), '<=') <= 0

/** Every test by its name. */
export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['odd', (value, _args, runtime) => remainder(value, 2n, runtime) === 1],
  ['even', (value, _args, runtime) => remainder(value, 2n, runtime) === 0],
  ['divisibleby', (value, [by], runtime) => remainder(value, need(by), runtime) === 0],
  ['defined', (value) => !(value instanceof Undefined)],
  ['undefined', (value) => value instanceof Undefined],
  ['filter', (value) => isText(value) && FILTERS.has(content(value))],
  ['test', (value) => isText(value) && TESTS.has(content(value))],
  ['none', (value) => value === null],
  ['boolean', (value) => typeof value === 'boolean'],
  ['false', (value) => value === false],
  ['true', (value) => value === true],
  ['integer', (value) => typeof value === 'bigint'],
  ['float', (value) => typeof value === 'number'],
  ['lower', (value, _args, runtime) => isLower(toText(value, runtime))],
  ['upper', (value, _args, runtime) => isUpper(toText(value, runtime))],
  ['string', (value) => isText(value)],
  ['mapping', (value) => value instanceof Dict],
  ['number', (value) => asNumber(value) !== undefined],
  ['sequence', isSequence],
  ['iterable', (value, _args, runtime) => tryIterate(value, runtime) !== undefined],
  [
    'callable',
    (value) =>
      value instanceof ObjectValue && (value.call !== undefined || value instanceof Undefined),
  ],
  ['sameas', (value, [other]) => isSame(value, need(other))],
  ['escaped', (value) => value instanceof Markup || value instanceof Undefined],
  ['in', (value, [container], runtime) => contains(need(container), value, runtime)],
  ['==', equals],
  ['eq', equals],
  ['equalto', equals],
  ['!=', differs],
  ['ne', differs],
  ['>', greater],
  ['gt', greater],
  ['greaterthan', greater],
  ['>=', atLeast],
  ['ge', atLeast],
  ['<', less],
  ['lt', less],
  ['lessthan', less],
  ['<=', atMost],
  ['le', atMost],
])

function need(value: Value | undefined): Value {
  if (value === undefined) {
    throw typeError('missing 1 required positional argument')
  }
  return value
}

function remainder(value: Value, by: Value, runtime: Runtime): number {
  const [number, divisor] = [asNumber(value), asNumber(by)]
  if (number === undefined || divisor === undefined) {
    if (isText(value)) {
      throw typeError('not all arguments converted during string formatting')
    }
    throw value instanceof Undefined
      ? new TemplateError(value.kind, value.message)
      : typeError(`unsupported operand type(s) for %: '${typeName(value)}' and '${typeName(by)}'`)
  }
  return Number(calculate('%', number, divisor, runtime))
}

function isSequence(value: Value): boolean {
  const indexed =
    isText(value) ||
    Array.isArray(value) ||
    value instanceof Tuple ||
    value instanceof Dict ||
    value instanceof Range ||
    value instanceof LabelDiver ||
    value instanceof Undefined
  return indexed && tryLength(value) !== undefined
}

/** Python keeps small whole numbers and short texts once; identity of other scalars is an accident there. */
function isSame(value: Value, other: Value): boolean {
  return typeof value === typeof other && value === other
}
