import type { Route } from '../support/routes.ts'
import { slotsInFreeJson } from './free-json.ts'
import { alternativesOf, resolve, type FullSchema } from './schema.ts'

/** One step into a body. */
export type Step = { key: string } | { item: number } | { alternative: number }

/** A place of a request that may hold the id or the name of something. */
export interface Slot {
  where: 'path' | 'query' | 'body'
  /** In words: `flow_runs.id.any_`. */
  name: string
  /** Where it is in the body. */
  steps: Step[]
  /** Keys and parts of the path around it, from inside out: they say what is named here. */
  words: string[]
  schema: FullSchema
  /** A list of ids or names, not one of them. */
  isList: boolean
  /** What must stand around it in the body for it to mean something. */
  beside?: object
}

/** Texts that name nothing that is stored, by their key. */
const PROSE = new Set([
  'authentication',
  'body',
  'branch',
  'code_example',
  'countable',
  'cron',
  'cursor',
  'day_or',
  'description',
  'display_value',
  'documentation_url',
  'entrypoint',
  'infrastructure_pid',
  'interval',
  'logo_url',
  'message',
  'page-token',
  'path',
  'payload',
  'rrule',
  'signal',
  'subject',
  'task_version',
  'template',
  'timezone',
  'traceparent',
  'type',
  'type_',
  'value',
  'version',
  'view',
])
/** JSON of any form; what it may refer to stands in `given-cases`. */
const FREE_JSON = 'Json'

/** All places of an operation where an id or a name may stand, found in its schemas. */
export function slotsOf(route: Route): Slot[] {
  const literals = route.path.split('/').filter((part) => part !== '')
  const parameters = route.operation.parameters.flatMap((parameter): Slot[] => {
    const { name, in: where } = parameter
    const schema = (parameter as { schema?: FullSchema }).schema ?? {}
    const around = where === 'path' ? literals.slice(0, literals.indexOf(`{${name}}`)) : literals
    const words = [name, ...around.filter((part) => !part.startsWith('{')).toReversed()]
    return PROSE.has(name) || !isText(schema)
      ? []
      : [{ where, name, steps: [], words, schema, isList: false }]
  })
  const outer = literals.filter((part) => !part.startsWith('{')).toReversed()
  const body =
    route.body === undefined ? [] : slotsIn(route.body, { steps: [], keys: [], seen: new Set() })
  return [
    ...parameters,
    ...body.map((slot) => ({ ...slot, words: [...slot.words, ...outer] })),
    ...slotsInFreeJson(route),
  ]
}

interface Place {
  steps: Step[]
  keys: string[]
  /** The named schemas that were met: each is tried at one place of an operation. */
  seen: Set<string>
}

function slotsIn(given: FullSchema, place: Place): Slot[] {
  const { schema, name } = resolve(given)
  const { seen } = place
  if (name === FREE_JSON || (name !== undefined && seen.has(name))) {
    return []
  }
  if (name !== undefined) {
    seen.add(name)
  }
  const inside = (part: FullSchema, step: Step, key?: string): Slot[] =>
    slotsIn(part, {
      steps: [...place.steps, step],
      keys: key === undefined ? place.keys : [...place.keys, key],
      seen,
    })
  const alternatives = alternativesOf(schema)
  if (alternatives.length > 0) {
    return alternatives.flatMap((part, alternative) => inside(part, { alternative }))
  }
  if (schema.prefixItems !== undefined) {
    return schema.prefixItems.flatMap((part, item) => inside(part, { item }))
  }
  if (schema.type === 'array') {
    const item = schema.items ?? {}
    return isText(resolve(item).schema) ? slotAt(item, place, true) : inside(item, { item: 0 })
  }
  if (schema.type === 'object') {
    const more = schema.additionalProperties
    return [
      ...Object.entries(schema.properties ?? {}).flatMap(([key, part]) =>
        inside(part, { key }, key),
      ),
      ...(typeof more === 'object' && resolve(more).name !== FREE_JSON
        ? inside(more, { key: 'x' })
        : []),
    ]
  }
  return isText(schema) ? slotAt(schema, place, false) : []
}

function slotAt(schema: FullSchema, { steps, keys }: Place, isList: boolean): Slot[] {
  const key = keys.findLast((one) => !one.endsWith('_') || PROSE.has(one)) ?? ''
  return PROSE.has(key) || PROSE.has(keys.at(-1) ?? '')
    ? []
    : [
        {
          where: 'body',
          name: keys.join('.'),
          steps,
          words: keys.toReversed(),
          schema: resolve(schema).schema,
          isList,
        },
      ]
}

/** Text that its schema leaves open: no time, none of a few words. */
function isText(schema: FullSchema): boolean {
  return (
    schema.type === 'string' &&
    schema.enum === undefined &&
    schema.const === undefined &&
    schema.format !== 'date-time' &&
    schema.format !== 'duration'
  )
}
