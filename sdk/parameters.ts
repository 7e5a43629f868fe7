import type { Json, JsonObject } from '../core/wire/common.ts'
import type { StandardIssue, StandardSchema } from './standard-schema.ts'

/** Parameters that their schema refuses. */
export class ParameterError extends Error {
  override readonly name = 'ParameterError'
}

/**
 * Validates parameters and applies the schema's defaults and transforms.
 * @returns the parameters as the schema gives them back; unchanged when there is no schema
 * @throws ParameterError naming each refused field
 */
export async function validateParameters(
  schema: StandardSchema | undefined,
  parameters: unknown,
  owner: string,
): Promise<unknown> {
  if (schema === undefined) {
    return parameters
  }
  const result = await schema['~standard'].validate(parameters)
  if (result.issues !== undefined) {
    const issues = result.issues.map((issue) => describeIssue(issue)).join('; ')
    throw new ParameterError(`parameters of ${owner} are not valid: ${issues}`)
  }
  return result.value
}

function describeIssue(issue: StandardIssue): string {
  const path = (issue.path ?? [])
    .map((part) => String(typeof part === 'object' ? part.key : part))
    .join('.')
  return path === '' ? issue.message : `${path}: ${issue.message}`
}

/**
 * The JSON Schema of a flow's parameters, as a deployment carries it.
 * @throws TypeError when the schema's library can't write JSON Schema, or the schema has no form in it
 */
export function parameterJsonSchema(schema: StandardSchema | undefined, owner: string): JsonObject {
  if (schema === undefined) {
    return { title: 'Parameters', type: 'object', properties: {} }
  }
  const { jsonSchema, vendor } = schema['~standard']
  if (jsonSchema === undefined) {
    throw new TypeError(
      `the parameters of ${owner} have a schema of '${vendor}' that can't be written as JSON Schema: ` +
        `use a library that implements Standard JSON Schema (zod 4.2 or later does)`,
    )
  }
  const { $schema: _dialect, ...written } = convert(jsonSchema.input, vendor, owner)
  if (written['type'] !== 'object') {
    throw new TypeError(
      `the parameters of ${owner} must be an object schema, got type ${JSON.stringify(written['type'])}`,
    )
  }
  return { title: 'Parameters', ...written, properties: positioned(written['properties']) }
}

function convert(
  write: (options: { readonly target: string }) => Record<string, unknown>,
  vendor: string,
  owner: string,
): Record<string, Json> {
  try {
    return write({ target: 'draft-2020-12' }) as Record<string, Json>
  } catch (error) {
    throw new TypeError(
      `the parameters of ${owner} have no JSON Schema ('${vendor}' says: ${error instanceof Error ? error.message : String(error)}); ` +
        `use types that JSON has, strings for dates, say`,
      { cause: error },
    )
  }
}

/** Adds Prefect's `position`, by which forms order the fields. */
function positioned(properties: Json | undefined): JsonObject {
  if (properties === null || typeof properties !== 'object' || Array.isArray(properties)) {
    return {}
  }
  return Object.fromEntries(
    Object.entries(properties).map(([name, field], position) => [
      name,
      field !== null && typeof field === 'object' && !Array.isArray(field)
        ? { position, ...field }
        : field,
    ]),
  )
}

/**
 * The form in which parameters are stored with a run: what JSON keeps of them.
 * @throws TypeError when they are no object, or JSON can't hold them
 */
export function toJsonParameters(parameters: unknown, owner: string): JsonObject {
  if (parameters === undefined || parameters === null) {
    return {}
  }
  const kept = JSON.parse(JSON.stringify(parameters)) as Json
  if (kept === null || typeof kept !== 'object' || Array.isArray(kept)) {
    throw new TypeError(
      `parameters of ${owner} must be an object of named values, got ${JSON.stringify(kept)}`,
    )
  }
  return kept
}
