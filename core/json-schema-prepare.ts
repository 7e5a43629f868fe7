import type { SchemaPatterns } from './json-schema-patterns.ts'
import type { Json, JsonObject } from './wire/common.ts'

/** How a schema is changed before a value is judged by it. */
export type SchemaOptions = {
  /** Lets required properties be absent: more values may be laid over these later. */
  ignoreRequired?: boolean
  /** Lets an optional property be null although it has a default. */
  nullWithDefault?: boolean
}

const MAPS = new Set(['properties', 'dependentSchemas', '$defs', 'definitions'])
const LISTS = new Set(['prefixItems', 'allOf', 'anyOf', 'oneOf'])

/** What the validator would look at in a judgement of its own. */
interface Judgement {
  /** Called each time that the validator looks at a subschema, with what it costs; it throws to end that. */
  spend: (cost: number) => void
  patterns: SchemaPatterns
}

/** Not needed to judge a value: annotations, `id` (no keyword since draft 6), and formats, which Prefect doesn't assert. */
const LEFT_OUT = new Set(['id', 'format', 'default', 'examples', 'example', 'title', 'description'])

/** Values that are data, not schemas. */
const DATA = new Set(['enum', 'const', 'required', 'dependentRequired', 'type'])

/**
 * Copies a schema that `schemaFault` found right, mended as Prefect mends what pydantic 1 writes: an optional typed
 * property without default may be null, `items` as a list becomes `prefixItems`, a block may be given by reference.
 */
export function prepareSchema(
  schema: JsonObject,
  options: SchemaOptions,
  judgement: Judgement,
): JsonObject {
  return copyObject(withBlockReferences(schema), true, options, judgement)
}

function copyObject(
  schema: JsonObject,
  isMended: boolean,
  options: SchemaOptions,
  judgement: Judgement,
): JsonObject {
  const copy: [string, Json][] = []
  const fitting = new Map<string, Json[]>()
  // As in Prefect, what is in a list (a union's members, say) keeps its required properties and is not mended.
  const within = (value: Json, isListed: boolean, mended: boolean): Json =>
    isObject(value)
      ? copyObject(
          value,
          mended,
          isListed ? { ...options, ignoreRequired: false } : options,
          judgement,
        )
      : value
  for (const [keyword, value] of Object.entries(schema)) {
    if (LEFT_OUT.has(keyword) || (keyword === 'required' && options.ignoreRequired)) {
      continue
    }
    if (DATA.has(keyword)) {
      copy.push([keyword, value])
    } else if (keyword === 'pattern' && typeof value === 'string') {
      const format = judgement.patterns.formatOf(value)
      copy.push(...(format === undefined ? [] : [['format', format] satisfies [string, Json]]))
    } else if (keyword === 'patternProperties' && isObject(value)) {
      for (const [source, item] of Object.entries(value)) {
        const names = judgement.patterns.namesFor(source)
        if (names !== undefined) {
          fitting.set(names, [...(fitting.get(names) ?? []), within(item, false, false)])
        }
      }
    } else if (MAPS.has(keyword) && isObject(value)) {
      const isProperties = keyword === 'properties' && isMended
      const optional = isProperties ? optionalNames(schema) : undefined
      const entries = Object.entries(value).map(([key, item]): [string, Json] => {
        const mended = optional?.(key) ? withNull(item, options) : item
        return [key, within(mended, false, isProperties || keyword === 'definitions')]
      })
      copy.push([keyword, Object.fromEntries(entries)])
    } else if (Array.isArray(value) && (LISTS.has(keyword) || keyword === 'items')) {
      const name = keyword === 'items' ? 'prefixItems' : keyword
      copy.push([name, value.map((item) => within(item, true, false))])
    } else {
      copy.push([keyword, within(value, false, false)])
    }
  }
  if (fitting.size > 0) {
    // Two patterns may stand for the same names.
    const entries = [...fitting].map(([names, schemas]) => [names, { allOf: schemas }])
    copy.push(['patternProperties', Object.fromEntries(entries) as JsonObject])
  }
  return metered(Object.fromEntries(copy), judgement.spend)
}

function optionalNames(schema: JsonObject): (key: string) => boolean {
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  return (key) => !required.has(key)
}

function withNull(property: Json, options: SchemaOptions): Json {
  if (!isObject(property) || property['type'] === undefined || property['type'] === 'null') {
    return property
  }
  if (Object.hasOwn(property, 'default') && !options.nullWithDefault) {
    return property
  }
  const types = Array.isArray(property['type']) ? property['type'] : [property['type']]
  return { ...property, type: types.includes('null') ? types : [...types, 'null'] }
}

function withBlockReferences(schema: JsonObject): JsonObject {
  if (!isObject(schema['definitions'])) {
    return schema
  }
  const definitions = Object.entries(schema['definitions']).map(([name, definition]) => [
    name,
    isObject(definition) && Object.hasOwn(definition, 'block_type_slug')
      ? { anyOf: [definition, BLOCK_REFERENCE] }
      : definition,
  ])
  return { ...schema, definitions: Object.fromEntries(definitions) as JsonObject }
}

const BLOCK_REFERENCE: JsonObject = {
  type: 'object',
  properties: {
    $ref: {
      anyOf: [
        { type: 'string', pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' },
        { type: 'object', additionalProperties: { type: 'string' }, minProperties: 1 },
      ],
    },
  },
  required: ['$ref'],
}

/** The validator reads `$recursiveRef`, which 2020-12 doesn't know, of every schema that it looks at: there it is counted. */
function metered(schema: JsonObject, spend: (cost: number) => void): JsonObject {
  const names = Array.isArray(schema['enum']) ? schema['enum'].length : 0
  const cost = 1 + Math.floor(names / 16)
  delete schema['$recursiveRef']
  return Object.defineProperty(schema, '$recursiveRef', {
    enumerable: false,
    get: () => spend(cost),
  })
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
