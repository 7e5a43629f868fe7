import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hasHugeInteger, memberText } from '#domain/json-text.ts'

test.for([
  ['{"value":1.0}', '1.0'],
  ['{ "value" : 12345678901234567890 }', '12345678901234567890'],
  ['{"a":{"value":1},"value":{"2":1e3,"1":[ ]},"b":2}', '{"2":1e3,"1":[]}'],
  ['{"value":1,"value":"a \\u00e9\\n, }"}', '"a é\\n, }"'],
  ['{"v\\u0061lue":null}', 'null'],
  ['{"a":"value","b":[{"value":3}]}', undefined],
  ['{}', undefined],
] as const)('of %s it is %s', ([text, expected]) => {
  expect(memberText(text, 'value')).toBe(expected)
})

test('it is the value, whatever stands around it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (others, value) => {
      const text = JSON.stringify({ ...others, value, end: 1 }, null, 1)
      expect(memberText(text, 'value')).toBe(JSON.stringify(value))
    }),
  )
})

test('whole numbers of more than 64 bits are told from others', () => {
  expect(hasHugeInteger('[18446744073709551615,-9223372036854775808,1e99]')).toBe(false)
  expect(hasHugeInteger('{"a":18446744073709551616}')).toBe(true)
  expect(hasHugeInteger('"18446744073709551616"')).toBe(false)
})
