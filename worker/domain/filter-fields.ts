import {
  arrayHasAll,
  arrayHasAny,
  condition,
  contains,
  every,
  isNull,
  noneOf,
  oneOf,
  some,
  type Condition,
} from './condition.ts'

// The parts of filters that every entity has alike. Each is undefined when it was not asked for.

export type Given<T> = T | null | undefined
type List = Given<readonly string[]>
type Operator = 'and_' | 'or_' | undefined

export function isGiven<T>(value: Given<T>): value is T {
  return value !== null && value !== undefined
}

export function maybe<T>(value: Given<T>, build: (value: T) => Condition): Condition | undefined {
  return isGiven(value) ? build(value) : undefined
}

/** The given parts of a filter, joined by its operator. */
export function combined<T extends { operator?: Operator }>(
  filter: Given<T>,
  parts: (filter: T) => (Condition | undefined)[],
): Condition | undefined {
  return maybe(filter, (given) =>
    given.operator === 'or_' ? some(parts(given)) : every(parts(given)),
  )
}

export function values(
  column: string,
  filter: Given<{ any_?: List; not_any_?: List }>,
): Condition | undefined {
  return maybe(filter, ({ any_, not_any_ }) =>
    every([
      maybe(any_, (wanted) => oneOf(column, wanted)),
      maybe(not_any_, (unwanted) => noneOf(column, unwanted)),
    ]),
  )
}

export function names(
  column: string,
  filter: Given<{ any_?: List; like_?: Given<string> }>,
): Condition | undefined {
  return maybe(filter, ({ any_, like_ }) =>
    every([
      maybe(any_, (wanted) => oneOf(column, wanted)),
      maybe(like_, (text) => contains(column, text)),
    ]),
  )
}

export function tags(
  column: string,
  filter: Given<{ operator?: Operator; all_?: List; any_?: List; is_null_?: Given<boolean> }>,
): Condition | undefined {
  return combined(filter, ({ all_, any_, is_null_ }) => [
    maybe(all_, (wanted) => arrayHasAll(column, wanted)),
    maybe(any_, (wanted) => arrayHasAny(column, wanted)),
    maybe(is_null_, (empty) => condition(`${column} ${empty ? '=' : '<>'} '[]'`)),
  ])
}

/** Bounds are inclusive; `is_null_` asks the column itself, also where the bounds ask an expression. */
export function within(
  column: string,
  filter: Given<{ before_?: Given<string>; after_?: Given<string>; is_null_?: Given<boolean> }>,
  bounded: string = column,
): Condition | undefined {
  return maybe(filter, ({ before_, after_, is_null_ }) =>
    every([
      maybe(before_, (time) => condition(`${bounded} <= ?`, time)),
      maybe(after_, (time) => condition(`${bounded} >= ?`, time)),
      maybe(is_null_, (wanted) => isNull(column, wanted)),
    ]),
  )
}
