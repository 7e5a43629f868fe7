/** A condition of SQL with one `?` for each parameter, in order. Its text holds no other question mark. */
export interface Condition {
  readonly sql: string
  readonly params: readonly (string | number)[]
}

const ALWAYS: Condition = { sql: '1', params: [] }

export function condition(sql: string, ...params: (string | number)[]): Condition {
  return { sql, params }
}

/** A part that is undefined was not asked for. */
export type Parts = readonly (Condition | undefined)[]

export function every(parts: Parts): Condition {
  return joined(
    parts.filter((part) => part !== ALWAYS),
    ' AND ',
  )
}

export function some(parts: Parts): Condition {
  return joined(parts, ' OR ')
}

/** No conditions at all hold always, whichever word joins them, as in Prefect. */
function joined(parts: Parts, word: string): Condition {
  const [first, ...rest] = parts.filter((part) => part !== undefined)
  if (first === undefined) {
    return ALWAYS
  }
  return rest.length === 0
    ? first
    : {
        sql: `(${[first, ...rest].map((part) => part.sql).join(word)})`,
        params: [first, ...rest].flatMap((part) => part.params),
      }
}

/** There is a row in the table for which all conditions hold. */
export function exists(table: string, conditions: Parts): Condition {
  const where = every(conditions)
  return { sql: `EXISTS (SELECT 1 FROM ${table} WHERE ${where.sql})`, params: where.params }
}

export function not(part: Condition): Condition {
  return { sql: `NOT ${part.sql}`, params: part.params }
}

/** One parameter whatever the list's length: D1 takes 100 of them. An empty list holds for nothing. */
export function oneOf(expression: string, values: readonly string[]): Condition {
  return condition(
    `${expression} IN (SELECT value FROM json_each(?))`,
    JSON.stringify([...new Set(values)]),
  )
}

/** An empty list excludes nothing, not even what is null. */
export function noneOf(expression: string, values: readonly string[]): Condition {
  return values.length === 0
    ? ALWAYS
    : condition(
        `${expression} NOT IN (SELECT value FROM json_each(?))`,
        JSON.stringify([...new Set(values)]),
      )
}

/** Contains the text, in any case of letters. Not LIKE: D1 limits its patterns to 50 bytes, and `%` is no wildcard here. */
export function contains(expression: string, text: string): Condition {
  return condition(`instr(lower(${expression}), lower(?)) > 0`, text)
}

/** The column holds a JSON array with all of these strings; an empty list is held by every array. */
export function arrayHasAll(column: string, values: readonly string[]): Condition {
  const list = JSON.stringify([...new Set(values)])
  return condition(
    `NOT EXISTS (SELECT 1 FROM json_each(?) AS wanted WHERE wanted.value NOT IN (SELECT value FROM json_each(${column})))`,
    list,
  )
}

/** The column holds a JSON array with at least one of these strings. */
export function arrayHasAny(column: string, values: readonly string[]): Condition {
  return condition(
    `EXISTS (SELECT 1 FROM json_each(${column}) AS held WHERE held.value IN (SELECT value FROM json_each(?)))`,
    JSON.stringify([...new Set(values)]),
  )
}

export function isNull(expression: string, wanted: boolean): Condition {
  return condition(`${expression} IS ${wanted ? '' : 'NOT '}NULL`)
}
