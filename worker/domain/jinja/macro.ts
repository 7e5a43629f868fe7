import { Dict, Tuple } from './collections.ts'
import { evaluate } from './evaluate.ts'
import type { Signature, Statement } from './nodes.ts'
import { Scope } from './scope.ts'
import { typeError } from './template-error.ts'
import { usesName } from './uses-name.ts'
import {
  type Arguments,
  Markup,
  ObjectValue,
  orElse,
  type Runtime,
  Undefined,
  type Value,
} from './value.ts'

type RenderBody = (body: readonly Statement[], scope: Scope, runtime: Runtime) => string

/** A macro as a value: called, it renders its body with its arguments. */
export class Macro extends ObjectValue {
  readonly type = 'Macro'
  readonly macroName: string

  constructor(name: string, call: (args: Arguments) => Value) {
    super()
    this.macroName = name
    this.call = call
  }

  repr(): string {
    return `<Macro '${this.macroName}'>`
  }

  override attribute(name: string): Value | undefined {
    return name === 'name' ? this.macroName : undefined
  }
}

export function macroOf(
  name: string,
  { signature, body }: { signature: Signature; body: Statement[] },
  scope: Scope,
  runtime: Runtime,
  renderBody: RenderBody,
): Macro {
  const takes = {
    caller: usesName(body, 'caller'),
    kwargs: usesName(body, 'kwargs'),
    varargs: usesName(body, 'varargs'),
  }
  return new Macro(name, (args) => {
    const inner = new Scope(scope)
    bindSignature(name, signature, args, inner, takes, runtime)
    const text = renderBody(body, inner, runtime)
    return runtime.autoescape ? new Markup(text) : text
  })
}

function bindSignature(
  name: string,
  { names, defaults }: Signature,
  args: Arguments,
  scope: Scope,
  takes: { caller: boolean; kwargs: boolean; varargs: boolean },
  runtime: Runtime,
): void {
  const named = new Map(args.named)
  const firstDefault = names.length - defaults.length
  for (const [index, parameter] of names.entries()) {
    const fallback = defaults[index - firstDefault]
    const given = index < args.positional.length ? args.positional[index] : named.get(parameter)
    named.delete(parameter)
    scope.set(
      parameter,
      orElse(given, () =>
        fallback === undefined
          ? new Undefined(`parameter '${parameter}' was not provided`)
          : evaluate(fallback, scope, runtime),
      ),
    )
  }
  if (takes.caller && !names.includes('caller')) {
    scope.set(
      'caller',
      orElse(named.get('caller'), () => new Undefined('No caller defined')),
    )
    named.delete('caller')
  }
  if (takes.kwargs) {
    const rest = new Dict()
    for (const [key, value] of named) {
      rest.set(key, value)
    }
    scope.set('kwargs', rest)
  } else if (named.size > 0) {
    const [unknown] = named.keys()
    throw typeError(
      unknown === 'caller'
        ? `macro '${name}' was invoked with two values for the special caller argument. This is most likely a bug.`
        : `macro '${name}' takes no keyword argument '${unknown}'`,
    )
  }
  if (takes.varargs) {
    scope.set('varargs', new Tuple(args.positional.slice(names.length)))
  } else if (args.positional.length > names.length) {
    throw typeError(`macro '${name}' takes not more than ${names.length} argument(s)`)
  }
}
