import { floatText } from './float-text.ts'
import { quote } from './quote.ts'
import { EnumMember, Markup, ObjectValue, type Runtime, type Value } from './value.ts'

/** Python's str(). */
export function toText(value: Value, runtime: Runtime): string {
  if (typeof value === 'string') {
    return value
  }
  return value instanceof ObjectValue
    ? measured(value.text(runtime), runtime)
    : repr(value, runtime)
}

/** Python's repr(). */
export function repr(value: Value, runtime: Runtime): string {
  runtime.meter.step()
  switch (typeof value) {
    case 'string':
      return measured(quote(value), runtime)
    case 'boolean':
      return value ? 'True' : 'False'
    case 'number':
      return floatText(value)
    case 'bigint':
      return value.toString()
    default:
      return value === null ? 'None' : objectRepr(value, runtime)
  }
}

function objectRepr(value: Value[] | ObjectValue, runtime: Runtime): string {
  return runtime.meter.nested(() => {
    if (Array.isArray(value)) {
      return measured(`[${value.map((item) => repr(item, runtime)).join(', ')}]`, runtime)
    }
    if (value instanceof Markup && !(value instanceof EnumMember)) {
      return `Markup(${quote(value.content)})`
    }
    return measured(value.repr(runtime), runtime)
  })
}

function measured(text: string, runtime: Runtime): string {
  runtime.meter.characters(text.length)
  return text
}
