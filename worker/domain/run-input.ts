import { SchemaError, type Issue } from '#core/json-schema.ts'
import { validateParameters } from '#core/parameters.ts'
import type { Json, JsonObject } from '#core/wire/common.ts'

/**
 * Why a run that waits for input may not go on with this one; null when it may.
 * @param schemaText what the run keeps as the schema of its input, if it does
 */
export function runInputFault(schemaText: string | null, input: JsonObject): string | null {
  if (schemaText === null) {
    return 'Run input schema not found.'
  }
  const schema = parseSchema(schemaText)
  if (schema === undefined) {
    return 'Run input schema is not valid JSON.'
  }
  try {
    const [first] = validateParameters(schema, input)
    return first === undefined ? null : `Reason: ${sentence(first)}`
  } catch (error) {
    if (error instanceof SchemaError) {
      return `Invalid schema: ${error.message}`
    }
    throw error
  }
}

function parseSchema(text: string): JsonObject | undefined {
  try {
    const schema = JSON.parse(text) as Json
    return schema !== null && typeof schema === 'object' && !Array.isArray(schema)
      ? schema
      : undefined
  } catch {
    return undefined
  }
}

function sentence({ path, message }: Issue): string {
  return path.length === 0
    ? `Validation failed. Failure reason: ${message}`
    : `Validation failed for field '${path.join('.')}'. Failure reason: ${message}`
}
