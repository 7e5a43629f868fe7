import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Deletion } from '../../core/wire/deletion.ts'
import { LocalServer } from '../support/node/local-server.ts'
import { freePort, Sandbox } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'

let sandbox: Sandbox
let server: LocalServer

beforeAll(async () => {
  sandbox = new Sandbox()
  server = await LocalServer.start(sandbox, await freePort(26_480))
})
afterAll(() => sandbox.dispose())

/** By the key of the server's first start. */
async function headgate(...words: string[]) {
  const { api_url: url, api_key: key } = server.addresses
  const env = { HEADGATE_API_URL: url, HEADGATE_API_KEY: key }
  return await sandbox.headgate(words, { env })
}

async function done(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await headgate(...words)
  expect({ words, code, stderr: code === 0 ? '' : stderr }).toEqual({ words, code: 0, stderr: '' })
  return stdout.trim()
}

it('a workspace has people, a name and an export, and is deleted by who repeats its name', async () => {
  await done('member', 'invite', 'ada@example.com', '--role', 'developer')
  expect(await done('member', 'ls')).toMatch(/ada@example.com +invited until .* developer/)
  await done('member', 'remove', 'ada@example.com', '--yes')
  expect(await headgate('member', 'role', 'ada@example.com', '--role', 'viewer')).toMatchObject({
    code: 3,
  })
  await done('workspace', 'rename', 'mine')
  expect(await done('workspace', 'ls')).toContain('/mine')
  await done('work-pool', 'create', 'pool', '--type', 'process')
  const file = join(sandbox.folder, 'export.ndjson')
  await done('workspace', 'export', '--file', file)
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  expect(lines.some((line) => line.startsWith('{"kind":"work_pool"'))).toBe(true)
  expect(lines.at(-1)).toBe('{"kind":"end"}')
  const created = await headgate('workspace', 'create', 'second')
  expect(created).toMatchObject({ code: 6, stderr: expect.stringMatching(/Only people/) })
  expect(await headgate('workspace', 'delete', 'default', '--yes')).toMatchObject({ code: 6 })
  const { id } = JSON.parse(
    await done('workspace', 'delete', 'mine', '--yes', '-o', 'json'),
  ) as Deletion
  await until('its key is no longer good', async () => (await headgate('flow', 'ls')).code === 4)
  const read = await fetch(`${server.addresses.api_url}/deletions/${id}`)
  expect(await read.json()).toMatchObject({ id, finished: null })
})
