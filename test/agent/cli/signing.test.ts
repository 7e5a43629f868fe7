import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readPublicKey } from '../../../agent/trust/signing-key.ts'
import { signatureFault } from '../../../agent/trust/judge-signature.ts'
import { resolveJobConfiguration } from '../../../core/job-template.ts'
import type { JsonObject } from '../../../core/wire/common.ts'
import { aClaimedRun } from '../../support/node/a-claimed-run.ts'
import { FakeApi } from '../../support/node/fake-api.ts'
import { type CommandLine, makeCommandLine } from '../../support/node/headgate.ts'

const api = new FakeApi()
let folder: string
let headgate: CommandLine
let key: string
let keyId: string

const TEMPLATE: JsonObject = {
  job_configuration: {
    command: '{{ command }}',
    env: '{{ env }}',
    working_dir: '{{ working_dir }}',
  },
  variables: { type: 'object', properties: { command: {}, env: { default: {} }, working_dir: {} } },
}

beforeAll(async () => {
  const url = await api.start()
  folder = mkdtempSync(join(tmpdir(), 'headgate-signing-'))
  writeFileSync(join(folder, 'etl.py'), '@flow\ndef etl():\n    pass\n')
  headgate = makeCommandLine({
    env: { HEADGATE_API_URL: url, HEADGATE_API_KEY: api.key },
    directory: folder,
  })
  key = join(folder, 'deploy.key')
  const made = await headgate.json<{ key_id: string }>('signing-key', 'create', key)
  keyId = made.key_id
  await headgate.run('work-pool', 'create', 'default')
})
afterAll(() => api.stop())
beforeEach(() => {
  api.deployments.length = 0
  setTemplate(TEMPLATE)
})

function setTemplate(base_job_template: JsonObject): void {
  Object.assign(api.pools[0] ?? {}, { base_job_template })
}

const deploy = (...words: string[]) =>
  headgate.run('deploy', 'etl.py:etl', '--name', 'd', '--pool', 'default', ...words)

/** What an agent of the pool says of a run, with these variables of its own. */
function faultOf(template: JsonObject, variables: JsonObject = {}): string | undefined {
  const [deployment] = api.deployments
  const claimed = aClaimedRun({ deployment: deployment ?? null })
  const job = resolveJobConfiguration(template, deployment?.job_variables ?? {}, variables)
  const flow = claimed.flow && { ...claimed.flow, name: 'etl' }
  const keys = new Map([[keyId, readPublicKey(readFileSync(`${key}.pub`, 'utf8'))]])
  return signatureFault({ ...claimed, flow, job_configuration: job }, 'default', keys)
}

describe('headgate signing-key create', () => {
  it('makes a private file and a public one, and overwrites neither', async () => {
    expect(statSync(key).mode & 0o777).toBe(0o600)
    const text = readFileSync(key, 'utf8')
    expect(text).toMatch(/^-----BEGIN PRIVATE KEY-----/)
    const again = await headgate.run('signing-key', 'create', key)
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('is there already') })
    expect(readFileSync(key, 'utf8')).toBe(text)
  })
})

describe('headgate deploy --sign-with', () => {
  it('signs what an agent finds in the run, and says it to the API whole', async () => {
    await deploy('--job-variable', 'env={"A":1}', '--job-variable', 'env.B=x')
    const { stdout } = await deploy('--sign-with', key, '--job-variable', 'env={"A":1}')
    expect(stdout).toContain('(signed)')
    const [deployment] = api.deployments
    expect(deployment).toMatchObject({ job_variables: { env: { A: 1 } }, path: null })
    expect(deployment?.signature).toMatchObject({ algorithm: 'ed25519', key_id: keyId })
    expect(faultOf(TEMPLATE)).toBeUndefined()
    expect(faultOf(TEMPLATE, { command: 'sh' })).toContain('job_configuration.command differs')
  })

  it('takes the key that the project file names, from its folder', async () => {
    const file = join(folder, 'prefect.yaml')
    const entry = { name: 'd', entrypoint: 'etl.py:etl', work_pool: { name: 'default' } }
    writeFileSync(file, JSON.stringify({ deployments: [{ ...entry, sign_with: 'deploy.key' }] }))
    expect(await headgate.run('deploy', '--file', file)).toMatchObject({ code: 0 })
    expect(faultOf(TEMPLATE)).toBeUndefined()
  })

  it('says that a deploy without it leaves a signature that is not for it', async () => {
    await deploy('--sign-with', key)
    const { stderr } = await deploy('--job-variable', 'command=sh')
    expect(stderr).toContain('carries the signature of an earlier deploy')
  })

  it('does not sign unseen what the template of the pool adds', async () => {
    const job = { ...(TEMPLATE['job_configuration'] as JsonObject), command: 'sh -c id' }
    const template = { ...TEMPLATE, job_configuration: job }
    setTemplate(template)
    const refused = await deploy('--sign-with', key)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/adds to .*:\n {2}job_configuration\.command: "sh -c id"\n/)
    expect(api.deployments).toEqual([])
    expect(await deploy('--sign-with', key, '--accept-template')).toMatchObject({ code: 0 })
    expect(faultOf(template)).toBeUndefined()
    expect(faultOf(TEMPLATE)).toContain('job_configuration.command differs')
  })

  it.each([
    ['none.key', /none\.key can't be used: ENOENT/],
    [
      'deploy.key.pub',
      /deploy\.key\.pub can't be used: it holds a public key: give the private one/,
    ],
  ])('says what is wrong with %s', async (file, words) => {
    const outcome = await deploy('--sign-with', join(folder, file))
    expect(outcome.code).toBe(2)
    expect(outcome.stderr).toMatch(words)
    expect(api.deployments).toEqual([])
  })
})
