import { expect, test } from 'vitest'
import { MASKED_VALUE, valueAfter } from '#domain/variable.ts'

const plain = { value: '"open"', secret: null }
const sealed = { value: '2.sealed', secret: true }

test.for<[name: string, ...Parameters<typeof valueAfter>, result: ReturnType<typeof valueAfter>]>([
  ['nothing is asked of a plain one', plain, {}, 'as it was'],
  ['nothing is asked of a secret one', sealed, {}, 'as it was'],
  ['a new value', plain, { value: '1' }, { value: '1', secret: false }],
  ['a new secret value', sealed, { value: '1' }, { value: '1', secret: true }],
  ['the mask comes back', sealed, { value: MASKED_VALUE }, 'as it was'],
  [
    'a plain one may look like it',
    plain,
    { value: MASKED_VALUE },
    { value: MASKED_VALUE, secret: false },
  ],
  ['it becomes secret', plain, { secret: true }, 'sealed'],
  [
    'it becomes secret with a value',
    plain,
    { secret: true, value: '1' },
    { value: '1', secret: true },
  ],
  ['it is secret already', sealed, { secret: true }, 'as it was'],
  [
    'it becomes plain with a value',
    sealed,
    { secret: false, value: '1' },
    { value: '1', secret: false },
  ],
])('%s', ([, before, asked, result]) => {
  expect(valueAfter(before, asked)).toEqual(result)
})

test.for([{}, { value: MASKED_VALUE }])('a secret value is never laid open: %j', (asked) => {
  expect(() => valueAfter(sealed, { ...asked, secret: false })).toThrow(/with a new value only/)
})
