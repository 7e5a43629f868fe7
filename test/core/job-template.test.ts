import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  resolveJobConfiguration,
  validateJobVariables,
  validateTemplate,
} from '#core/job-template.ts'
import { validateValue } from '#core/json-schema.ts'
import type { JsonObject } from '#core/wire/common.ts'

type Judged = 'strict' | 'ignoreRequired' | 'nullWithDefault'
type Head = { prefect: string; schema: JsonObject; parameters: JsonObject[] } & Record<
  Judged,
  boolean[]
>
type Case = [
  configuration: JsonObject,
  properties: JsonObject,
  deployment: JsonObject,
  run: JsonObject,
  filled: JsonObject,
]

const [head, ...cases] = readFileSync(new URL('fixtures/templates.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as unknown) as [Head, ...Case[]]

describe(`against Prefect ${head.prefect}`, () => {
  it('fills templates as its worker does', () => {
    expect(cases.length).toBeGreaterThan(250)
    for (const [job_configuration, properties, deployment, run, filled] of cases) {
      const template = { job_configuration, variables: { properties } }
      expect(resolveJobConfiguration(template, deployment, run)).toEqual(filled)
    }
  })

  it.each<[Judged, object]>([
    ['strict', {}],
    ['ignoreRequired', { ignoreRequired: true }],
    ['nullWithDefault', { nullWithDefault: true }],
  ])('takes and refuses the same values: %s', (name, options) => {
    const answers = head.parameters.map(
      (given) => validateValue(head.schema, given, options).length === 0,
    )
    expect(answers).toEqual(head[name])
  })
})

const template: JsonObject = {
  job_configuration: { command: 'run {{ script }}', env: '{{ env }}', size: '{{ size }}' },
  variables: {
    type: 'object',
    properties: {
      script: { type: 'string' },
      env: { type: 'object', additionalProperties: { type: 'string' } },
      size: { type: 'integer', default: 1 },
    },
    required: ['script'],
  },
}

describe('validateTemplate', () => {
  it('takes the empty one and a right one', () => {
    expect(validateTemplate({})).toEqual([])
    expect(validateTemplate(template)).toEqual([])
  })

  it.each<[string, JsonObject, (string | number)[], string]>([
    ['a part missing', { job_configuration: { a: 1 } }, [], 'must contain both'],
    [
      'an undeclared variable',
      { job_configuration: { a: ['{{ b }} {{ c }}'] }, variables: { properties: { b: {} } } },
      ['job_configuration'],
      'undeclared variable(s): c',
    ],
    [
      'a wrong schema',
      { job_configuration: { a: 1 }, variables: { properties: { b: { type: 'x' } } } },
      ['variables'],
      'Invalid schema',
    ],
    [
      'a wrong default',
      {
        job_configuration: { a: 1 },
        variables: { properties: { b: { type: 'integer', default: 'x' } } },
      },
      ['variables', 'properties', 'b'],
      "'x' is not of type 'integer'",
    ],
  ])('says what is wrong: %s', (_, given, path, words) => {
    expect(validateTemplate(given)).toEqual([
      { path, message: expect.stringContaining(words) as string },
    ])
  })
})

describe('validateJobVariables', () => {
  it('wants required ones only of a whole set', () => {
    expect(validateJobVariables(template, [{}], { required: false })).toEqual([])
    expect(validateJobVariables(template, [{}, {}], { required: true })).toEqual([
      { path: ['script'], message: "'script' is a required property" },
    ])
    expect(validateJobVariables(template, [{ script: 'a' }, null], { required: true })).toEqual([])
  })

  it('judges the variables laid over each other', () => {
    const layers = [{ script: 1 }, { script: 'a', size: 'x' }]
    expect(validateJobVariables(template, layers, { required: true })).toEqual([
      {
        path: ['size'],
        message: expect.stringContaining("'x' is not of type 'integer'") as string,
      },
    ])
  })

  it('drops a wrong default, and then wants nothing required', () => {
    const wrong = structuredClone(template)
    Object.assign((wrong['variables'] as JsonObject)['properties'] as JsonObject, {
      size: { type: 'integer', default: 'x' },
    })
    expect(validateJobVariables(wrong, [{}], { required: true })).toEqual([])
  })

  it('takes anything where the template says nothing', () => {
    expect(validateJobVariables({}, [{ a: 1 }], { required: true })).toEqual([])
  })
})

describe('resolveJobConfiguration', () => {
  it('leaves to others what only they can resolve', () => {
    const given = {
      job_configuration: { a: '{{ prefect.blocks.secret.x }}', b: '{{ $HOME }}/{{ c }}' },
      variables: { properties: { c: {} } },
    }
    expect(resolveJobConfiguration(given, { c: 'd' }, null)).toEqual({
      a: '{{ prefect.blocks.secret.x }}',
      b: '{{ $HOME }}/d',
    })
  })

  it('never fails, changes nothing that it is given and keeps to the names of the template', () => {
    const names = fc.constantFrom(
      'script',
      'env',
      'size',
      'env.A',
      'env.A.b',
      'a[0]',
      '__proto__',
      '',
    )
    const variables = fc.dictionary(names, fc.jsonValue())
    fc.assert(
      fc.property(variables, variables, (deployment, run) => {
        const before = JSON.stringify([template, deployment, run])
        const filled = resolveJobConfiguration(
          template,
          deployment as JsonObject,
          run as JsonObject,
        )
        expect(JSON.stringify([template, deployment, run])).toBe(before)
        expect(['command', 'env', 'size']).toEqual(expect.arrayContaining(Object.keys(filled)))
        expect(Object.getPrototypeOf(filled)).toBe(Object.prototype)
        expect(typeof filled['command']).toBe('string')
      }),
    )
  })
})
