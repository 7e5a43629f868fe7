import type { Json, JsonObject } from './wire/common.ts'

/** Schemas nested deeper than this are refused: validation recurses, and stacks are short. */
const MAX_SCHEMA_DEPTH = 100

type Kind =
  | 'schema'
  | 'schema list'
  | 'schema or list'
  | 'schema map'
  | 'text'
  | 'number'
  | 'positive'
  | 'count'
  | 'boolean'
  | 'list'
  | 'names'
  | 'names map'
  | 'type'

/** What draft 2020-12 says of each keyword's value (`items` as a list is older, and pydantic 1 writes it). */
const KINDS = new Map<string, Kind>([
  ...of('schema', 'additionalProperties unevaluatedProperties unevaluatedItems contains'),
  ...of('schema', 'propertyNames not if then else'),
  ...of('schema list', 'prefixItems allOf anyOf oneOf'),
  ...of('schema or list', 'items'),
  ...of('schema map', 'properties patternProperties dependentSchemas $defs definitions'),
  ...of('text', '$id $ref $anchor $schema $comment $dynamicRef $dynamicAnchor'),
  ...of('text', 'title description format pattern contentEncoding contentMediaType'),
  ...of('number', 'minimum maximum exclusiveMinimum exclusiveMaximum'),
  ...of('positive', 'multipleOf'),
  ...of('count', 'minLength maxLength minItems maxItems minProperties maxProperties'),
  ...of('count', 'minContains maxContains'),
  ...of('boolean', 'uniqueItems deprecated readOnly writeOnly'),
  ...of('list', 'enum examples'),
  ...of('names', 'required'),
  ...of('names map', 'dependentRequired'),
  ...of('type', 'type'),
])

const TYPES = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']

/**
 * Says what is wrong with a JSON schema (draft 2020-12), in a sentence; undefined when nothing is.
 * Unknown keywords are allowed, references are not followed.
 */
export function schemaFault(schema: Json, path = '', depth = 0): string | undefined {
  if (typeof schema === 'boolean') {
    return undefined
  }
  if (!isObject(schema)) {
    return `${show(schema)} is not of type 'object', 'boolean'${where(path)}`
  }
  if (depth > MAX_SCHEMA_DEPTH) {
    return `a schema may be nested ${MAX_SCHEMA_DEPTH} levels deep${where(path)}`
  }
  for (const [keyword, value] of Object.entries(schema)) {
    const kind = KINDS.get(keyword)
    const fault = kind && valueFault(kind, value, `${path}/${keyword}`, depth + 1)
    if (fault) {
      return fault
    }
  }
  return undefined
}

function valueFault(kind: Kind, value: Json, path: string, depth: number): string | undefined {
  switch (kind) {
    case 'schema':
      return schemaFault(value, path, depth)
    case 'schema list':
      return Array.isArray(value) && value.length > 0
        ? first(
            value.map((item, index) => [`${path}/${index}`, item]),
            depth,
          )
        : expected('a list of schemas', value, path)
    case 'schema or list':
      return Array.isArray(value)
        ? first(
            value.map((item, index) => [`${path}/${index}`, item]),
            depth,
          )
        : schemaFault(value, path, depth)
    case 'schema map':
      return isObject(value)
        ? first(
            Object.entries(value).map(([key, item]) => [`${path}/${key}`, item]),
            depth,
          )
        : expected('an object of schemas', value, path)
    case 'text':
      return typeof value === 'string' ? undefined : expected('a string', value, path)
    case 'number':
      return typeof value === 'number' ? undefined : expected('a number', value, path)
    case 'positive':
      return typeof value === 'number' && value > 0
        ? undefined
        : expected('a number above 0', value, path)
    case 'count':
      return Number.isInteger(value) && Number(value) >= 0
        ? undefined
        : expected('a whole number of 0 or more', value, path)
    case 'boolean':
      return typeof value === 'boolean' ? undefined : expected('true or false', value, path)
    case 'list':
      return Array.isArray(value) ? undefined : expected('a list', value, path)
    case 'names':
      return isNames(value) ? undefined : expected('a list of different strings', value, path)
    case 'names map':
      return isObject(value) && Object.values(value).every(isNames)
        ? undefined
        : expected('an object of lists of different strings', value, path)
    case 'type':
      return isType(value) ? undefined : expected(`one of ${TYPES.join(', ')}`, value, path)
    default:
      return kind satisfies never
  }
}

function first(schemas: [string, Json][], depth: number): string | undefined {
  for (const [path, schema] of schemas) {
    const fault = schemaFault(schema, path, depth)
    if (fault) {
      return fault
    }
  }
  return undefined
}

function isNames(value: Json): boolean {
  return (
    Array.isArray(value) &&
    value.every((item) => typeof item === 'string') &&
    new Set(value).size === value.length
  )
}

function isType(value: Json): boolean {
  const names = Array.isArray(value) ? value : [value]
  return (
    names.length > 0 &&
    names.every((name) => typeof name === 'string' && TYPES.includes(name)) &&
    new Set(names).size === names.length
  )
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function expected(what: string, value: Json, path: string): string {
  return `expected ${what}, got ${show(value)}${where(path)}`
}

function where(path: string): string {
  return path === '' ? '' : ` at ${path.slice(1)}`
}

function show(value: Json): string {
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

function of(kind: Kind, keywords: string): [string, Kind][] {
  return keywords.split(' ').map((keyword) => [keyword, kind])
}
