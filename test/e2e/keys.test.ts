import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import type { ApiKey, ServiceAccount } from '../../core/wire/api-key.ts'
import type { AuditEntry } from '../../core/wire/audit.ts'
import { BuiltAgent } from '../support/node/built-agent.ts'
import { LocalServer } from '../support/node/local-server.ts'
import { freePort, Sandbox } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'

let sandbox: Sandbox
let server: LocalServer

beforeAll(async () => {
  sandbox = new Sandbox()
  server = await LocalServer.start(sandbox, await freePort(26_340))
})
afterAll(() => sandbox.dispose())

function headgate(key: string, ...words: string[]) {
  const env = { HEADGATE_API_URL: server.addresses.api_url, HEADGATE_API_KEY: key }
  return sandbox.headgate(words, { env })
}

/** By the key of the server's first start. */
async function done(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await headgate(server.addresses.api_key, ...words)
  expect({ words, code, stderr: code === 0 ? '' : stderr }).toEqual({ words, code: 0, stderr: '' })
  return stdout.trim()
}

describe.sequential('keys', () => {
  it('of a service account allow what its role does', async () => {
    await done('service-account', 'create', 'ci', '--role', 'viewer')
    const key = await done('service-account', 'create-key', 'ci')
    expect(key).toMatch(/^hg_key_/)
    expect(await headgate(key, 'work-pool', 'ls')).toMatchObject({ code: 0 })
    const refused = await headgate(key, 'work-pool', 'create', 'pool')
    expect(refused).toMatchObject({ code: 6, stderr: expect.stringMatching(/role developer/) })
    await done('service-account', 'update', 'ci', '--role', 'developer')
    await until(
      'the role is in force',
      async () => (await headgate(key, 'work-pool', 'create', 'pool')).code === 0,
    )
    const accounts = JSON.parse(
      await done('service-account', 'ls', '-o', 'json'),
    ) as ServiceAccount[]
    expect(accounts).toMatchObject([{ name: 'ci', role: 'developer' }])
    expect(await done('service-account', 'keys', 'ci')).toMatch(/service_account/)
    await done('service-account', 'delete', 'ci', '--yes')
    await until('its key ends', async () => (await headgate(key, 'work-pool', 'ls')).code === 4)
  })

  it('leave their traces in the audit log, which is listed and exported', async () => {
    await done('service-account', 'create', 'auditor', '--role', 'viewer')
    const words = ['--object', 'service_account', '--since', '1h']
    expect(await done('audit', 'ls', ...words)).toMatch(
      /WHEN +WHO.*\n.*api_key .* post_service_accounts +service_account auditor +made/,
    )
    const [line = ''] = (await done('audit', 'export', ...words)).split('\n')
    const entry = JSON.parse(line) as AuditEntry
    expect(entry).toMatchObject({ object_name: 'auditor', after: { role: 'viewer' } })
    const none = await done('audit', 'ls', '--actor', 'nobody', '-o', 'json')
    expect(JSON.parse(none)).toEqual([])
    const wrong = await headgate(server.addresses.api_key, 'audit', 'ls', '--since', 'soon')
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/--since: expected/) })
  })

  it('of an agent start runs, which never see it, and end the agent when they are revoked', async () => {
    const key = await done('key', 'create', 'eu-1', '--kind', 'agent', '--pool', 'pool')
    expect(await headgate(key, 'flow', 'ls')).toMatchObject({ code: 6 })
    const agent = BuiltAgent.start(sandbox, {
      pool: 'pool',
      environment: { HEADGATE_API_URL: server.addresses.api_url, HEADGATE_API_KEY: key },
    })
    onTestFailed(() => {
      process.stderr.write(agent.said)
    })
    const { client } = server
    const { id: flow_id } = await client.createFlow({ name: 'environment' })
    const printed = sandbox.path('environment.txt')
    const { id } = await client.createDeployment({
      name: 'd',
      flow_id,
      work_pool_name: 'pool',
      entrypoint: 'none.py:none',
      job_variables: { command: `sh -c "env >${printed}"` },
    })
    await client.createFlowRunFromDeployment(id)
    await agent.says('run ended')
    const environment = readFileSync(printed, 'utf8')
    expect(environment).toContain('HEADGATE_API_KEY=hgr_')
    expect(environment).not.toContain(key)
    expect(await done('key', 'ls')).toMatch(/eu-1 .* agent .* 1 pool .* good/)
    await done('key', 'revoke', 'eu-1', '--yes')
    expect(await agent.exit()).toBe(4)
  })

  it('of an agent that enrols are its own over restarts, and end with the enrolment', async () => {
    const token = await done('enrolment', 'create', 'hosts', '--pool', 'pool')
    expect(token).toMatch(/^hg_enrol_/)
    const start = () => {
      const agent = BuiltAgent.start(sandbox, {
        pool: 'pool',
        name: 'enrolled',
        environment: {
          HEADGATE_API_URL: server.addresses.api_url,
          HEADGATE_ENROLMENT_TOKEN: token,
        },
      })
      onTestFailed(() => {
        process.stderr.write(agent.said)
      })
      return agent
    }
    const first = start()
    await first.says('enrolled')
    await first.crash()
    const second = start()
    await second.says('serves pool')
    expect(second.said).not.toContain('enrolled: ')
    expect(await done('key', 'ls')).toMatch(/enrolled .* agent .* 1 pool .* until/)
    expect(await done('enrolment', 'ls')).toMatch(/hosts .* 1 of 1 .* used up/)
    await done('enrolment', 'revoke', 'hosts', '--keys', '--yes')
    expect(await second.exit()).toBe(4)
  })

  it('are rotated without a gap', async () => {
    const old = await done('key', 'create', 'deploys', '--scope', 'see', '--scope', 'write')
    const next = await done('key', 'rotate', 'deploys', '--overlap', '60')
    expect(await headgate(old, 'flow', 'ls')).toMatchObject({ code: 0 })
    expect(await headgate(next, 'flow', 'ls')).toMatchObject({ code: 0 })
    expect(await headgate(next, 'key', 'ls')).toMatchObject({ code: 6 })
    const keys = JSON.parse(await done('key', 'ls', '-o', 'json')) as ApiKey[]
    expect(keys.filter(({ name }) => name === 'deploys')).toMatchObject([
      { scopes: ['see', 'write'], expires: expect.any(String) },
      { scopes: ['see', 'write'], expires: null },
    ])
    const several = await headgate(server.addresses.api_key, 'key', 'revoke', 'deploys', '--yes')
    expect(several).toMatchObject({ code: 6, stderr: expect.stringMatching(/Give the id/) })
  })
})
