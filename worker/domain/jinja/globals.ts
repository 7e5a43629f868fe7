import { toCount } from './arguments.ts'
import { Dict, Range } from './collections.ts'
import { toList } from './iterate.ts'
import { TemplateError, typeError, valueError } from './template-error.ts'
import { repr } from './text.ts'
import { Callable, content, isText, ObjectValue, type Runtime, type Value } from './value.ts'

/** Prefect lets a template's range have no more items. */
const MAX_RANGE = 100

/** The functions that every template has. `lipsum` is not among them. */
export function globalFunctions(): Map<string, Value> {
  return new Map<string, Value>([
    ['range', new Callable('function range', ({ positional }) => range(positional), 'function')],
    [
      'dict',
      new Callable('class dict', ({ positional, named }, runtime) =>
        fill(new Dict(), positional[0], named, runtime),
      ),
    ],
    [
      'namespace',
      new Callable('class Namespace', ({ positional, named }, runtime) => {
        const values = fill(new Dict(), positional[0], named, runtime)
        return new Namespace(values)
      }),
    ],
    ['cycler', new Callable('class Cycler', ({ positional }) => new Cycler(positional))],
    [
      'joiner',
      new Callable('class Joiner', ({ positional, named }) => {
        return joiner(positional[0] ?? named.get('sep') ?? ', ')
      }),
    ],
  ])
}

function range(args: Value[]): Range {
  if (args.length < 1 || args.length > 3) {
    throw typeError(`range expected at least 1 argument, got ${args.length}`)
  }
  const [first, second, third] = args
  const start = second === undefined ? 0 : toCount(first, 0)
  const stop = second === undefined ? toCount(first, 0) : toCount(second, 0)
  const step = toCount(third, 1)
  if (step === 0) {
    throw valueError('range() arg 3 must not be zero')
  }
  const made = new Range(start, stop, step)
  if (made.length() > MAX_RANGE) {
    throw new TemplateError(
      'OverflowError',
      `Range too big. The sandbox blocks ranges larger than MAX_TEMPLATE_RANGE=${MAX_RANGE}.`,
    )
  }
  return made
}

function fill(
  dict: Dict,
  from: Value | undefined,
  named: ReadonlyMap<string, Value>,
  runtime: Runtime,
): Dict {
  if (from instanceof Dict) {
    for (const [key, value] of from.pairs()) {
      dict.set(key, value)
    }
  } else if (from !== undefined) {
    for (const pair of toList(from, runtime)) {
      const [key, value, ...more] = toList(pair, runtime)
      if (key === undefined || value === undefined || more.length > 0) {
        throw valueError('dictionary update sequence element has a wrong length; 2 is required')
      }
      dict.set(key, value)
    }
  }
  for (const [key, value] of named) {
    dict.set(key, value)
  }
  return dict
}

/** The one thing whose attributes a template may set. */
export class Namespace extends ObjectValue {
  readonly type = 'Namespace'
  private readonly values: Dict

  constructor(values: Dict) {
    super()
    this.values = values
  }

  set(name: string, value: Value): void {
    this.values.set(name, value)
  }

  repr(runtime: Runtime): string {
    return `<Namespace ${repr(this.values, runtime)}>`
  }

  override attribute(name: string): Value | undefined {
    return this.values.get(name)
  }
}

class Cycler extends ObjectValue {
  readonly type = 'Cycler'
  private readonly items: readonly Value[]
  private at = 0

  constructor(items: readonly Value[]) {
    super()
    if (items.length === 0) {
      throw new TemplateError('RuntimeError', 'at least one item has to be provided')
    }
    this.items = items
  }

  repr(): string {
    return '<Cycler>'
  }

  override attribute(name: string): Value | undefined {
    const current = this.items[this.at] ?? null
    switch (name) {
      case 'current':
        return current
      case 'pos':
        return BigInt(this.at)
      case 'next':
        return new Callable('bound method Cycler.next', () => {
          const item = this.items[this.at] ?? null
          this.at = (this.at + 1) % this.items.length
          return item
        })
      case 'reset':
        return new Callable('bound method Cycler.reset', () => {
          this.at = 0
          return null
        })
      default:
        return undefined
    }
  }
}

function joiner(separator: Value): Callable {
  let used = false
  return new Callable('Joiner', () => {
    const text = used && isText(separator) ? content(separator) : ''
    used = true
    return text
  })
}
