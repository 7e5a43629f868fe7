import { signed } from './arithmetic.ts'
import { Dict, Slice, Tuple } from './collections.ts'
import { equal, order } from './compare.ts'
import { isTrue, raiseUndefined, toList } from './iterate.ts'
import type { CallArguments, CompareOperator, Expression } from './nodes.ts'
import { concatenate, contains, operate } from './operators.ts'
import { countAll, countTexts } from './reading.ts'
import type { Scope } from './scope.ts'
import { typeError } from './template-error.ts'
import {
  type Arguments,
  content,
  isText,
  ObjectValue,
  orElse,
  type Runtime,
  typeName,
  Undefined,
  type Value,
} from './value.ts'

/** The value of an expression. */
export function evaluate(expression: Expression, scope: Scope, runtime: Runtime): Value {
  runtime.meter.step()
  return runtime.meter.nested(() => evaluateNode(expression, scope, runtime))
}

function evaluateNode(node: Expression, scope: Scope, runtime: Runtime): Value {
  const valueOf = (inner: Expression) => evaluate(inner, scope, runtime)
  switch (node.type) {
    case 'constant':
      return node.value
    case 'name':
      return orElse(scope.get(node.name), () => new Undefined(`'${node.name}' is undefined`))
    case 'list':
      return node.items.map(valueOf)
    case 'tuple':
      return new Tuple(node.items.map(valueOf))
    case 'dict': {
      const dict = new Dict()
      for (const { key, value } of node.entries) {
        const name = valueOf(key)
        countTexts([name], runtime)
        dict.set(name, valueOf(value))
      }
      return dict
    }
    case 'attribute':
      return runtime.getAttribute(valueOf(node.of), node.name)
    case 'item':
      return item(valueOf(node.of), valueOf(node.key), runtime)
    case 'slice': {
      const bound = (part: Expression | undefined) => (part === undefined ? null : valueOf(part))
      return new Slice(bound(node.start), bound(node.stop), bound(node.step))
    }
    case 'call':
      return call(valueOf(node.callee), evaluateArguments(node, scope, runtime), runtime)
    case 'filter':
      return runtime.filter(
        node.name,
        node.value === undefined ? '' : valueOf(node.value),
        evaluateArguments(node, scope, runtime),
      )
    case 'test':
      return runtime.test(node.name, valueOf(node.value), evaluateArguments(node, scope, runtime))
    case 'not':
      return !isTrue(valueOf(node.value))
    case 'negative':
      return signed('-', valueOf(node.value))
    case 'positive':
      return signed('+', valueOf(node.value))
    case 'and': {
      const left = valueOf(node.left)
      return isTrue(left) ? valueOf(node.right) : left
    }
    case 'or': {
      const left = valueOf(node.left)
      return isTrue(left) ? left : valueOf(node.right)
    }
    case 'binary':
      return operate(node.operator, valueOf(node.left), valueOf(node.right), runtime)
    case 'concat':
      return concatenate(node.items.map(valueOf), runtime)
    case 'compare':
      return compare(node, valueOf, runtime)
    default: {
      if (isTrue(valueOf(node.test))) {
        return valueOf(node.yes)
      }
      return node.no === undefined
        ? new Undefined(
            'the inline if-expression evaluated to false and no else section was defined.',
          )
        : valueOf(node.no)
    }
  }
}

function item(of: Value, key: Value, runtime: Runtime): Value {
  countTexts([of, key], runtime)
  return runtime.getItem(of, key)
}

/** A chain holds where each link holds; what comes after a broken one isn't looked at. */
function compare(
  node: Expression & { type: 'compare' },
  valueOf: (inner: Expression) => Value,
  runtime: Runtime,
): boolean {
  let left = valueOf(node.first)
  for (const { operator, value } of node.rest) {
    const right = valueOf(value)
    if (!holds(operator, left, right, runtime)) {
      return false
    }
    left = right
  }
  return true
}

function holds(operator: CompareOperator, left: Value, right: Value, runtime: Runtime): boolean {
  countAll(operator === 'in' || operator === 'notin' ? [left] : [left, right], runtime)
  switch (operator) {
    case 'eq':
      return equal(left, right)
    case 'ne':
      return !equal(left, right)
    case 'gt':
      return order(left, right, '>') > 0
    case 'gteq':
      return order(left, right, '>=') >= 0
    case 'lt':
      return order(left, right, '<') < 0
    case 'lteq':
      return order(left, right, '<=') <= 0
    case 'in':
      return contains(right, left, runtime)
    default:
      return !contains(right, left, runtime)
  }
}

export function call(callee: Value, args: Arguments, runtime: Runtime): Value {
  if (callee instanceof Undefined) {
    return raiseUndefined(callee)
  }
  if (!(callee instanceof ObjectValue) || callee.call === undefined) {
    throw typeError(`'${typeName(callee)}' object is not callable`)
  }
  const invoke = callee.call
  runtime.meter.step()
  return runtime.meter.nested(() => invoke(args, runtime))
}

export function evaluateArguments(node: CallArguments, scope: Scope, runtime: Runtime): Arguments {
  const positional = node.positional.map((argument) => evaluate(argument, scope, runtime))
  const named = new Map(
    node.named.map(({ name, value }) => [name, evaluate(value, scope, runtime)] as const),
  )
  if (node.spread !== undefined) {
    positional.push(...toList(evaluate(node.spread, scope, runtime), runtime))
  }
  if (node.spreadNamed !== undefined) {
    const more = evaluate(node.spreadNamed, scope, runtime)
    if (!(more instanceof Dict)) {
      throw typeError(`argument after ** must be a mapping, not ${typeName(more)}`)
    }
    for (const [key, value] of more.pairs()) {
      if (!isText(key)) {
        throw typeError('keywords must be strings')
      }
      named.set(content(key), value)
    }
  }
  return { positional, named }
}
