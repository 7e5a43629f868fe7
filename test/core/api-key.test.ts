import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { API_KEY_RANDOM_BYTES, apiKey, apiKeyHint, isApiKey } from '../../core/api-key.ts'

const bytes = fc.uint8Array({ minLength: API_KEY_RANDOM_BYTES, maxLength: API_KEY_RANDOM_BYTES })
const digit = fc.constantFrom(
  ...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.split(''),
)

test('a key has a fixed form and its checksum is the CRC-32 that everybody computes', () => {
  // CRC-32 of "hg_key_" and 32 zeros is 0x88b806d7, computed with zlib.
  expect(apiKey(new Uint8Array(32))).toBe(`hg_key_${'0'.repeat(32)}2VEODH`)
})

test('every key is one', () => {
  fc.assert(fc.property(bytes, (random) => isApiKey(apiKey(random))))
})

test('keys of other bytes are other keys', () => {
  fc.assert(
    fc.property(bytes, bytes, (one, other) => {
      fc.pre(one.some((byte, index) => byte !== other[index]))
      return apiKey(one) !== apiKey(other)
    }),
  )
})

test('a key with one wrong character is none', () => {
  fc.assert(
    fc.property(bytes, fc.integer({ min: 7, max: 44 }), digit, (random, at, wrong) => {
      const key = apiKey(random)
      fc.pre(key[at] !== wrong)
      return !isApiKey(key.slice(0, at) + wrong + key.slice(at + 1))
    }),
  )
})

test('two characters that changed places make it none', () => {
  fc.assert(
    fc.property(bytes, fc.integer({ min: 7, max: 43 }), (random, at) => {
      const key = apiKey(random)
      fc.pre(key[at] !== key[at + 1])
      return !isApiKey(key.slice(0, at) + key.charAt(at + 1) + key.charAt(at) + key.slice(at + 2))
    }),
  )
})

test('other texts are no keys', () => {
  fc.assert(fc.property(fc.string(), (text) => !isApiKey(text)))
  expect(isApiKey('hg_key_')).toBe(false)
})

test('the hint shows four characters of it', () => {
  fc.assert(
    fc.property(bytes, (random) => {
      const key = apiKey(random)
      return apiKeyHint(key) === `hg_key_…${key.slice(-4)}`
    }),
  )
})

test('too few random bytes are refused', () => {
  expect(() => apiKey(new Uint8Array(31))).toThrow('needs 32 random bytes, got 31')
})
