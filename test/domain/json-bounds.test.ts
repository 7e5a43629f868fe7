import { expect, test } from 'vitest'
import { boundsFault, MAX_JSON_DEPTH } from '#domain/json-bounds.ts'

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level += 1) {
    value = level % 2 === 0 ? [value] : { a: value }
  }
  return value
}

test('values may be nested so deep, and no deeper', () => {
  expect(boundsFault(nested(0))).toBeUndefined()
  expect(boundsFault(nested(MAX_JSON_DEPTH))).toBeUndefined()
  expect(boundsFault(nested(MAX_JSON_DEPTH + 1))).toMatch(/levels deep/)
  expect(boundsFault(nested(100_000))).toMatch(/levels deep/)
})

test('there may be so many values, wherever they are', () => {
  const list = Array.from({ length: 300_000 }, () => 1)
  expect(boundsFault(list)).toBeUndefined()
  expect(boundsFault({ a: list, b: 'a long text'.repeat(100_000) })).toBeUndefined()
  expect(boundsFault({ a: list, b: list })).toMatch(/more than \d+ values/)
})
