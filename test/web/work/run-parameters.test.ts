import { expect, it } from 'vitest'
import { missingParameters, parseParameters, startingParameters } from '#lib/work/run-parameters.ts'

const deployment = {
  parameters: { pages: 3 },
  parameter_openapi_schema: {
    properties: { pages: { default: 1 }, dry_run: { default: false }, source: { type: 'string' } },
    required: ['source'],
  },
}

it("starts with the schema's defaults under the deployment's values", () => {
  expect(startingParameters(deployment)).toStrictEqual({ pages: 3, dry_run: false })
  expect(startingParameters({ parameters: {}, parameter_openapi_schema: null })).toStrictEqual({})
})

it('names what is still needed', () => {
  expect(missingParameters(deployment, { pages: 3 })).toStrictEqual(['source'])
  expect(missingParameters(deployment, { source: null })).toStrictEqual([])
})

it('takes an object only', () => {
  expect(parseParameters(' ')).toStrictEqual({})
  expect(parseParameters('{"a": [1]}')).toStrictEqual({ a: [1] })
  expect(parseParameters('[1]')).toContain('JSON object')
  expect(parseParameters('{a}')).toContain('JSON')
})
