import { validateValue, type Issue } from './json-schema.ts'
import type { JsonObject } from './wire/common.ts'

/**
 * Judges parameters by a deployment's `parameter_openapi_schema`.
 * @param options.ignoreRequired lets required parameters be absent: a deployment's are only defaults
 * @returns what is wrong, each with its path in the parameters; an empty list when nothing is
 * @throws SchemaError when the schema refers to itself in a circle, or is too large
 */
export function validateParameters(
  schema: JsonObject,
  parameters: JsonObject,
  options: { ignoreRequired?: boolean } = {},
): Issue[] {
  return validateValue(schema, parameters, options)
}

/** A run's parameters: the deployment's, each replaced by the one given for the run. Values are not merged. */
export function mergeParameters(defaults: JsonObject, given: JsonObject): JsonObject {
  return { ...defaults, ...given }
}
