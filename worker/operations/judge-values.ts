import { SchemaError, validateValue, type Issue } from '#core/json-schema.ts'
import { schemaFault } from '#core/json-schema-check.ts'
import type { Json, JsonObject } from '#core/wire/common.ts'
import type { ValueError } from '#core/wire/ui.ts'
import { DomainError } from '#domain/errors.ts'
import { HydrationError, newHydrationMeter } from '#domain/hydration.ts'
import { toValueErrors } from '#domain/schema-values.ts'
import type { RenderOptions } from '#domain/jinja/template.ts'
import type { Workspace } from '#storage/workspace.ts'
import { hydrateParameters } from './hydrate-parameters.ts'

type Path = (string | number)[]

/** Each is worked out by itself, with what it names read from the store. */
const MAX_PLACEHOLDERS = 500

/** What is wrong with the values of a form; what stands for a value that is known only later is not judged. */
export async function judgeValues(
  workspace: Workspace,
  schema: JsonObject,
  values: JsonObject,
): Promise<ValueError[]> {
  const fault = schemaFault(schema)
  if (fault !== undefined) {
    throw new DomainError('invalid', `Invalid schema: ${fault}`, { field: ['schema'] })
  }
  const placeholders = findPlaceholders(values, [])
  if (placeholders.length > MAX_PLACEHOLDERS) {
    throw new DomainError(
      'invalid',
      `values may hold ${MAX_PLACEHOLDERS} things to work out, these hold ${placeholders.length}.`,
      { field: ['values'] },
    )
  }
  const options = { meter: newHydrationMeter() }
  const faults = await Promise.all(
    placeholders.map(async ({ path, value }) => await faultOf(workspace, path, value, options)),
  )
  const broken = faults.filter((issue) => issue !== null)
  // With one of them broken none is worked out.
  const unjudged = placeholders
    .filter(({ value }) => broken.length > 0 || isTemplate(value))
    .map(({ path }) => path)
  const judged = broken.length > 0 ? values : await hydrateParameters(workspace, values)
  const issues = validate(schema, judged).filter(
    ({ path }) => !unjudged.some((start) => start.every((key, index) => path[index] === key)),
  )
  return toValueErrors([...broken, ...issues])
}

function validate(schema: JsonObject, values: JsonObject): Issue[] {
  try {
    return validateValue(schema, values)
  } catch (error) {
    if (error instanceof SchemaError) {
      throw new DomainError('invalid', `Invalid schema: ${error.message}`, { field: ['schema'] })
    }
    throw error
  }
}

/** What can't be made a value of, with its place. */
async function faultOf(
  workspace: Workspace,
  path: Path,
  value: JsonObject,
  options: RenderOptions,
): Promise<Issue | null> {
  try {
    await hydrateParameters(workspace, { value }, { options })
    return null
  } catch (error) {
    if (error instanceof HydrationError) {
      return { path, message: error.message }
    }
    throw error
  }
}

function findPlaceholders(value: Json, path: Path): { path: Path; value: JsonObject }[] {
  if (typeof value !== 'object' || value === null) {
    return []
  }
  if (!Array.isArray(value) && '__prefect_kind' in value) {
    return [{ path, value }]
  }
  const items: [string | number, Json][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value)
  return items.flatMap(([key, item]) => findPlaceholders(item, [...path, key]))
}

/** Rendered when the run is made: there it has its context. */
function isTemplate(value: JsonObject): boolean {
  return value['__prefect_kind'] === 'jinja'
}
