import { Namespace } from './globals.ts'
import { toList } from './iterate.ts'
import type { Target } from './nodes.ts'
import type { Scope } from './scope.ts'
import { TemplateError, valueError } from './template-error.ts'
import type { Runtime, Value } from './value.ts'

/** Gives a value its name or, taken apart, its names. */
export function assign(target: Target, value: Value, scope: Scope, runtime: Runtime): void {
  if (target.type === 'name') {
    scope.set(target.name, value)
    return
  }
  if (target.type === 'member') {
    const namespace = scope.get(target.name)
    if (!(namespace instanceof Namespace)) {
      throw new TemplateError(
        'TemplateRuntimeError',
        'cannot assign attribute on non-namespace object',
      )
    }
    namespace.set(target.attribute, value)
    return
  }
  const items = toList(value, runtime)
  const { length } = target.items
  if (items.length !== length) {
    throw valueError(
      items.length > length
        ? `too many values to unpack (expected ${length})`
        : `not enough values to unpack (expected ${length}, got ${items.length})`,
    )
  }
  for (const [index, part] of target.items.entries()) {
    assign(part, items[index] ?? null, scope, runtime)
  }
}
