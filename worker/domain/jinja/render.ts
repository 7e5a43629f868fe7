import { escapeHtml } from './escape.ts'
import { call, evaluate, evaluateArguments } from './evaluate.ts'
import { isTrue } from './iterate.ts'
import { macroOf } from './macro.ts'
import type { Expression, Statement, Target } from './nodes.ts'
import { renderFor } from './render-for.ts'
import { Scope } from './scope.ts'
import { assign } from './assign.ts'
import { TemplateError, typeError } from './template-error.ts'
import { toText } from './text.ts'
import { content, isText, Markup, type Runtime, typeName, type Value } from './value.ts'

/** The text of statements. */
export function renderBody(body: readonly Statement[], scope: Scope, runtime: Runtime): string {
  const parts: string[] = []
  let length = 0
  for (const statement of body) {
    runtime.meter.step()
    const part = runtime.meter.nested(() => renderStatement(statement, scope, runtime))
    length += part.length
    runtime.meter.characters(length)
    parts.push(part)
  }
  return parts.join('')
}

function renderStatement(node: Statement, scope: Scope, runtime: Runtime): string {
  switch (node.type) {
    case 'data':
      return node.text
    case 'print':
      return output(evaluate(node.value, scope, runtime), runtime)
    case 'set':
      assign(node.target, evaluate(node.value, scope, runtime), scope, runtime)
      return ''
    case 'set_block': {
      const text = block(node.body, scope, runtime)
      const value =
        node.filter === undefined ? text : filterBlock(node.filter, text, scope, runtime)
      assign(node.target, value, scope, runtime)
      return ''
    }
    case 'for':
      return renderFor(node, scope, runtime, renderBody)
    case 'if': {
      const branch = node.branches.find(({ test }) => isTrue(evaluate(test, scope, runtime)))
      return renderBody(branch?.body ?? node.otherwise, scope, runtime)
    }
    case 'with':
      return renderWith(node.targets, node.values, node.body, scope, runtime)
    case 'macro':
      scope.set(node.name, macroOf(node.name, node, scope, runtime, renderBody))
      return ''
    case 'call_block': {
      const caller = macroOf('caller', node, scope, runtime, renderBody)
      const callee = evaluate(node.call.callee, scope, runtime)
      const args = evaluateArguments(node.call, scope, runtime)
      args.named.set('caller', caller)
      return output(call(callee, args, runtime), runtime)
    }
    case 'filter_block': {
      const text = block(node.body, scope, runtime)
      const filtered = filterBlock(node.filter, text, scope, runtime)
      if (!isText(filtered)) {
        throw typeError(`sequence item 0: expected str instance, ${typeName(filtered)} found`)
      }
      return content(filtered)
    }
    case 'autoescape':
      return renderEscaping(isTrue(evaluate(node.value, scope, runtime)), node.body, scope, runtime)
    case 'block':
      return renderBody(node.body, new Scope(scope), runtime)
    default:
      throw typeError('no loader for this environment specified')
  }
}

/** A value as it stands in the text. */
function output(value: Value, runtime: Runtime): string {
  return runtime.autoescape ? escapeHtml(value, runtime) : toText(value, runtime)
}

function block(body: readonly Statement[], scope: Scope, runtime: Runtime): Value {
  const text = renderBody(body, new Scope(scope), runtime)
  return runtime.autoescape ? new Markup(text) : text
}

function filterBlock(
  filter: Expression & { type: 'filter' },
  text: Value,
  scope: Scope,
  runtime: Runtime,
): Value {
  const input =
    filter.value?.type === 'filter' ? filterBlock(filter.value, text, scope, runtime) : text
  return runtime.filter(filter.name, input, evaluateArguments(filter, scope, runtime))
}

function renderWith(
  targets: readonly Target[],
  values: readonly Expression[],
  body: readonly Statement[],
  scope: Scope,
  runtime: Runtime,
): string {
  const given = values.map((value) => evaluate(value, scope, runtime))
  const inner = new Scope(scope)
  for (const [index, target] of targets.entries()) {
    assign(target, given[index] ?? null, inner, runtime)
  }
  return renderBody(body, inner, runtime)
}

function renderEscaping(
  autoescape: boolean,
  body: readonly Statement[],
  scope: Scope,
  runtime: Runtime,
): string {
  const before = runtime.autoescape
  runtime.autoescape = autoescape
  try {
    return renderBody(body, new Scope(scope), runtime)
  } finally {
    runtime.autoescape = before
  }
}

/** Anything else that goes wrong in here, a stack that is full above all, is the template's fault too. */
export function toTemplateError(error: unknown): TemplateError {
  return error instanceof TemplateError
    ? error
    : new TemplateError('RuntimeError', error instanceof Error ? error.message : String(error))
}
