import { expect, test } from 'vitest'
import { runInputFault } from '#domain/run-input.ts'

const schema = {
  type: 'object',
  properties: { n: { type: 'integer' }, deep: { $ref: '#/definitions/deep' } },
  required: ['n'],
  definitions: { deep: { type: 'object', properties: { s: { type: 'string' } } } },
}

test.for([
  [schema, { n: 1, deep: { s: 'x' } }, null],
  [schema, {}, /^Reason: Validation failed.*'n'/],
  [schema, { n: 1, deep: { s: 2 } }, /field 'deep\.s'/],
  [null, { n: 1 }, /schema not found/],
  ['{', { n: 1 }, /not valid JSON/],
  [[], { n: 1 }, /not valid JSON/],
  [{ $ref: '#' }, { n: 1 }, /^Invalid schema/],
] as const)('%j judges %j', ([given, input, expected]) => {
  const text = given === null || typeof given === 'string' ? given : JSON.stringify(given)
  const fault = runInputFault(text, input)
  if (expected === null) {
    expect(fault).toBeNull()
  } else {
    expect(fault).toMatch(expected)
  }
})
