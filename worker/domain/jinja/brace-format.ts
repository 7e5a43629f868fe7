import { formatValue } from './format-spec.ts'
import { TemplateError, valueError } from './template-error.ts'
import { repr, toText } from './text.ts'
import { type Arguments, type Runtime, Undefined, type Value } from './value.ts'

/** Python's `text.format(…)`. */
export function formatBraces(format: string, args: Arguments, runtime: Runtime): string {
  const counter = { next: 0 }
  return runtime.meter.nested(() => fill(format, args, runtime, counter))
}

function fill(
  format: string,
  args: Arguments,
  runtime: Runtime,
  counter: { next: number },
): string {
  let text = ''
  let at = 0
  while (at < format.length) {
    runtime.meter.step()
    const character = format.charAt(at)
    if (character !== '{' && character !== '}') {
      const end = nextBrace(format, at)
      text += format.slice(at, end)
      at = end
    } else if (format.charAt(at + 1) === character) {
      text += character
      at += 2
    } else if (character === '}') {
      throw valueError("Single '}' encountered in format string")
    } else {
      const end = closing(format, at)
      text += field(format.slice(at + 1, end), args, runtime, counter)
      at = end + 1
    }
    runtime.meter.characters(text.length)
  }
  return text
}

function nextBrace(format: string, from: number): number {
  for (let at = from; at < format.length; at += 1) {
    if (format.charAt(at) === '{' || format.charAt(at) === '}') {
      return at
    }
  }
  return format.length
}

function closing(format: string, from: number): number {
  let open = 0
  for (let at = from; at < format.length; at += 1) {
    if (format.charAt(at) === '{') {
      open += 1
    } else if (format.charAt(at) === '}') {
      open -= 1
      if (open === 0) {
        return at
      }
    }
  }
  throw valueError(
    from === format.length - 1
      ? "Single '{' encountered in format string"
      : "expected '}' before end of string",
  )
}

const FIELD = /^([^!:]*)(?:!([^]))?(?::([^]*))?$/u

function field(
  source: string,
  args: Arguments,
  runtime: Runtime,
  counter: { next: number },
): string {
  const parsed = FIELD.exec(source)
  if (parsed === null) {
    throw valueError("expected ':' after conversion specifier")
  }
  const [, path = '', conversion, spec = ''] = parsed
  const value = lookUp(path, args, runtime, counter)
  const inner = spec.includes('{')
    ? runtime.meter.nested(() => fill(spec, args, runtime, counter))
    : spec
  if (conversion === undefined) {
    // An undefined value is empty whatever its format would be.
    return value instanceof Undefined && inner === '' ? '' : formatValue(value, inner, runtime)
  }
  if (!'sra'.includes(conversion)) {
    throw valueError(`Unknown conversion specifier ${conversion}`)
  }
  return formatValue(
    conversion === 's' ? toText(value, runtime) : repr(value, runtime),
    inner,
    runtime,
  )
}

const PART = /\.([^.[\]]+)|\[([^\]]+)\]/y

function lookUp(path: string, args: Arguments, runtime: Runtime, counter: { next: number }): Value {
  const first = /^[^.[]*/.exec(path)?.[0] ?? ''
  let value = argument(first, args, counter)
  PART.lastIndex = first.length
  while (PART.lastIndex < path.length) {
    const part = PART.exec(path)
    if (part === null) {
      throw valueError('Empty attribute in format string')
    }
    value =
      part[1] === undefined
        ? runtime.getItem(value, toKey(part[2] ?? ''))
        : runtime.getAttribute(value, part[1])
  }
  return value
}

function argument(name: string, args: Arguments, counter: { next: number }): Value {
  if (name === '' || /^\d+$/.test(name)) {
    const index = name === '' ? counter.next : Number(name)
    counter.next += name === '' ? 1 : 0
    const value = args.positional[index]
    if (value === undefined) {
      throw new TemplateError(
        'IndexError',
        `Replacement index ${index} out of range for positional args tuple`,
      )
    }
    return value
  }
  const value = args.named.get(name)
  if (value === undefined) {
    throw new TemplateError('KeyError', `'${name}'`)
  }
  return value
}

function toKey(text: string): Value {
  return /^\d+$/.test(text) ? BigInt(text) : text
}
