import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SchemaError } from '#core/json-schema.ts'
import { mergeParameters, validateParameters } from '#core/parameters.ts'
import type { Json, JsonObject } from '#core/wire/common.ts'

const schema: JsonObject = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    size: { type: 'integer', minimum: 3 },
    union: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    model: { $ref: '#/definitions/Model' },
    kind: { enum: ['a', 'b'] },
    rows: { type: 'array', items: { type: 'number' } },
  },
  required: ['name'],
  additionalProperties: false,
  definitions: {
    Model: { type: 'object', properties: { x: { type: 'number' } }, required: ['x'] },
  },
}

describe('validateParameters', () => {
  it('says what is wrong, and where', () => {
    const given = { size: 2, union: 5, model: {}, kind: 'c', rows: [1, 'x'], more: 1 }
    expect(validateParameters(schema, given)).toEqual([
      { path: ['name'], message: "'name' is a required property" },
      { path: ['size'], message: '2 is less than 3.' },
      { path: ['union'], message: "5 is not of type 'string', 'null'" },
      { path: ['model', 'x'], message: "'x' is a required property" },
      { path: ['kind'], message: `'c' is not one of ["a","b"]` },
      { path: ['rows', 1], message: "'x' is not of type 'number'" },
      {
        path: ['more'],
        message: "Additional properties are not allowed ('more' was unexpected)",
      },
    ])
  })

  it('can let required ones be absent', () => {
    expect(validateParameters(schema, { model: {} }, { ignoreRequired: true })).toEqual([])
  })

  it('does not change the schema', () => {
    const before = JSON.stringify(schema)
    validateParameters(schema, { name: 1 }, { ignoreRequired: true })
    expect(JSON.stringify(schema)).toBe(before)
    expect(Object.getOwnPropertyNames(schema)).not.toContain('$recursiveRef')
  })

  it.each<[string, JsonObject]>([
    ['a reference to itself', { $ref: '#' }],
    ['two that lead to each other', { $ref: '#/$defs/a', $defs: circle('a', 'b') }],
  ])('refuses circles: %s', (_, circular) => {
    const given: JsonObject = { properties: { x: { type: 'string' } }, ...circular }
    expect(() => validateParameters(given, {})).toThrow(
      expect.objectContaining({ name: 'SchemaError', code: 'circular' }) as SchemaError,
    )
  })

  it('follows references that go into the value', () => {
    const tree: JsonObject = {
      properties: { child: { $ref: '#/$defs/node' } },
      $defs: { node: { properties: { child: { $ref: '#/$defs/node' } }, required: ['name'] } },
    }
    expect(validateParameters(tree, { child: { name: 1, child: {} } })).toEqual([
      { path: ['child', 'child', 'name'], message: "'name' is a required property" },
    ])
  })

  it('fetches nothing', () => {
    const remote = { properties: { x: { $ref: 'http://localhost:1/schema.json' } } }
    expect(validateParameters(remote, { x: 1 })).toEqual([
      { path: [], message: 'Unresolved $ref "http://localhost:1/schema.json".' },
    ])
  })

  it.each<[string, JsonObject, JsonObject]>([
    ['references that double', doubling(40), { x: 'text' }],
    ['deep values', { properties: {} }, { x: nested(500) }],
    [
      'long lists of different items',
      { properties: { x: { type: 'array', uniqueItems: true } } },
      { x: Array.from({ length: 100_000 }, (_, index) => index) },
    ],
  ])('gives up what would stall: %s', (_, heavy, given) => {
    expect(() => validateParameters(heavy, given)).toThrow(
      expect.objectContaining({ name: 'SchemaError', code: 'too_large' }) as SchemaError,
    )
  })

  it.each<[JsonObject, string]>([
    [{ properties: { x: { type: 'text' } } }, 'at properties/x/type'],
    [{ required: 'x' }, 'expected a list of different strings, got "x" at required'],
    [{ properties: { x: { anyOf: [] } } }, 'expected a list of schemas'],
    [{ properties: { x: { minimum: '3' } } }, 'expected a number'],
    [{ properties: { x: nestedSchema(200) } }, 'levels deep'],
  ])('says what is wrong with the schema itself: %j', (wrong, words) => {
    expect(validateParameters(wrong, {})).toEqual([
      { path: [], message: expect.stringContaining(words) as string },
    ])
  })

  it('reads the patterns of Python that it can, and lets the others pass', () => {
    expect(validateParameters(patterns('\\A(?P<year>\\d{4})\\Z'), { x: '20260' })).toHaveLength(1)
    expect(validateParameters(patterns('\\A(?P<year>\\d{4})\\Z'), { x: '2026' })).toEqual([])
    expect(validateParameters(patterns('(?(1)a|b)'), { x: 'c' })).toEqual([])
  })

  it('answers for any value, or refuses it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (given) => {
        const issues = validateParameters(schema, given as JsonObject)
        expect(issues.length > 0 || typeof given['name'] === 'string').toBe(true)
      }),
    )
  })
})

it('replaces defaults by what is given', () => {
  expect(mergeParameters({ a: 1, b: { c: 1 } }, { b: { d: 2 } })).toEqual({ a: 1, b: { d: 2 } })
})

function circle(a: string, b: string): JsonObject {
  return { [a]: { $ref: `#/$defs/${b}` }, [b]: { allOf: [{ $ref: `#/$defs/${a}` }] } }
}

function patterns(pattern: string): JsonObject {
  return { properties: { x: { pattern } } }
}

function ref(index: number): Json {
  return { $ref: `#/$defs/d${index}` }
}

function doubling(depth: number): JsonObject {
  const twice = (index: number): Json => ({ allOf: [ref(index + 1), ref(index + 1)] })
  const defs = Array.from({ length: depth }, (_, index): [string, Json] => [
    `d${index}`,
    twice(index),
  ])
  return {
    properties: { x: ref(0) },
    $defs: Object.fromEntries([...defs, [`d${depth}`, { type: 'string' }]]),
  }
}

function nested(depth: number): Json {
  return depth === 0 ? 1 : [nested(depth - 1)]
}

function nestedSchema(depth: number): Json {
  return depth === 0 ? true : { not: nestedSchema(depth - 1) }
}
