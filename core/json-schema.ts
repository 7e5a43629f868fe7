import { dereference, validate, type Schema, type ValidationResult } from '@cfworker/json-schema'
import { schemaFault } from './json-schema-check.ts'
import { toIssues, type Issue } from './json-schema-issues.ts'
import { SchemaPatterns } from './json-schema-patterns.ts'
import { prepareSchema, type SchemaOptions } from './json-schema-prepare.ts'
import type { Json, JsonObject } from './wire/common.ts'

export type { Issue } from './json-schema-issues.ts'
export type { SchemaOptions } from './json-schema-prepare.ts'

/** Values nested deeper than this are refused: validation recurses, and stacks are short. */
const MAX_VALUE_DEPTH = 100

/** Subschemas looked at before a validation is given up, so that references that double can't stall it: well under a second. */
const MAX_STEPS = 300_000

/** `uniqueItems` compares every pair; longer lists are refused where a schema asks for it. */
const MAX_UNIQUE_ITEMS = 2_000

/** More faults than this help nobody. */
const MAX_ISSUES = 100

/** Where the validator keeps a reference's whole address. */
const ABSOLUTE_REF = '__absolute_ref__'

/** A schema by which nothing can be judged: `circular` refers to itself, `too_large` would take too long. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
  readonly code: 'circular' | 'too_large'

  constructor(code: 'circular' | 'too_large', message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Judges a value by a JSON schema (draft 2020-12) with Prefect's mendings; formats are not asserted, as in Prefect.
 * References to other documents are never fetched; one is an issue.
 * @returns what is wrong, each with its path in the value; an empty list when nothing is
 * @throws SchemaError
 */
export function validateValue(
  schema: JsonObject,
  value: Json,
  options: SchemaOptions = {},
): Issue[] {
  const fault = schemaFault(schema)
  if (fault) {
    return [{ path: [], message: `Invalid schema: ${fault}` }]
  }
  checkSize(schema, value)
  let steps = 0
  const spend = (cost: number): void => {
    steps += cost
    if (steps > MAX_STEPS) {
      throw new SchemaError('too_large', `validation takes more than ${MAX_STEPS} steps`)
    }
  }
  const patterns = new SchemaPatterns(value, spend)
  const prepared = prepareSchema(schema, options, { spend, patterns }) as Schema
  try {
    const lookup = dereference(prepared)
    refuseCircles(lookup)
    const judge = (shortCircuit: boolean): ValidationResult => {
      steps = 0
      return patterns.within(() => validate(value, prepared, '2020-12', lookup, shortCircuit))
    }
    const quick = judge(true)
    return quick.valid ? [] : listIssues(value, quick, judge)
  } catch (error) {
    return [toIssue(error)]
  }
}

function listIssues(
  value: Json,
  quick: ValidationResult,
  judge: (shortCircuit: boolean) => ValidationResult,
): Issue[] {
  let errors = quick.errors
  try {
    errors = judge(false).errors
  } catch {
    // Too many faults to list them all: the first one, already found, is enough.
  }
  return toIssues(value, errors).slice(0, MAX_ISSUES)
}

function toIssue(error: unknown): Issue {
  if (error instanceof SchemaError) {
    throw error
  }
  if (error instanceof RangeError) {
    throw new SchemaError('too_large', 'the schema is nested too deeply')
  }
  const message = error instanceof Error ? error.message : String(error)
  return { path: [], message: message.split('\n')[0] ?? message }
}

function checkSize(schema: JsonObject, value: Json): void {
  const isUnique = JSON.stringify(schema).includes('"uniqueItems":true')
  const visit = (item: Json, depth: number): void => {
    if (typeof item !== 'object' || item === null) {
      return
    }
    if (depth > MAX_VALUE_DEPTH) {
      throw new SchemaError('too_large', `a value may be nested ${MAX_VALUE_DEPTH} levels deep`)
    }
    if (isUnique && Array.isArray(item) && item.length > MAX_UNIQUE_ITEMS) {
      throw new SchemaError(
        'too_large',
        `with uniqueItems a list may have ${MAX_UNIQUE_ITEMS} items, got ${item.length}`,
      )
    }
    for (const child of Object.values(item)) {
      visit(child, depth + 1)
    }
  }
  visit(value, 0)
}

/** A schema that leads to itself without going into the value would never end. */
function refuseCircles(lookup: Record<string, Schema | boolean>): void {
  const done = new Set<Schema>()
  const open = new Set<Schema>()
  const visit = (schema: Schema | boolean | undefined): void => {
    if (typeof schema !== 'object' || done.has(schema)) {
      return
    }
    if (open.has(schema)) {
      throw new SchemaError('circular', 'the schema refers to itself in a circle')
    }
    open.add(schema)
    for (const next of inPlace(schema, lookup)) {
      visit(next)
    }
    open.delete(schema)
    done.add(schema)
  }
  for (const schema of Object.values(lookup)) {
    visit(schema)
  }
}

/** The schemas that judge the same value as this one. */
function inPlace(
  schema: Schema,
  lookup: Record<string, Schema | boolean>,
): (Schema | boolean | undefined)[] {
  return [
    schema.$ref === undefined ? undefined : lookup[schema[ABSOLUTE_REF] ?? schema.$ref],
    ...(schema.allOf ?? []),
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
    schema.not,
    schema.if,
    schema.then,
    schema.else,
    ...Object.values(schema.dependentSchemas ?? {}),
  ]
}
