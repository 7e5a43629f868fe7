import { cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Deployment } from '../../../core/wire/deployment.ts'
import { type CommandLine, makeCommandLine } from '../../support/node/headgate.ts'
import { FakeApi } from '../../support/node/fake-api.ts'

const SDK = resolve(import.meta.dirname, '../../../sdk/index.ts')
const FLOWS = `
import { flow } from ${JSON.stringify(SDK)}

export const hello = flow({ name: 'hello', description: 'Greets' }, async () => 'hi')
export const nothing = 3
`
const PROJECT = `
name: shop
deployments:
  - name: nightly
    entrypoint: flows.ts:hello
    version: 2
    work_pool: { name: default }
    schedules:
      - { cron: 0 3 * * *, timezone: Europe/Berlin }
  - name: python
    entrypoint: etl.py:run_etl
    work_pool: { name: default, work_queue_name: high }
`

const api = new FakeApi()
let folder: string
let headgate: CommandLine

beforeAll(async () => {
  const url = await api.start(23_100)
  folder = mkdtempSync(join(tmpdir(), 'headgate-project-'))
  writeFileSync(join(folder, 'flows.ts'), FLOWS)
  writeFileSync(join(folder, 'etl.py'), '@flow\ndef run_etl(n: int):\n    pass\n')
  writeFileSync(join(folder, 'prefect.yaml'), PROJECT)
  headgate = makeCommandLine({
    env: { HEADGATE_API_URL: url, HEADGATE_API_KEY: api.key },
    directory: folder,
  })
  await headgate.run('work-pool', 'create', 'default')
})
afterAll(() => api.stop())
beforeEach(() => {
  api.deployments.length = 0
})

describe('headgate deploy', () => {
  it('deploys what the project file lists', async () => {
    const { code, stdout, stderr } = await headgate.run('deploy', '--all')
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout:
        'Created hello/nightly in default/default  cron 0 3 * * * (Europe/Berlin)\n' +
        'Created run-etl/python in default/high\n' +
        'Run it with `headgate deployment run hello/nightly --watch`.\n',
    })
    expect(stderr).toMatch(/No agent serves 'default' now: start one with/)
    const [nightly, python] = api.deployments
    expect(nightly).toMatchObject({
      name: 'nightly',
      description: 'Greets',
      version: '2',
      entrypoint: 'flows.ts:hello',
      parameter_openapi_schema: { type: 'object' },
      enforce_parameter_schema: true,
      pull_steps: [{ 'prefect.deployments.steps.set_working_directory': { directory: folder } }],
    })
    expect(python).toMatchObject({
      parameter_openapi_schema: null,
      enforce_parameter_schema: false,
      work_queue_name: 'high',
      schedules: [],
    })
  })

  it('changes, at the second deploy, only what the file mentions', async () => {
    await headgate.run('deploy', 'nightly')
    const [deployment] = api.deployments
    const [schedule] = deployment?.schedules ?? []
    Object.assign(schedule ?? {}, { active: false })
    Object.assign(deployment ?? {}, { paused: true, tags: ['by-hand'], description: 'Old' })

    const { stdout } = await headgate.run('deploy', 'nightly')
    expect(stdout).toMatch(/^Updated hello\/nightly in default\/default {2}\(paused\)$/m)
    expect(api.deployments).toHaveLength(1)
    expect(deployment).toMatchObject({ paused: true, tags: ['by-hand'], description: 'Greets' })
    expect(deployment?.schedules).toEqual([{ ...schedule, active: false }])
  })

  it('brings the schedules to what the file lists, and says what it removes and keeps', async () => {
    await headgate.run('deploy', 'nightly')
    const named = ['--cron', '0 12 * * *', '--slug', 'noon']
    await headgate.run('deployment', 'schedule', 'create', 'hello/nightly', ...named)
    const other = mkdtempSync(join(tmpdir(), 'headgate-project-'))
    cpSync(folder, other, { recursive: true })
    writeFileSync(join(other, 'prefect.yaml'), PROJECT.replace('0 3 * * *', '0 4 * * *'))

    const file = ['--file', join(other, 'prefect.yaml')]
    const { stderr } = await headgate.run('deploy', 'nightly', ...file)
    expect(stderr).toMatch(/removed its schedule cron 0 3 \* \* \* \(Europe\/Berlin\)/)
    expect(stderr).toMatch(/kept its schedule 'noon' \(cron 0 12/)
    const crons = api.deployments[0]?.schedules.map(({ schedule }) => schedule)
    expect(crons).toEqual([
      { cron: '0 12 * * *' },
      { cron: '0 4 * * *', timezone: 'Europe/Berlin' },
    ])
  })

  it('deploys one flow without a file', async () => {
    const words = ['flows.ts:hello', '--name', 'now', '--pool', 'default', '--interval', '15m']
    const more = ['--param', 'n=3', '--tag', 'a', '--tag', 'b', '--job-variable', 'env={"A":"1"}']
    const [deployment] = await headgate.json<Deployment[]>('deploy', ...words, ...more)
    expect(deployment).toMatchObject({
      name: 'now',
      parameters: { n: 3 },
      tags: ['a', 'b'],
      job_variables: { env: { A: '1' } },
      schedules: [{ schedule: { interval: 900 }, active: true }],
    })
  })

  it.each([
    [['deploy'], 2, /lists several deployments: nightly, python\.\nName those/],
    [['deploy', 'weekly'], 2, /lists no deployment 'weekly', but nightly, python/],
    [['deploy', '--file', 'none.yaml'], 2, /none\.yaml can't be read/],
    [['deploy', 'flows.ts:hello', '--name', 'x'], 2, /names no work pool/],
    [['deploy', 'flows.ts:hello', '--name', 'x', '--pool', 'gpu'], 3, /no work pool 'gpu'/],
    [['deploy', 'flows.ts:none', '--name', 'x'], 2, /does not export 'none'; it exports hello, no/],
    [['deploy', 'flows.ts:nothing', '--name', 'x'], 2, /'nothing' of flows\.ts is not a flow/],
    [['deploy', 'none.ts:x', '--name', 'x'], 2, /none\.ts can't be read/],
    [['deploy', 'etl.py:none', '--name', 'x'], 2, /defines no function 'none'/],
  ])('%j exits %i', async (words, code, message) => {
    const outcome = await headgate.run(...words)
    expect(outcome.stderr).toMatch(message)
    expect(outcome.code).toBe(code)
    expect(api.deployments).toEqual([])
  })
})
