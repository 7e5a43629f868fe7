import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json, JsonObject } from '#core/wire/common.ts'
import { hydrate, HydrationError, isHydrated, upgradeTemplates } from '#domain/hydration.ts'

interface Vector {
  value: JsonObject
  result?: JsonObject
  error?: string
}

const { variables, jinja, vectors, upgrades } = JSON.parse(
  readFileSync(new URL('fixtures/hydration-vectors.json', import.meta.url), 'utf8'),
) as { variables: JsonObject; jinja: JsonObject; vectors: Vector[]; upgrades: Vector[] }

function run(value: JsonObject) {
  try {
    return { result: hydrate(value, { variable: (name) => variables[name], jinja }) }
  } catch (error) {
    if (error instanceof HydrationError) {
      return { error: error.message }
    }
    throw error
  }
}

describe("against Prefect's own", () => {
  it('has all its vectors', () => {
    expect(vectors.length).toBeGreaterThan(250)
  })

  it('makes the same of every value, or says the same of what is wrong', () => {
    const wrong = vectors.flatMap(({ value, result, error }) => {
      const expected = error === undefined ? { result } : { error }
      const got = run(value)
      return JSON.stringify(got) === JSON.stringify(expected) ? [] : [{ value, expected, got }]
    })
    expect(wrong).toEqual([])
  })

  it('upgrades bare templates in the same way', () => {
    for (const { value, result } of upgrades) {
      expect(upgradeTemplates(value)).toEqual(result)
    }
  })
})

it('leaves alone what has no kind in it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const plain = JSON.parse(JSON.stringify(value)) as JsonObject
      return (
        !isHydrated(plain) ||
        JSON.stringify(hydrate(plain, { variable: none })) === JSON.stringify(plain)
      )
    }),
  )
})

function none(): Json | undefined {
  return undefined
}
