import { each, isTrue } from '../iterate.ts'
import { TemplateError } from '../template-error.ts'
import { type Arguments, content, isText, type Runtime, Stream, type Value } from '../value.ts'
import type { Filters } from './filter.ts'
import { picker } from './pick.ts'

export const SELECTION_FILTERS: Filters = {
  map: (value, args, runtime) => new Stream(mapped(value, args, runtime)),
  select: (value, args, runtime) =>
    select(value, args, runtime, { wanted: true, attribute: false }),
  reject: (value, args, runtime) =>
    select(value, args, runtime, { wanted: false, attribute: false }),
  selectattr: (value, args, runtime) =>
    select(value, args, runtime, { wanted: true, attribute: true }),
  rejectattr: (value, args, runtime) =>
    select(value, args, runtime, { wanted: false, attribute: true }),
}

function* mapped(value: Value, args: Arguments, runtime: Runtime): Generator<Value> {
  if (!isTrue(value)) {
    return
  }
  const change = changeOf(args, runtime)
  for (const item of each(value, runtime)) {
    yield change(item)
  }
}

function changeOf(args: Arguments, runtime: Runtime): (item: Value) => Value {
  const [name, ...positional] = args.positional
  const attribute = args.named.get('attribute')
  if (name === undefined && attribute !== undefined) {
    const unknown = [...args.named.keys()].find((key) => key !== 'attribute' && key !== 'default')
    if (unknown !== undefined) {
      throw argumentError(`Unexpected keyword argument '${unknown}'`)
    }
    return picker(attribute, runtime, { otherwise: args.named.get('default') })
  }
  if (name === undefined) {
    throw argumentError('map requires a filter argument')
  }
  return (item) => runtime.filter(nameOf(name), item, { positional, named: args.named })
}

function select(
  value: Value,
  args: Arguments,
  runtime: Runtime,
  how: { wanted: boolean; attribute: boolean },
): Value {
  return new Stream(selected(value, args, runtime, how))
}

function* selected(
  value: Value,
  args: Arguments,
  runtime: Runtime,
  { wanted, attribute }: { wanted: boolean; attribute: boolean },
): Generator<Value> {
  if (!isTrue(value)) {
    return
  }
  const [path] = args.positional
  if (attribute && path === undefined) {
    throw argumentError('Missing parameter for attribute name')
  }
  const pick = attribute ? picker(path, runtime) : (item: Value) => item
  const [test, ...positional] = attribute ? args.positional.slice(1) : args.positional
  for (const item of each(value, runtime)) {
    const picked = pick(item)
    const passes =
      test === undefined
        ? isTrue(picked)
        : runtime.test(nameOf(test), picked, { positional, named: args.named })
    if (passes === wanted) {
      yield item
    }
  }
}

function nameOf(value: Value): string {
  return isText(value) ? content(value) : ''
}

function argumentError(message: string): TemplateError {
  return new TemplateError('FilterArgumentError', message)
}
