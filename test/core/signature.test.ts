import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  canonicalJson,
  differingFields,
  type SignedDeployment,
  signedFields,
} from '../../core/signature.ts'
import type { Json, JsonObject } from '../../core/wire/common.ts'

const DEPLOYMENT: SignedDeployment = {
  flow_name: 'hello',
  deployment_name: 'prod',
  work_pool_name: 'default',
  entrypoint: 'flows.ts:hello',
  path: null,
  pull_steps: [{ set_working_directory: { directory: '/code' } }],
  job_configuration: { command: 'node a.js', env: { A: '1', 'B.C': '2' }, labels: {} },
}
const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as Json)
const fieldsOf = (given: Partial<SignedDeployment> = {}) =>
  Object.fromEntries(signedFields({ ...DEPLOYMENT, ...given }))

describe('canonical JSON', () => {
  test('says the same value, and says equal values equally, however their keys are ordered', () => {
    const turned = (value: Json): Json => {
      if (Array.isArray(value)) {
        return value.map(turned)
      }
      return typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .toReversed()
              .map(([key, item]) => [key, turned(item)]),
          )
        : value
    }
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(value)
        expect(canonicalJson(turned(value))).toBe(canonicalJson(value))
      }),
    )
  })
})

describe('the signed fields', () => {
  test('are all that decides what is run', () => {
    expect(Object.keys(fieldsOf())).toEqual([
      'flow_name',
      'deployment_name',
      'work_pool_name',
      'entrypoint',
      'path',
      'pull_steps',
      'job_configuration.command',
      'job_configuration.env.A',
      'job_configuration.env.B.C',
      'job_configuration.labels',
    ])
  })

  test('leave out how a run is shown and stopped', () => {
    const job_configuration = {
      ...DEPLOYMENT.job_configuration,
      name: 'any',
      stream_output: false,
      grace_seconds: 1,
      start_timeout_seconds: 2,
    }
    expect(fieldsOf({ job_configuration })).toEqual(fieldsOf())
  })

  test('tell a key with dots from a variable', () => {
    const asKey = fieldsOf({ job_configuration: { 'env.A': '1', env: {} } })
    const asVariable = fieldsOf({ job_configuration: { env: { A: '1' } } })
    expect(differingFields(asKey, asVariable)).not.toEqual([])
  })

  test('differ wherever the job differs, whatever it is', () => {
    const job = fc.dictionary(fc.string(), json)
    const unsigned = new Set(['name', 'stream_output', 'grace_seconds', 'start_timeout_seconds'])
    const decisive = (value: JsonObject) =>
      canonicalJson(
        Object.fromEntries(
          Object.entries(value).filter(
            // An `env` without variables sets none, as one that is not there.
            ([key, item]) => !unsigned.has(key) && !(key === 'env' && canonicalJson(item) === '{}'),
          ),
        ),
      )
    fc.assert(
      fc.property(job, job, (one, other) => {
        const names = differingFields(
          fieldsOf({ job_configuration: one }),
          fieldsOf({ job_configuration: other }),
        )
        expect(names.length === 0).toBe(decisive(one) === decisive(other))
      }),
    )
  })
})
