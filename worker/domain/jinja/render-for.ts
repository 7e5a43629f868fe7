import { assign } from './assign.ts'
import { evaluate } from './evaluate.ts'
import { each, isTrue } from './iterate.ts'
import { Loop } from './loop.ts'
import type { ForNode, Statement } from './nodes.ts'
import { Scope } from './scope.ts'
import { typeError } from './template-error.ts'
import { Markup, type Runtime, Undefined, type Value } from './value.ts'

type RenderBody = (body: readonly Statement[], scope: Scope, runtime: Runtime) => string

export function renderFor(
  node: ForNode,
  scope: Scope,
  runtime: Runtime,
  renderBody: RenderBody,
): string {
  return renderItems(node, evaluate(node.iterable, scope, runtime), scope, runtime, renderBody, 0)
}

function renderItems(
  node: ForNode,
  iterable: Value,
  scope: Scope,
  runtime: Runtime,
  renderBody: RenderBody,
  depth: number,
): string {
  const items = wanted(node, iterable, scope, runtime)
  const loop = new Loop(items, depth)
  if (node.recursive) {
    loop.call = ({ positional: [inner] }) => {
      const text = runtime.meter.nested(() =>
        renderItems(node, inner ?? null, scope, runtime, renderBody, depth + 1),
      )
      return runtime.autoescape ? new Markup(text) : text
    }
  } else {
    loop.call = () => {
      throw typeError("The loop must have the 'recursive' marker to be called recursively.")
    }
  }
  const parts: string[] = []
  let length = 0
  for (const item of items) {
    runtime.meter.step()
    const inner = new Scope(scope)
    inner.set('loop', loop)
    assign(node.target, item, inner, runtime)
    const part = renderBody(node.body, inner, runtime)
    length += part.length
    runtime.meter.characters(length)
    parts.push(part)
    loop.advance()
  }
  return items.length === 0 ? renderBody(node.otherwise, new Scope(scope), runtime) : parts.join('')
}

/** The items that pass the loop's own `if`. */
function wanted(node: ForNode, iterable: Value, scope: Scope, runtime: Runtime): Value[] {
  const items: Value[] = []
  for (const item of each(iterable, runtime)) {
    if (node.test !== undefined) {
      const inner = new Scope(scope)
      inner.set('loop', new Undefined("'loop' is undefined"))
      assign(node.target, item, inner, runtime)
      if (!isTrue(evaluate(node.test, inner, runtime))) {
        continue
      }
    }
    items.push(item)
    runtime.meter.items(items.length % 1000 === 0 ? items.length : 0)
  }
  return items
}
