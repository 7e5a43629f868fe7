import type { Json, JsonObject } from '#core/wire/common.ts'

interface Parameterised {
  parameters: JsonObject
  parameter_openapi_schema: JsonObject | null
}

/** What a run of the deployment starts with: the schema's defaults under the deployment's own values. */
export function startingParameters(deployment: Parameterised): JsonObject {
  const properties = toObject(deployment.parameter_openapi_schema?.['properties'])
  const defaults: JsonObject = {}
  for (const [name, property] of Object.entries(properties)) {
    const byDefault = toObject(property)['default']
    if (byDefault !== undefined) {
      defaults[name] = byDefault
    }
  }
  return { ...defaults, ...deployment.parameters }
}

/** The names that a run must be given and has not. */
export function missingParameters(deployment: Parameterised, parameters: JsonObject): string[] {
  const required = deployment.parameter_openapi_schema?.['required']
  return (Array.isArray(required) ? required : [])
    .map(String)
    .filter((name) => !(name in parameters))
}

/** A JSON object from what was typed, or why it is none. */
export function parseParameters(text: string): JsonObject | string {
  try {
    const value = JSON.parse(text.trim() === '' ? '{}' : text) as Json
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? value
      : 'Parameters are a JSON object: {"name": value}'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function toObject(value: Json | undefined): JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {}
}
