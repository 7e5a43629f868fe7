import type { Json, JsonObject } from '../../core/wire/common.ts'
import { isObject } from './exact-json.ts'

/** What is shown in place of a secret. */
const MASK = '********'

/** What takes the place of a secret, by itself or within the data of before. */
type Replace = (value: Json, before: Json | undefined) => Json

/**
 * A block's data with its secrets masked. A secret that is an object or stands in a list is masked with all its parts, which
 * Prefect's server shows.
 * @param secretFields where they are: `token`, `child.token`, or `tokens.*` for all that stands below
 */
export function maskSecrets(data: JsonObject, secretFields: readonly string[]): JsonObject {
  return replaceSecrets(data, undefined, secretFields, () => MASK)
}

/** The secrets of before where an update has only their masks: it sends back what it was shown. */
export function keepMaskedSecrets(
  update: JsonObject,
  before: JsonObject,
  secretFields: readonly string[],
): JsonObject {
  return replaceSecrets(update, before, secretFields, (value, known) =>
    value === MASK && known !== undefined && known !== null ? known : value,
  )
}

function replaceSecrets(
  data: JsonObject,
  before: JsonObject | undefined,
  secretFields: readonly string[],
  replace: Replace,
): JsonObject {
  let result: Json = data
  for (const field of secretFields) {
    result = replaceAt(result, before, field.split('.'), replace)
  }
  return isObject(result) ? result : data
}

function replaceAt(
  value: Json,
  before: Json | undefined,
  [key, ...rest]: readonly string[],
  replace: Replace,
): Json {
  if (key === undefined) {
    return value === null ? value : replaceLeaves(value, before, replace)
  }
  if (key === '*') {
    return replaceLeaves(value, before, replace)
  }
  if (Array.isArray(value)) {
    return value.map((item, index) =>
      replaceAt(item, Array.isArray(before) ? before[index] : undefined, [key, ...rest], replace),
    )
  }
  const inner = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
  return inner === undefined
    ? value
    : { ...(value as JsonObject), [key]: replaceAt(inner, own(before, key), rest, replace) }
}

/** Lists are leaves, as are empty objects: their length is a secret too. */
function replaceLeaves(value: Json, before: Json | undefined, replace: Replace): Json {
  if (!isObject(value) || Object.keys(value).length === 0) {
    return replace(value, before)
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      replaceLeaves(item, own(before, key), replace),
    ]),
  )
}

function own(value: Json | undefined, key: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
}
