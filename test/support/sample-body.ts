/** A part of an OpenAPI document: JSON Schema with references to its components. */
export interface Schema {
  $ref?: string
  type?: string
  enum?: unknown[]
  const?: unknown
  pattern?: string
  minimum?: number
  exclusiveMinimum?: number
  minItems?: number
  anyOf?: Schema[]
  oneOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
}

/** The schema itself, where a reference to a component stands. */
function resolve(schema: Schema, components: Record<string, Schema>): Schema {
  const name = schema.$ref?.split('/').at(-1)
  const referred = name === undefined ? undefined : components[name]
  return referred === undefined ? schema : resolve(referred, components)
}

/**
 * The least value that a schema takes: required fields only, lists of one.
 * @param given values by the names of fields, put in wherever such a field is required
 */
export function sampleOf(
  schema: Schema,
  components: Record<string, Schema>,
  given: Record<string, unknown> = {},
): unknown {
  const resolved = resolve(schema, components)
  const sample = (part: Schema) => sampleOf(part, components, given)
  const [alternative] = resolved.anyOf ?? resolved.oneOf ?? []
  if (alternative !== undefined) {
    return sample(alternative)
  }
  if (resolved.const !== undefined) {
    return resolved.const
  }
  if (resolved.enum !== undefined) {
    return resolved.enum[0]
  }
  switch (resolved.type ?? 'string') {
    case 'object':
      return Object.fromEntries(
        (resolved.required ?? []).map((name) => [
          name,
          given[name] ?? sample(resolved.properties?.[name] ?? {}),
        ]),
      )
    case 'array':
      return [sample(resolved.items ?? {})]
    case 'integer':
    case 'number':
      return resolved.minimum ?? (resolved.exclusiveMinimum ?? 0) + 1
    case 'boolean':
      return false
    case 'null':
      return null
    default:
      return (
        [
          '2026-01-01T00:00:00Z',
          crypto.randomUUID(),
          'a@example.com',
          '0'.repeat(64),
          'hg_key_…0000',
        ].find((text) => new RegExp(resolved.pattern ?? '').test(text)) ?? 'x'
      )
  }
}
