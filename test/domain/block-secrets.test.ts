import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { JsonObject } from '#core/wire/common.ts'
import { keepMaskedSecrets, maskSecrets } from '#domain/block-secrets.ts'
import { parseExactly } from '#domain/exact-json.ts'

const MASK = '********'

it.each<[string, string[], JsonObject, JsonObject]>([
  ['a field', ['token'], { token: 't', user: 'u' }, { token: MASK, user: 'u' }],
  ['a number', ['pin'], { pin: 1234 }, { pin: MASK }],
  ['no secret that is not there', ['token', 'child.token'], { child: {} }, { child: {} }],
  ['not null, which tells nothing', ['token'], { token: null }, { token: null }],
  ['an empty text', ['token'], { token: '' }, { token: MASK }],
  [
    'a nested field',
    ['child.token'],
    { child: { token: 't', x: 1 } },
    { child: { token: MASK, x: 1 } },
  ],
  [
    'all below',
    ['d.*'],
    { d: { a: 'b', c: { e: 1, n: null } } },
    { d: { a: MASK, c: { e: MASK, n: MASK } } },
  ],
  ['an empty dictionary of secrets', ['d.*'], { d: {} }, { d: MASK }],
  [
    'the parts of a secret that is an object',
    ['value'],
    { value: { a: [1], b: 2 } },
    { value: { a: MASK, b: MASK } },
  ],
  ['a secret that is a list', ['value'], { value: ['a', 'b'] }, { value: MASK }],
  [
    'secrets in a list of objects',
    ['items.token'],
    { items: [{ token: 't', n: 1 }, 5] },
    { items: [{ token: MASK, n: 1 }, 5] },
  ],
])('masks %s', (_, fields, data, masked) => {
  expect(maskSecrets(data, fields)).toEqual(masked)
})

it('masks a number that is kept as it came', () => {
  const data = parseExactly('{"pin":1.0,"d":{"x":2.0}}') as JsonObject
  expect(maskSecrets(data, ['pin', 'd.*'])).toEqual({ pin: MASK, d: { x: MASK } })
})

const name = fc.constantFrom('a', 'b', 'c')
const value = fc.letrec<{ value: string | null | JsonObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    fc.string({ minLength: 1 }).filter((text) => text !== MASK),
    fc.dictionary(name, tie('value'), { minKeys: 1 }) as fc.Arbitrary<JsonObject>,
  ),
})).value
const block = fc.dictionary(name, value, { minKeys: 1 }) as fc.Arbitrary<JsonObject>
const fields = fc.uniqueArray(
  fc
    .tuple(fc.array(name, { minLength: 1, maxLength: 3 }), fc.boolean())
    .map(([path, all]) => [...path, ...(all ? ['*'] : [])].join('.')),
)

it('gives back what was masked when it is sent back', () => {
  fc.assert(
    fc.property(block, fields, (data, secretFields) => {
      const shown = maskSecrets(data, secretFields)
      expect(keepMaskedSecrets(shown, data, secretFields)).toEqual(data)
    }),
  )
})

it('shows no secret', () => {
  fc.assert(
    fc.property(block, name, (data, field) => {
      const shown = maskSecrets(data, [field])[field]
      expect(JSON.stringify(shown ?? MASK).replaceAll(/"[abc]":/g, '')).toMatch(/^[{},"*]+$/)
    }),
  )
})

it('takes a new secret, and the masks of what had no secret', () => {
  expect(keepMaskedSecrets({ token: 'new' }, { token: 'old' }, ['token'])).toEqual({ token: 'new' })
  expect(keepMaskedSecrets({ token: MASK }, {}, ['token'])).toEqual({ token: MASK })
  expect(keepMaskedSecrets({ open: MASK }, { open: 'x' }, ['token'])).toEqual({ open: MASK })
})
