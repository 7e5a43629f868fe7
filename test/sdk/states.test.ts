import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromResultRecord, MAX_RESULT_BYTES, toResultRecord } from '#sdk/states.ts'

test('what is small JSON comes back as JSON keeps it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      const record = toResultRecord(value)
      const kept = 'data' in record ? fromResultRecord(record.data) : undefined
      expect(kept).toEqual({ value: JSON.parse(JSON.stringify(value)) as unknown })
    }),
  )
})

test.each([
  ['a function', () => 1, 'a function is no JSON'],
  ['a bigint', 1n, 'it is no JSON'],
  ['a large text', 'ä'.repeat(MAX_RESULT_BYTES / 2), 'bytes and at most'],
])('%s is left out, with the reason', (_name, value, reason) => {
  expect(toResultRecord(value)).toEqual({ omitted: expect.stringContaining(reason) as string })
})

test('the largest that is kept is just under 64 KiB', () => {
  expect(toResultRecord('x'.repeat(MAX_RESULT_BYTES - 3))).toHaveProperty('data')
  expect(toResultRecord('x'.repeat(MAX_RESULT_BYTES - 2))).toHaveProperty('omitted')
})

test.each([null, undefined, 'text', [], {}, { type: 'unpersisted' }])(
  'data of others (%j) holds no value of ours',
  (data) => {
    expect(fromResultRecord(data)).toBeUndefined()
  },
)
