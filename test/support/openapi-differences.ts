/** Compares what two OpenAPI documents say of operations: fields, types, choices, null, limits. Ours may promise more. */
export interface JsonSchema {
  $ref?: string
  type?: string | string[]
  enum?: unknown[]
  const?: unknown
  format?: string
  pattern?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  allOf?: JsonSchema[]
  items?: JsonSchema
  properties?: Record<string, JsonSchema>
  required?: string[]
  additionalProperties?: boolean | JsonSchema
}

interface Content {
  required?: boolean
  content?: Record<string, { schema: JsonSchema }>
}
export interface Operation {
  parameters?: { name: string; in: string; required?: boolean; schema: JsonSchema }[]
  requestBody?: Content
  responses: Record<string, Content>
}
/** Operations by `POST /flows/`. */
export interface ApiDescription {
  operations: Record<string, Operation>
  schemas: Record<string, JsonSchema>
}

export interface Difference {
  /** The operation, or Prefect's component, and the way to the field: `FlowCreate.tags`, `POST /flows/filter body.limit`. */
  at: string
  what: string
}

/** Where ours differs from theirs, in theirs' order; what only ours has is no difference where it is an operation or a field of an answer. */
export function differences(theirs: ApiDescription, ours: ApiDescription): Difference[] {
  const compare = new Comparison(theirs.schemas, ours.schemas)
  for (const [name, operation] of Object.entries(theirs.operations)) {
    const own = ours.operations[name]
    if (own === undefined) {
      compare.note(name, 'is not there')
    } else {
      compare.operations(name, operation, own)
    }
  }
  return compare.found
}

type Direction = 'request' | 'answer'

/** A schema with its references followed and null taken out of it. */
interface Plain {
  /** Of the components that were followed. */
  name: string | undefined
  schema: JsonSchema
  alternatives: JsonSchema[]
  isNullable: boolean
}

class Comparison {
  readonly found: Difference[] = []
  readonly #theirs: Record<string, JsonSchema>
  readonly #ours: Record<string, JsonSchema>
  /** Pairs of components that have been compared, or are being. */
  readonly #seen: Set<string>

  constructor(
    theirs: Record<string, JsonSchema>,
    ours: Record<string, JsonSchema>,
    seen: Iterable<string> = [],
  ) {
    this.#theirs = theirs
    this.#ours = ours
    this.#seen = new Set(seen)
  }

  note(at: string, what: string): void {
    this.found.push({ at, what })
  }

  operations(name: string, theirs: Operation, ours: Operation): void {
    this.#parameters(name, theirs, ours)
    this.#bodies(name, theirs.requestBody, ours.requestBody)
    this.#answers(name, theirs.responses, ours.responses)
  }

  #parameters(name: string, theirs: Operation, ours: Operation): void {
    for (const parameter of theirs.parameters ?? []) {
      const at = `${name} ${parameter.in} ${parameter.name}`
      const own = ours.parameters?.find(
        (other) => other.name === parameter.name && other.in === parameter.in,
      )
      if (own === undefined) {
        this.note(at, 'is not there')
        continue
      }
      if ((own.required ?? false) !== (parameter.required ?? false)) {
        this.note(at, own.required === true ? 'is required' : 'is not required')
      }
      this.#schemas(at, parameter.schema, own.schema, 'request')
    }
    for (const own of ours.parameters ?? []) {
      if (!(theirs.parameters ?? []).some(({ name: other }) => other === own.name)) {
        this.note(`${name} ${own.in} ${own.name}`, 'is ours only')
      }
    }
  }

  #bodies(name: string, theirs: Content | undefined, ours: Content | undefined): void {
    const [their, own] = [jsonOf(theirs), jsonOf(ours)]
    if (their === undefined || own === undefined) {
      if (their !== own) {
        this.note(`${name} body`, own === undefined ? 'is not there' : 'is ours only')
      }
      return
    }
    if ((theirs?.required ?? false) !== (ours?.required ?? false)) {
      this.note(`${name} body`, ours?.required === true ? 'is required' : 'is not required')
    }
    this.#schemas(`${name} body`, their, own, 'request')
  }

  #answers(name: string, theirs: Operation['responses'], ours: Operation['responses']): void {
    for (const [status, answer] of Object.entries(theirs)) {
      const own = ours[status] ?? Object.entries(ours).find(([other]) => other.startsWith('2'))?.[1]
      if (ours[status] === undefined) {
        this.note(`${name} answers`, `no ${status}`)
      }
      const [their, mine] = [jsonOf(answer), jsonOf(own)]
      if (their !== undefined && !isAny(their)) {
        if (mine === undefined) {
          this.note(`${name} answers`, 'without a body')
        } else {
          this.#schemas(`${name} ${status}`, their, mine, 'answer')
        }
      }
    }
  }

  #schemas(at: string, theirs: JsonSchema, ours: JsonSchema, direction: Direction): void {
    const their = plain(theirs, this.#theirs)
    const own = plain(ours, this.#ours)
    if (
      their.isNullable !== own.isNullable &&
      !(direction === 'answer' && their.isNullable) &&
      !isAny(their.schema) &&
      !isAny(own.schema)
    ) {
      this.note(at, own.isNullable ? 'may be null' : 'may not be null')
    }
    // A component is compared once, wherever it stands.
    if (their.name !== undefined && !their.name.startsWith('Body_')) {
      const pair = `${their.name} ${own.name ?? at} ${direction}`
      if (this.#seen.has(pair)) {
        return
      }
      this.#seen.add(pair)
      this.#inside(their.name, their, own, direction)
    } else {
      this.#inside(at, their, own, direction)
    }
  }

  #inside(at: string, their: Plain, own: Plain, direction: Direction): void {
    if (isAny(their.schema) || isAny(own.schema)) {
      if (isAny(their.schema) !== isAny(own.schema)) {
        this.note(
          at,
          isAny(own.schema) ? 'is anything' : `is ${describe(own.schema)}, not anything`,
        )
      }
      return
    }
    if (their.alternatives.length > 0 || own.alternatives.length > 0) {
      this.#alternatives(at, their, own, direction)
      return
    }
    const [theirType, ownType] = [describe(their.schema), describe(own.schema)]
    if (theirType !== ownType) {
      this.note(at, `is ${ownType}, not ${theirType}`)
      return
    }
    this.#limits(at, their.schema, own.schema, direction)
    this.#properties(at, their.schema, own.schema, direction)
    if (their.schema.items !== undefined || own.schema.items !== undefined) {
      this.#schemas(`${at}[]`, their.schema.items ?? {}, own.schema.items ?? {}, direction)
    }
  }

  #alternatives(at: string, their: Plain, own: Plain, direction: Direction): void {
    const theirs = their.alternatives.length > 0 ? their.alternatives : [their.schema]
    const owns = own.alternatives.length > 0 ? own.alternatives : [own.schema]
    const left = new Set(owns)
    for (const alternative of theirs) {
      const best = [...(left.size > 0 ? left : owns)]
        .map((mine) => ({ mine, found: this.#try(at, alternative, mine, direction) }))
        .toSorted((a, b) => a.found.length - b.found.length)[0]
      if (best === undefined) {
        continue
      }
      left.delete(best.mine)
      this.#schemas(at, alternative, best.mine, direction)
    }
    for (const mine of left) {
      this.note(at, `may be ${describe(plain(mine, this.#ours).schema)}`)
    }
  }

  #try(at: string, theirs: JsonSchema, ours: JsonSchema, direction: Direction): Difference[] {
    const trial = new Comparison(this.#theirs, this.#ours, this.#seen)
    trial.#schemas(at, theirs, ours, direction)
    return trial.found
  }

  #limits(at: string, theirs: JsonSchema, ours: JsonSchema, direction: Direction): void {
    for (const limit of LIMITS) {
      const [their, own] = [significant(theirs[limit]), significant(ours[limit])]
      // What an answer holds was checked on its way in; a format says what its pattern says.
      if (their !== own && direction === 'request' && !(limit === 'pattern' && ours.format)) {
        this.note(at, `${limit} ${String(own ?? 'none')}, not ${String(their ?? 'none')}`)
      }
    }
    if (direction === 'request' && theirs.format !== ours.format && theirs.format !== 'password') {
      this.note(at, `format ${ours.format ?? 'none'}, not ${theirs.format ?? 'none'}`)
    }
    const [their, own] = [choices(theirs), choices(ours)]
    if (their !== own) {
      this.note(at, `one of ${own ?? 'any'}, not ${their ?? 'any'}`)
    }
  }

  #properties(at: string, theirs: JsonSchema, ours: JsonSchema, direction: Direction): void {
    const [their, own] = [theirs.properties ?? {}, ours.properties ?? {}]
    for (const [name, schema] of Object.entries(their)) {
      const mine = own[name]
      if (mine === undefined) {
        this.note(`${at}.${name}`, 'is not there')
        continue
      }
      const [needs, gives] = [isRequired(theirs, name), isRequired(ours, name)]
      if (needs !== gives && !(direction === 'answer' && gives)) {
        this.note(`${at}.${name}`, gives ? 'is required' : 'is not required')
      }
      this.#schemas(`${at}.${name}`, schema, mine, direction)
    }
    if (direction === 'answer') {
      return
    }
    for (const name of Object.keys(own).filter((field) => their[field] === undefined)) {
      this.note(`${at}.${name}`, 'is ours only')
    }
    this.#additional(at, theirs, ours)
  }

  #additional(at: string, theirs: JsonSchema, ours: JsonSchema): void {
    const [their, own] = [theirs.additionalProperties, ours.additionalProperties]
    if ((their === false) !== (own === false)) {
      this.note(at, own === false ? 'takes no other field' : 'takes any other field')
    } else if (typeof their === 'object' && typeof own === 'object') {
      this.#schemas(`${at}.*`, their, own, 'request')
    }
  }
}

const LIMITS = [
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'pattern',
] as const

/** Every integer in JavaScript has these. */
function significant(limit: number | string | undefined): number | string | undefined {
  return typeof limit === 'number' && Math.abs(limit) === Number.MAX_SAFE_INTEGER
    ? undefined
    : limit
}

function jsonOf(content: Content | undefined): JsonSchema | undefined {
  return content?.content?.['application/json']?.schema
}

function isRequired(schema: JsonSchema, name: string): boolean {
  return schema.required?.includes(name) ?? false
}

function isAny(schema: JsonSchema): boolean {
  return (
    schema.type === undefined &&
    schema.anyOf === undefined &&
    schema.oneOf === undefined &&
    schema.enum === undefined &&
    schema.const === undefined &&
    schema.properties === undefined
  )
}

function choices(schema: JsonSchema): string | undefined {
  const values = schema.enum ?? (schema.const === undefined ? undefined : [schema.const])
  return values?.map(String).toSorted().join('|')
}

function describe(schema: JsonSchema): string {
  if (schema.type === undefined && choices(schema) !== undefined) {
    return typeof (schema.enum?.[0] ?? schema.const)
  }
  return String(schema.type ?? (schema.properties === undefined ? 'anything' : 'object'))
}

function plain(given: JsonSchema, components: Record<string, JsonSchema>): Plain {
  let schema = given
  let name: string | undefined
  let isNullable = false
  for (;;) {
    const referred = (schema.$ref ?? schema.allOf?.[0]?.$ref)?.split('/').at(-1)
    if (referred !== undefined) {
      name = referred
      schema = referred === 'Json' ? {} : (components[referred] ?? {})
      continue
    }
    const alternatives = schema.anyOf ?? schema.oneOf ?? []
    if (Array.isArray(schema.type)) {
      isNullable ||= schema.type.includes('null')
      const types = schema.type.filter((type) => type !== 'null')
      schema =
        types.length === 1
          ? { ...schema, type: types[0] ?? '' }
          : { anyOf: types.map((type) => ({ ...schema, type })) }
      continue
    }
    const others = alternatives.filter((alternative) => alternative.type !== 'null')
    isNullable ||= others.length < alternatives.length
    const [only] = others
    if (only !== undefined && others.length === 1) {
      schema = only
      continue
    }
    const flat = others.flatMap((other) => flatten(other, components))
    return { name, schema, alternatives: flat, isNullable }
  }
}

/** An alternative that is itself a choice counts as its alternatives. */
function flatten(schema: JsonSchema, components: Record<string, JsonSchema>): JsonSchema[] {
  const { alternatives } = plain(schema, components)
  return alternatives.length > 0 ? alternatives : [schema]
}
