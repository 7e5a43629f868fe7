import type { Json, JsonObject } from '../../core/wire/common.ts'
import { isObject, numberText } from './exact-json.ts'
import { pythonJson } from './python-json.ts'

/**
 * The text whose SHA-256 is the checksum of a block schema, bit for bit as Prefect's client makes it, which looks schemas up by
 * it: without the lists of secret fields, and of the definitions only those in use that are no blocks themselves.
 * @param fields parsed exactly, since `1.0` and `1` have different checksums
 */
export function checksumText(fields: JsonObject): string {
  const { definitions, ...rest } = withoutSecretFields(fields)
  if (definitions === undefined) {
    return pythonJson([[rest], {}])
  }
  if (isEmpty(definitions)) {
    return pythonJson([[{ ...rest, definitions }], {}])
  }
  const table = isObject(definitions) ? definitions : {}
  const used = plainDefinitions({ ...rest, definitions: table }, table)
  return pythonJson([[Object.keys(used).length === 0 ? rest : { ...rest, definitions: used }], {}])
}

/** What counts as nothing in Python. */
function isEmpty(value: Json): boolean {
  const number = numberText(value)
  if (number !== undefined) {
    return Number(number) === 0
  }
  if (typeof value === 'object' && value !== null) {
    return Object.keys(value).length === 0
  }
  return !value
}

/** Of the definitions those that `value` refers to, or that such a one refers to, and that are no blocks. */
export function plainDefinitions(value: Json, definitions: JsonObject): JsonObject {
  const found = new Map<string, Json>()
  const pending: Json[] = [value]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const reference of references(next)) {
      const key = reference.replaceAll('#/definitions/', '')
      const definition = Object.hasOwn(definitions, key) ? definitions[key] : undefined
      if (isObject(definition) && isPlain(definition) && !found.has(key)) {
        found.set(key, definition)
        pending.push(definition)
      }
    }
  }
  return Object.fromEntries(found)
}

/** Where a part of a schema refers to, in the order of the text. */
export function references(value: Json): string[] {
  if (Array.isArray(value)) {
    return value.flatMap(references)
  }
  if (!isObject(value)) {
    return []
  }
  const own = value['$ref']
  return [
    ...(typeof own === 'string' && own !== '' ? [own] : []),
    ...Object.values(value).flatMap(references),
  ]
}

function isPlain(definition: JsonObject): boolean {
  return Object.keys(definition).length > 0 && (definition['block_type_slug'] ?? null) === null
}

/** At any depth of objects; what stands in lists is left as it is. */
function withoutSecretFields(object: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(object)
      .filter(([key]) => key !== 'secret_fields')
      .map(([key, value]) => [key, isObject(value) ? withoutSecretFields(value) : value]),
  )
}
