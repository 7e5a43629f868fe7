import { runDurableObjectAlarm } from 'cloudflare:test'
import { afterEach, expect, test, vi } from 'vitest'
import type { Workspace } from '#storage/workspace.ts'
import { deriveKey, encrypt, utf8 } from '#storage/encryption.ts'
import { jobsStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, clientOf } from '../support/workspace.ts'

afterEach(() => {
  vi.useRealTimers()
})

async function aSecret({ client }: Awaited<ReturnType<typeof aWorkspace>>, value: string) {
  const type = await client.readBlockTypeBySlug('secret')
  const [schema] = await client.filterBlockSchemas({
    block_schemas: { block_type_id: { any_: [type.id] } },
  })
  return await client.createBlockDocument({
    name: `s-${crypto.randomUUID()}`,
    block_type_id: type.id,
    block_schema_id: schema?.id ?? '',
    data: { value },
  })
}

async function sealedTexts(workspace: Workspace): Promise<string[]> {
  const { results } = await workspace.database
    .prepare('SELECT data FROM block_document WHERE workspace_id = ? ORDER BY id')
    .bind(workspace.id)
    .all<{ data: string }>()
  return results.map((row) => row.data)
}

test('a new key seals all secrets of its workspace anew, and all of them can be read', async () => {
  const own = await aWorkspace()
  const other = await aWorkspace()
  await aSecret(other, 'of another')
  const ofOther = await sealedTexts(other.workspace)
  const values = Array.from({ length: 60 }, (_, index) => `value ${index}`)
  const made = await Promise.all(values.map((value) => aSecret(own, value)))
  // Two that the first release sealed, of which one is under a secret that is lost.
  const { workspace } = own
  const [first, second] = made
  for (const [secret, id] of [
    [workspace.bindings.HEADGATE_SECRET, first?.id],
    ['lost', second?.id],
  ] as const) {
    const { id: mark, key } = await deriveKey(secret, workspace.id, {
      id: 'headgate: id of the key of block documents',
      key: 'headgate: key of block documents',
    })
    const data = `1.${mark}.${await encrypt(key, id ?? '', utf8('{"value":"value 0"}'))}`
    await workspace.database
      .prepare('UPDATE block_document SET data = ? WHERE workspace_id = ? AND id = ?')
      .bind(data, workspace.id, id)
      .run()
  }
  const before = await sealedTexts(workspace)
  await own.client.createVariable({ name: 'secret', value: 'quiet', secret: true })
  await own.client.createVariable({ name: 'plain', value: 'loud' })

  vi.useFakeTimers({ toFake: ['Date'] })
  const job = await own.client.rotateWorkspaceKey()
  expect(job).toMatchObject({ kind: 'rotate_key', state: 'RUNNING' })
  await expect
    .poll(async () => {
      // The second time over waits half a minute.
      vi.setSystemTime(Date.now() + 60_000)
      await runDurableObjectAlarm(asStub(jobsStub(workspace)))
      return await own.client.readJob(job.id)
    })
    .toMatchObject({ state: 'COMPLETED', done: 60, skipped: 1 })
  const after = await sealedTexts(workspace)
  expect(after.filter((text) => text.startsWith(`2.${job.id}.`))).toHaveLength(59)
  expect(after.filter((text) => before.includes(text))).toEqual([expect.stringMatching(/^1\./)])
  for (const [index, document] of made.entries()) {
    if (index !== 1) {
      const read = await own.client.readBlockDocument(document.id, true)
      expect(read.data).toEqual({ value: values[index] })
    }
  }
  const variables = await workspace.database
    .prepare('SELECT name, value FROM variable WHERE workspace_id = ? ORDER BY name')
    .bind(workspace.id)
    .all<{ name: string; value: string }>()
  expect(variables.results).toMatchObject([
    { name: 'plain', value: '"loud"' },
    { name: 'secret', value: expect.stringContaining(`2.${job.id}.`) },
  ])
  expect((await own.client.readVariable('secret')).value).toBe('quiet')
  expect(await sealedTexts(other.workspace)).toEqual(ofOther)
})

test('only who manages the workspace gives it a new key', async () => {
  const { client } = await aWorkspace()
  const limited = await client.createApiKey({
    name: 'limited',
    kind: 'workspace',
    scopes: ['see', 'run', 'write', 'secrets'],
  })
  await expect(clientOf(limited.key).rotateWorkspaceKey()).rejects.toMatchObject({ status: 403 })
})
