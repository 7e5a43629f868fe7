import type { Route } from '../support/routes.ts'
import { aName, type FullWorkspace } from './full-workspace.ts'
import { given } from './given.ts'
import { nounOf } from './nouns.ts'
import { alternativesOf, resolve, type FullSchema } from './schema.ts'
import type { Slot, Step } from './slots.ts'

/** A request as it is sent. */
export interface Request {
  path: string
  query: Record<string, string>
  body: unknown
}

/** What stands in one slot. */
export interface Filling {
  slot: Slot
  value: string | string[]
}

/**
 * A valid request of an operation that names only what its sender has, but for what the fillings say. Fields that need not
 * be there are not.
 */
export function requestOf(route: Route, own: FullWorkspace, fillings: Filling[]): Request {
  const base = given(
    route,
    own,
    fillings.map(({ slot }) => slot.name),
  )
  const at = (where: string, name: string) =>
    fillings.find(({ slot }) => slot.where === where && slot.name === name)?.value
  const literals = route.path.split('/').filter((part) => part !== '' && !part.startsWith('{'))
  const parameter = (where: 'path' | 'query', name: string, schema: FullSchema): string => {
    const words = [name, ...wordsBefore(route, name, literals)]
    const least = schema.type === 'string' ? ownText : leastOf
    return String(at(where, name) ?? base[where]?.[name] ?? least(schema, words, own))
  }
  const parameters = route.operation.parameters as Parameter[]
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_hole, name: string) => {
    const schema = parameters.find((one) => one.in === 'path' && one.name === name)?.schema ?? {}
    return encodeURIComponent(parameter('path', name, schema))
  })
  const query = Object.fromEntries(
    parameters
      .filter(({ name, in: where, required }) => {
        const isSaid = at('query', name) !== undefined || base.query?.[name] !== undefined
        return where === 'query' && (required || isSaid)
      })
      .map(({ name, schema }) => [name, parameter('query', name, schema)]),
  )
  const outer = literals.toReversed()
  if (route.body === undefined) {
    return { path, query, body: undefined }
  }
  const schema: FullSchema = route.body
  const inBody = fillings.filter(({ slot }) => slot.where === 'body')
  const layers = [
    ...inBody.map(({ slot, value }) => bodyWith(schema, slot.steps, value, outer, own)),
    base.body,
    ...inBody.map(({ slot }) => slot.beside),
    // Once more, alone: what is given stands around it, never in its place.
    ...inBody.map(({ slot, value }) => bare(slot.steps, value)),
  ].filter((layer) => layer !== undefined)
  return { path, query, body: layers.reduce(merged, leastOf(schema, outer, own)) }
}

interface Parameter {
  name: string
  in: string
  required: boolean
  schema: FullSchema
}

function wordsBefore(route: Route, name: string, literals: string[]): string[] {
  const parts = route.path.split('/')
  const place = parts.indexOf(`{${name}}`)
  return place < 0
    ? literals.toReversed()
    : parts
        .slice(0, place)
        .filter((part) => part !== '' && !part.startsWith('{'))
        .toReversed()
}

/** The least value that a schema takes; what names something names what the sender has, or something new. */
function leastOf(part: FullSchema, words: string[], own: FullWorkspace): unknown {
  const { schema } = resolve(part)
  const [alternative] = alternativesOf(schema)
  if (alternative !== undefined) {
    return leastOf(alternative, words, own)
  }
  if (schema.const !== undefined) {
    return schema.const
  }
  if (schema.enum !== undefined) {
    return schema.enum[0]
  }
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        (schema.required ?? []).map((name) => [
          name,
          leastOf(schema.properties?.[name] ?? {}, [name, ...words], own),
        ]),
      )
    case 'array':
      return (schema.prefixItems ?? [schema.items ?? {}]).map((item) => leastOf(item, words, own))
    case 'integer':
    case 'number':
      return Math.max(schema.minimum ?? 0, (schema.exclusiveMinimum ?? -1) + 1)
    case 'boolean':
      return false
    case 'null':
      return null
    case 'string':
      return leastText(schema, words, own)
    default:
      return {}
  }
}

/** A name in a body is that of something to be made; elsewhere a text names what the sender has. */
function leastText(schema: FullSchema, words: string[], own: FullWorkspace): string {
  return NEW.has(words[0] ?? '') ? aName('new') : ownText(schema, words, own)
}

const NEW = new Set(['name', 'slug', 'key', 'dynamic_key'])

function ownText(schema: FullSchema, words: string[], own: FullWorkspace): string {
  if (schema.format === 'date-time') {
    return '2026-01-01T00:00:00Z'
  }
  const noun = nounOf(words, Object.keys(own.known))
  const known = noun === undefined ? undefined : own.known[noun]
  if (schema.format === 'uuid') {
    return known?.ids[0] ?? crypto.randomUUID()
  }
  // An id that is not said to be a UUID, as in paths of Prefect's.
  return /(^|_)id$/.test(words[0] ?? '')
    ? (known?.ids[0] ?? crypto.randomUUID())
    : (known?.names[0] ?? known?.ids[0] ?? aName('new'))
}

/** The least body that has a value at a place. */
function bodyWith(
  part: FullSchema,
  steps: readonly Step[],
  value: unknown,
  words: string[],
  own: FullWorkspace,
): unknown {
  const { schema } = resolve(part)
  const [step, ...rest] = steps
  if (step === undefined) {
    return value
  }
  if ('alternative' in step) {
    return bodyWith(alternativesOf(schema)[step.alternative] ?? {}, rest, value, words, own)
  }
  if ('item' in step) {
    const items = schema.prefixItems ?? [schema.items ?? {}]
    return items.map((item, index) =>
      index === step.item ? bodyWith(item, rest, value, words, own) : leastOf(item, words, own),
    )
  }
  const { key } = step
  const more = schema.additionalProperties
  const inner = schema.properties?.[key] ?? (typeof more === 'object' ? more : {})
  return {
    ...(leastOf({ ...schema, type: 'object' }, words, own) as object),
    [key]: bodyWith(inner, rest, value, [key, ...words], own),
  }
}

/** A value at a place, and nothing beside it. */
function bare([step, ...rest]: readonly Step[], value: unknown): unknown {
  if (step === undefined) {
    return value
  }
  if ('alternative' in step) {
    return bare(rest, value)
  }
  return 'item' in step
    ? [...Array.from({ length: step.item }, () => undefined), bare(rest, value)]
    : { [step.key]: bare(rest, value) }
}

/** The second over the first, field by field. */
function merged(under: unknown, over: unknown): unknown {
  if (Array.isArray(under) && Array.isArray(over)) {
    const below = under as unknown[]
    return over.map((item: unknown, index) =>
      item === undefined || isObject(item) ? merged(below[index], item) : item,
    )
  }
  if (isObject(under) && isObject(over)) {
    return {
      ...under,
      ...Object.fromEntries(
        Object.entries(over).map(([key, value]) => [
          key,
          key in under ? merged(under[key], value) : value,
        ]),
      ),
    }
  }
  return over === undefined ? under : over
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
