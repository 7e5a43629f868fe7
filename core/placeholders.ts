import type { Json, JsonObject } from './wire/common.ts'

const PLACEHOLDER = /\{\{\s*([\p{L}\p{N}_.\-[\]$]+)\s*\}\}/gu
const LONE_PLACEHOLDER = /^\{\{\s*([\p{L}\p{N}_.\-[\]$]+)\s*\}\}$/u

/** The names in all `{{ placeholders }}` of a template, each once, in the order of their appearance. */
export function placeholderNames(template: Json): string[] {
  const names = new Set<string>()
  const visit = (value: Json): void => {
    if (typeof value === 'string') {
      for (const match of value.matchAll(PLACEHOLDER)) {
        names.add(match[1] ?? '')
      }
    } else if (typeof value === 'object' && value !== null) {
      for (const item of Object.values(value)) {
        visit(item)
      }
    }
  }
  visit(template)
  return [...names]
}

/**
 * Fills placeholders with values found by their names (`a.b[0]` goes into objects and lists). One that is the whole text is
 * replaced by the value itself, or undefined when there is none, and then its key or item goes; inside a text it is
 * replaced by the value as text, or by nothing. Values are not searched for placeholders in turn.
 */
export function applyValues(template: Json, values: JsonObject): Json | undefined {
  if (typeof template === 'string') {
    return applyToText(template, values)
  }
  if (Array.isArray(template)) {
    return template.map((item) => applyValues(item, values)).filter((item) => item !== undefined)
  }
  if (typeof template === 'object' && template !== null) {
    return Object.fromEntries(
      Object.entries(template).flatMap(([key, value]) => {
        const filled = applyValues(value, values)
        return filled === undefined ? [] : [[key, filled]]
      }),
    )
  }
  return template
}

function applyToText(template: string, values: JsonObject): Json | undefined {
  const lone = LONE_PLACEHOLDER.exec(template)?.[1]
  if (lone !== undefined && !isResolvedElsewhere(lone)) {
    return valueAt(values, lone)
  }
  return template.replaceAll(PLACEHOLDER, (whole, name: string) => {
    if (isResolvedElsewhere(name)) {
      return whole
    }
    const value = valueAt(values, name)
    return value === undefined ? '' : pythonText(value)
  })
}

function isResolvedElsewhere(name: string): boolean {
  return (
    name.startsWith('prefect.blocks.') ||
    name.startsWith('prefect.variables.') ||
    name.startsWith('$')
  )
}

function valueAt(values: JsonObject, name: string): Json | undefined {
  let current: Json | undefined = values
  for (const key of name.replaceAll('[', '.').replaceAll(']', '').split('.')) {
    if (Array.isArray(current)) {
      current = /^-?\d+$/.test(key) ? current.at(Number(key)) : undefined
    } else if (typeof current === 'object' && current !== null && Object.hasOwn(current, key)) {
      current = current[key]
    } else {
      return undefined
    }
  }
  return current
}

/** A value as text the way Prefect's worker writes it, which is Python: `True`, `None`, `{'a': 1}`. */
export function pythonText(value: Json): string {
  return typeof value === 'string' ? value : pythonLiteral(value)
}

function pythonLiteral(value: Json): string {
  if (value === null) {
    return 'None'
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False'
  }
  if (typeof value === 'number') {
    return String(value)
  }
  if (typeof value === 'string') {
    return pythonQuoted(value)
  }
  return Array.isArray(value)
    ? `[${value.map(pythonLiteral).join(', ')}]`
    : `{${Object.entries(value)
        .map(([key, item]) => `${pythonQuoted(key)}: ${pythonLiteral(item)}`)
        .join(', ')}}`
}

function pythonQuoted(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
  return escaped.includes("'") && !escaped.includes('"')
    ? `"${escaped}"`
    : `'${escaped.replaceAll("'", "\\'")}'`
}
