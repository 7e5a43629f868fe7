import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { findExportName } from '#sdk/export-name.ts'
import { flow } from '#sdk/index.ts'
import { FakeApi } from '../support/node/fake-api.ts'
import { first, another } from './flows/deployed.ts'
import { startChild } from './run-child.ts'

let api: FakeApi

beforeEach(async () => {
  api = new FakeApi()
  await api.start()
  vi.stubEnv('HEADGATE_API_URL', api.url)
  vi.stubEnv('HEADGATE_API_KEY', api.key)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await api.stop()
})

const sent = (method: string) =>
  api.requests.find(
    (request) => request.method === method && request.path.startsWith('/deployments/'),
  )?.body

describe('deploy', () => {
  test('creates flow and deployment with the parameter schema and where the code is', async () => {
    const deployment = await first.deploy({
      name: 'nightly',
      workPool: 'pool',
      workQueue: 'fast',
      parameters: { n: 7 },
      jobVariables: { env: { A: 'b' } },
      tags: ['x'],
      concurrencyLimit: 2,
      collisionStrategy: 'CANCEL_NEW',
      schedules: [
        { cron: '0 9 * * *', timezone: 'Europe/Berlin' },
        { intervalSeconds: 60, active: false, slug: 'often', parameters: { n: 1 } },
        { rrule: 'FREQ=DAILY' },
      ],
    })
    expect(deployment).toMatchObject({ name: 'nightly' })
    expect(sent('POST')).toEqual({
      name: 'nightly',
      flow_id: api.flows.find(({ name }) => name === 'the first')?.id,
      entrypoint: 'test/sdk/flows/deployed.ts:first',
      work_pool_name: 'pool',
      work_queue_name: 'fast',
      job_variables: { env: { A: 'b' } },
      parameters: { n: 7 },
      tags: ['x'],
      concurrency_limit: 2,
      concurrency_options: { collision_strategy: 'CANCEL_NEW' },
      enforce_parameter_schema: true,
      parameter_openapi_schema: {
        title: 'Parameters',
        type: 'object',
        properties: {
          n: expect.objectContaining({ type: 'integer', default: 3, position: 0 }) as object,
        },
      },
      pull_steps: [
        { 'prefect.deployments.steps.set_working_directory': { directory: process.cwd() } },
      ],
      schedules: [
        { schedule: { cron: '0 9 * * *', timezone: 'Europe/Berlin' } },
        { schedule: { interval: 60 }, active: false, slug: 'often', parameters: { n: 1 } },
        { schedule: { rrule: 'FREQ=DAILY' } },
      ],
    })
  })

  test('again updates it and keeps what was set by hand', async () => {
    const options = {
      name: 'd',
      workPool: 'p',
      schedules: [{ cron: '0 9 * * *' }, { intervalSeconds: 60 }],
    }
    await first.deploy(options)
    const [before] = api.deployments
    const [cron, interval] = before?.schedules ?? []
    Object.assign(cron ?? {}, { active: false })
    Object.assign(interval ?? {}, {
      schedule: { interval: 60, anchor_date: '2026-01-01T00:00:00.000000Z' },
    })
    Object.assign(before ?? {}, { paused: true })
    const again = await first.deploy({
      ...options,
      schedules: [{ intervalSeconds: 60 }, { cron: '0 9 * * *' }, { cron: '5 * * * *' }],
    })
    expect(again.id).toBe(before?.id)
    const added: unknown = expect.objectContaining({ schedule: { cron: '5 * * * *' } })
    expect(again.schedules).toEqual([cron, interval, added])
    expect(cron?.active).toBe(false)
    expect(sent('PATCH')).not.toHaveProperty('paused')
    expect(again.paused).toBe(true)
    const without = await first.deploy({ name: 'd', workPool: 'p' })
    expect(without.schedules).toEqual(again.schedules)
  })

  test('again changes each schedule on its own, and keeps those that have a name', async () => {
    const options = { name: 'd', workPool: 'p' }
    const named = { cron: '0 9 * * *', slug: 'morning' }
    await first.deploy({ ...options, schedules: [named] })
    const next = await first.deploy({
      ...options,
      schedules: [{ ...named, cron: '0 8 * * *' }, { cron: '0 20 * * *' }],
    })
    expect(next.schedules).toMatchObject([
      { schedule: { cron: '0 8 * * *' }, slug: 'morning' },
      { schedule: { cron: '0 20 * * *' }, slug: null },
    ])
    const last = await first.deploy({ ...options, schedules: [] })
    expect(last.schedules).toEqual([next.schedules[0]])
  })

  test('goes on with the schedules after an answer was lost, and makes none twice', async () => {
    const options = { name: 'd', workPool: 'p' }
    await first.deploy(options)
    let cuts = 0
    api.fault = ({ method, path }) =>
      method === 'POST' && path.endsWith('/schedules') && (cuts += 1) === 1
        ? 'cut after'
        : undefined
    const again = await first.deploy({ ...options, schedules: [{ cron: '0 9 * * *' }] })
    expect(again.schedules).toHaveLength(1)
    expect(cuts).toBe(1)
  })

  test('says what to do when it can not know the entrypoint', async () => {
    const inner = flow({ name: 'inner' }, () => 1)
    await expect(inner.deploy({ name: 'd', workPool: 'p' })).rejects.toThrow(
      "flow 'inner' should be exported by name where it is defined",
    )
    expect(api.deployments).toEqual([])
  })

  test('refuses a schema without JSON form, before anything is made', async () => {
    const dated = flow({ name: 'dated', parameters: z.object({ at: z.date() }) }, () => 1)
    await expect(dated.deploy({ name: 'd', workPool: 'p', entrypoint: 'a.ts:b' })).rejects.toThrow(
      "parameters of flow 'dated' have no JSON Schema ('zod' says: Date cannot",
    )
    const foreign = {
      '~standard': {
        version: 1 as const,
        vendor: 'other',
        validate: (value: unknown) => ({ value: value as { a: number } }),
      },
    }
    const other = flow({ name: 'other', parameters: foreign }, () => 1)
    await expect(other.deploy({ name: 'd', workPool: 'p', entrypoint: 'a.ts:b' })).rejects.toThrow(
      "schema of 'other' that can't be written as JSON Schema",
    )
    const list = flow({ name: 'list', parameters: z.array(z.string()) }, () => 1)
    expect(() => list.parameterSchema()).toThrow('must be an object schema, got type "array"')
    expect(api.requests).toEqual([])
  })

  test('without an API says how to configure one', async () => {
    vi.stubEnv('HEADGATE_API_URL', undefined)
    vi.stubEnv('HEADGATE_HOME', '/nonexistent')
    await expect(first.deploy({ name: 'd', workPool: 'p' })).rejects.toThrow(
      "deploying flow 'the first' needs an API, and none is configured: set HEADGATE_API_URL",
    )
  })
})

test('finds the export names of a list and of a module that deploys itself', async () => {
  const listed = await another.deploy({ name: 'd', workPool: 'p' })
  expect(listed.entrypoint).toBe('test/sdk/flows/deployed.ts:another')
  const script = new URL('./flows/deploys-itself.ts', import.meta.url).pathname
  expect(await startChild(script, api.environment()).ended).toMatchObject({ code: 0, stderr: '' })
  expect(api.deployments.at(-1)?.entrypoint).toBe('test/sdk/flows/deploys-itself.ts:own')
})

test.each([
  ["export const hello = flow({ name: 'f' })", 9, 'hello'],
  ['export const hello =\n  flow({\n  name: "f" })', 2, 'hello'],
  ["const hello = flow({ name: 'f' })", 1, undefined],
  ["const hello = flow({ name: 'f' })\nexport { other, hello }", 1, 'hello'],
  ["const hello = flow({ name: 'f' })\nexport { hello as hi }", 1, 'hi'],
  ["const hello = flow({ name: 'f' })\nexport default hello", 1, 'default'],
  ["export const a = flow({ name: 'g' })\nexport const b = flow({ name: 'f' })", 1, 'b'],
  ["export const a = flow({ name: 'f' })\nexport const b = flow({ name: 'f' })", 2, 'b'],
  ['export const a = flow({ name })\nexport const b = flow({ name })', 1, 'a'],
  ["if (x) {\n  const a = flow({ name: 'f' })\n}", 2, undefined],
  ['flow({})', 1, undefined],
])('the export name in %j', (source, line, name) => {
  expect(findExportName(source, 'f', line)).toBe(name)
})
