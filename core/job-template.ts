import { schemaFault } from './json-schema-check.ts'
import { validateValue, type Issue } from './json-schema.ts'
import { applyValues, placeholderNames, pythonText } from './placeholders.ts'
import type { Json, JsonObject } from './wire/common.ts'

/**
 * A base job template in Prefect's form: `{job_configuration, variables}`, the first an object with `{{ placeholders }}`,
 * the second the JSON schema of the job variables that fill them. `{}` is a template without any.
 */
export type BaseJobTemplate = JsonObject

/**
 * Judges a base job template: both parts there, every placeholder declared, the schema right and its defaults valid.
 * @returns what is wrong, each with its path in the template; an empty list when nothing is
 * @throws SchemaError when the schema refers to itself in a circle, or is too large
 */
export function validateTemplate(template: BaseJobTemplate): Issue[] {
  if (Object.keys(template).length === 0) {
    return []
  }
  const configuration = template['job_configuration']
  const schema = template['variables']
  if (!isFilled(configuration) || !isFilled(schema)) {
    const message =
      'The `base_job_template` must contain both a `job_configuration` key and a `variables` key.'
    return [{ path: [], message }]
  }
  const fault = schemaFault(schema)
  if (fault) {
    return [{ path: ['variables'], message: `Invalid schema: ${fault}` }]
  }
  const declared = properties(schema)
  const missing = placeholderNames(configuration).filter((name) => !Object.hasOwn(declared, name))
  if (missing.length > 0) {
    const message =
      'The variables specified in the job configuration template must be present as properties in the variables ' +
      `schema. Your job configuration uses the following undeclared variable(s): ${missing.join(', ')}.`
    return [{ path: ['job_configuration'], message }]
  }
  return validateValue(schema, judgedDefaults(schema), {
    ignoreRequired: true,
    nullWithDefault: true,
  }).map(({ path, message }) => ({ path: ['variables', 'properties', ...path], message }))
}

/**
 * Judges job variables by a pool's template, laid over its valid defaults one after another (deployment's, then run's).
 * @param options.required whether required variables must be there: only a flow run's are complete
 * @returns what is wrong, each with its path in the variables; an empty list when nothing is, or the template says nothing
 * @throws SchemaError when the schema refers to itself in a circle, or is too large
 */
export function validateJobVariables(
  template: BaseJobTemplate,
  layers: readonly (JsonObject | null | undefined)[],
  options: { required: boolean },
): Issue[] {
  const schema = template['variables']
  if (!isFilled(schema)) {
    return []
  }
  const defaults = judgedDefaults(schema)
  const valid = Object.entries(defaults).filter(
    ([name, value]) =>
      validateValue(schema, { [name]: value }, { ignoreRequired: true }).length === 0,
  )
  // A default that was dropped may have been for a required variable, so its absence says nothing.
  const isComplete = valid.length === Object.keys(defaults).length
  const variables = layers.reduce<JsonObject>(
    (merged, layer) => ({ ...merged, ...layer }),
    Object.fromEntries(valid),
  )
  return validateValue(schema, variables, {
    ignoreRequired: !options.required || !isComplete,
    nullWithDefault: true,
  })
}

/**
 * Fills a template as Prefect's worker does: defaults, then the deployment's variables, then the run's. `env` is merged
 * key by key, `env.FOO` means `FOO` in `env`, a lone placeholder becomes the raw value (without one its key goes), others
 * become text. Left as they are, for who can resolve them: `{{ prefect.blocks… }}`, `{{ prefect.variables… }}` and
 * `{{ $NAME }}`, the environment of the host.
 * @returns the job configuration; `{}` for an empty template. The values of its `env` are strings, or null to unset one
 */
export function resolveJobConfiguration(
  template: BaseJobTemplate,
  deploymentVariables: JsonObject | null | undefined,
  runVariables: JsonObject | null | undefined,
): JsonObject {
  const configuration = template['job_configuration']
  if (!isObject(configuration)) {
    return {}
  }
  const defaults = Object.fromEntries(
    Object.entries(defaultsOf(template['variables'])).filter(([, value]) => value !== null),
  )
  const given = expandDottedKeys(mergeVariables(deploymentVariables ?? {}, runVariables ?? {}))
  const variables = { ...defaults, ...given }
  const filled = applyValues(
    withEnvironment(withDefaultEnvironment(configuration, defaults['env']), variables['env']),
    variables,
  )
  return isObject(filled) ? withTextEnvironment(filled) : {}
}

function mergeVariables(deployment: JsonObject, run: JsonObject): JsonObject {
  const [base, over] = [deployment['env'], run['env']]
  const env = isObject(base) ? { env: { ...base, ...(isObject(over) ? over : {}) } } : {}
  return { ...deployment, ...run, ...env }
}

/** Dotted keys first, so that a variable given as an object wins over the same one given by dots. */
function expandDottedKeys(variables: JsonObject): JsonObject {
  const entries = Object.entries(variables)
  const dotted = entries
    .filter(([key]) => key.includes('.'))
    .reduce<JsonObject>(
      (result, [key, value]) =>
        setIn(result, key.replaceAll('[', '.').replaceAll(']', '').split('.'), value),
      {},
    )
  return entries
    .filter(([key]) => !key.includes('.'))
    .reduce(
      (result, [key, value]) => ({ ...result, [key]: mergeDeep(own(result, key), value) }),
      dotted,
    )
}

function setIn(
  object: JsonObject,
  [key = '', ...rest]: readonly string[],
  value: Json,
): JsonObject {
  const inner = own(object, key)
  const next = rest.length === 0 ? value : setIn(isObject(inner) ? inner : {}, rest, value)
  return { ...object, [key]: next }
}

function mergeDeep(base: Json | undefined, over: Json): Json {
  if (!isObject(base) || !isObject(over)) {
    return over
  }
  return Object.entries(over).reduce<JsonObject>(
    (result, [key, value]) => ({ ...result, [key]: mergeDeep(own(result, key), value) }),
    base,
  )
}

function withDefaultEnvironment(configuration: JsonObject, env: Json | undefined): JsonObject {
  if (!isObject(env) || Object.keys(env).length === 0) {
    return configuration
  }
  const base = configuration['env']
  return { ...configuration, env: { ...(isObject(base) ? base : {}), ...env } }
}

function withEnvironment(configuration: JsonObject, env: Json | undefined): JsonObject {
  const base = configuration['env']
  return isObject(base) && isObject(env)
    ? { ...configuration, env: { ...base, ...env } }
    : configuration
}

function withTextEnvironment(configuration: JsonObject): JsonObject {
  const env = configuration['env']
  if (!isObject(env)) {
    return configuration
  }
  const entries = Object.entries(env).map(([name, value]) => [
    name,
    value === null ? null : pythonText(value),
  ])
  return { ...configuration, env: Object.fromEntries(entries) as JsonObject }
}

/** The defaults that can be judged: the one that refers to a block is judged where the block is known. */
function judgedDefaults(schema: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(defaultsOf(schema)).filter(
      ([, value]) => !(isObject(value) && Object.hasOwn(value, '$ref')),
    ),
  )
}

function defaultsOf(schema: Json | undefined): JsonObject {
  return Object.fromEntries(
    Object.entries(isObject(schema) ? properties(schema) : {}).flatMap(([name, property]) =>
      isObject(property) && property['default'] !== undefined ? [[name, property['default']]] : [],
    ),
  )
}

function properties(schema: JsonObject): JsonObject {
  return isObject(schema['properties']) ? schema['properties'] : {}
}

function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

function isFilled(value: Json | undefined): value is JsonObject {
  return isObject(value) && Object.keys(value).length > 0
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
