import { describe, expect, test } from 'vitest'
import type { ApiKeyCreate, ApiKeyCreated } from '#core/wire/api-key.ts'
import { aWorkspace, API_URL, clientOf, fetchWorker } from '../support/workspace.ts'
import { eventually } from '../support/eventually.ts'
import { TestSocket } from '../support/test-socket.ts'

const forbidden = { status: 403 }
const missing = { status: 404 }

async function aKey(body: Partial<ApiKeyCreate> = {}): Promise<{
  owner: Awaited<ReturnType<typeof aWorkspace>>
  made: ApiKeyCreated
}> {
  const owner = await aWorkspace()
  return { owner, made: await owner.client.createApiKey({ name: 'k', kind: 'workspace', ...body }) }
}

describe('a key of the workspace', () => {
  test('is told once, and serves', async () => {
    const { owner, made } = await aKey()
    expect(made.key).toMatch(/^hg_key_[0-9A-Za-z]{38}$/)
    expect(await clientOf(made.key).countFlows()).toBe(0)
    const listed = await owner.client.listApiKeys()
    expect(listed.map(({ name }) => name)).toEqual(['tests', 'k'])
    expect(JSON.stringify(listed)).not.toContain(made.key)
    expect(JSON.stringify(await owner.client.readApiKey(made.id))).not.toContain(made.key)
  })

  test('allows no more than its scopes', async () => {
    const { made } = await aKey({ scopes: ['see', 'run'] })
    const client = clientOf(made.key)
    const flow = await client.createFlow({ name: 'f' })
    await expect(client.readFlow(flow.id)).resolves.toMatchObject({ name: 'f' })
    await expect(client.deleteFlow(flow.id)).rejects.toMatchObject(forbidden)
    await expect(client.listApiKeys()).rejects.toMatchObject(forbidden)
    await expect(client.createWorkPool({ name: 'p', type: 'process' })).rejects.toMatchObject(
      forbidden,
    )
  })

  test('makes none that allows more than itself', async () => {
    const { made } = await aKey({ scopes: ['see', 'manage'] })
    const client = clientOf(made.key)
    await expect(
      client.createApiKey({ name: 'x', kind: 'workspace', scopes: ['see', 'write'] }),
    ).rejects.toMatchObject(forbidden)
    await expect(client.createApiKey({ name: 'x', kind: 'agent' })).rejects.toMatchObject(forbidden)
    const own = await client.createApiKey({ name: 'x', kind: 'workspace' })
    expect(own.scopes?.toSorted()).toEqual(['manage', 'see'])
    const [first] = await client.listApiKeys()
    await expect(client.rotateApiKey(first?.id ?? '')).rejects.toMatchObject(forbidden)
  })

  test('shows no secrets without the permission', async () => {
    const { owner, made } = await aKey({ scopes: ['see'] })
    const [type] = await owner.client.filterBlockTypes({
      block_types: { slug: { any_: ['secret'] } },
    })
    const [schema] = await owner.client.filterBlockSchemas({
      block_schemas: { block_type_id: { any_: [type?.id ?? ''] } },
    })
    const document = await owner.client.createBlockDocument({
      name: 's',
      data: { value: 'hush' },
      block_type_id: type?.id ?? '',
      block_schema_id: schema?.id ?? '',
    })
    const client = clientOf(made.key)
    expect(JSON.stringify(await client.readBlockDocument(document.id))).not.toContain('hush')
    await expect(client.readBlockDocument(document.id, true)).rejects.toMatchObject(forbidden)
    await expect(client.listBlockDocumentsOfType('secret', true)).rejects.toMatchObject(forbidden)
    await expect(client.readBlockDocumentByName('secret', 's', true)).rejects.toMatchObject(
      forbidden,
    )
    await expect(client.filterBlockDocuments({ include_secrets: true })).rejects.toMatchObject(
      forbidden,
    )
    expect(JSON.stringify(await owner.client.readBlockDocument(document.id, true))).toContain(
      'hush',
    )
  })

  test('that is bad is refused by the field', async () => {
    const { client } = await aWorkspace()
    const of = (body: object) => client.createApiKey(body as ApiKeyCreate)
    for (const body of [
      { kind: 'workspace' },
      { name: 'a', kind: 'personal' },
      { name: 'a', kind: 'workspace', scopes: [] },
      { name: 'a', kind: 'workspace', scopes: ['all'] },
      { name: 'a', kind: 'workspace', work_pools: ['p'] },
      { name: 'a', kind: 'agent', scopes: ['see'] },
      { name: 'a', kind: 'workspace', expires: '2020-01-01T00:00:00Z' },
    ]) {
      await expect(of(body)).rejects.toMatchObject({ status: 422 })
    }
    await expect(of({ name: 'a', kind: 'agent', work_pools: ['p'] })).rejects.toMatchObject(missing)
    expect(await client.listApiKeys()).toHaveLength(1)
  })

  test('of another workspace is as one that never existed', async () => {
    const { made } = await aKey()
    const other = await aWorkspace()
    for (const id of [made.id, crypto.randomUUID()]) {
      await expect(other.client.readApiKey(id)).rejects.toMatchObject(missing)
      await expect(other.client.rotateApiKey(id)).rejects.toMatchObject(missing)
      await expect(other.client.revokeApiKey(id)).rejects.toMatchObject(missing)
    }
    expect(await clientOf(made.key).countFlows()).toBe(0)
  })
})

describe('revoked', () => {
  test('a key ends within seconds, where it was in use too', async () => {
    const { owner, made } = await aKey()
    const client = clientOf(made.key)
    await client.countFlows()
    await owner.client.revokeApiKey(made.id)
    await eventually(async () => {
      const answer = await client.countFlows().catch((error: { status?: number }) => error.status)
      return answer === 401
    })
    await owner.client.revokeApiKey(made.id)
    await expect(owner.client.rotateApiKey(made.id)).rejects.toMatchObject({ status: 409 })
  })

  test('a key closes the doorbells that it has opened', async () => {
    const { owner, made } = await aKey({ kind: 'agent' })
    await owner.client.createWorkPool({ name: 'p', type: 'process' })
    const query = `agent_id=${crypto.randomUUID()}&agent_name=a`
    const response = await fetchWorker(`${API_URL}/work_pools/p/doorbell?${query}`, {
      headers: { Upgrade: 'websocket', Authorization: `Bearer ${made.key}` },
    })
    const socket = new TestSocket(response)
    await owner.client.revokeApiKey(made.id)
    expect(await eventually(() => socket.ended)).toMatchObject({ code: 1008 })
  })

  test('a key closes the sockets of clients', async () => {
    const { owner, made } = await aKey()
    const response = await fetchWorker(`${API_URL}/events/in`, {
      headers: { Upgrade: 'websocket', Authorization: `Bearer ${made.key}` },
    })
    const socket = new TestSocket(response)
    await owner.client.revokeApiKey(made.id)
    expect(await eventually(() => socket.ended)).toMatchObject({ code: 1008 })
  })

  test('not the key of the request', async () => {
    const { client } = await aWorkspace()
    const [own] = await client.listApiKeys()
    await expect(client.revokeApiKey(own?.id ?? '')).rejects.toMatchObject({ status: 409 })
  })
})

describe('rotated', () => {
  test('a key serves beside the new one for a while, which has the same rights', async () => {
    const { owner, made } = await aKey({ scopes: ['see'] })
    const next = await owner.client.rotateApiKey(made.id, { overlap_seconds: 3600 })
    expect(next).toMatchObject({ name: 'k', kind: 'workspace', scopes: ['see'], expires: null })
    expect(await clientOf(made.key).countFlows()).toBe(0)
    expect(await clientOf(next.key).countFlows()).toBe(0)
    const old = await owner.client.readApiKey(made.id)
    expect(Date.parse(old.expires ?? '')).toBeGreaterThan(Date.now() + 3_000_000)
  })

  test('without overlap the old key ends', async () => {
    const { owner, made } = await aKey()
    await owner.client.rotateApiKey(made.id, { overlap_seconds: 0 })
    await expect(clientOf(made.key).countFlows()).rejects.toMatchObject({ status: 401 })
  })
})

describe("an agent's key", () => {
  test('does what an agent does in its pools, and nothing else', async () => {
    const owner = await aWorkspace()
    await owner.client.createWorkPool({ name: 'mine', type: 'process' })
    await owner.client.createWorkPool({ name: 'theirs', type: 'process' })
    const made = await owner.client.createApiKey({
      name: 'a',
      kind: 'agent',
      work_pools: ['mine'],
    })
    const agent = clientOf(made.key)
    const claim = (pool: string) =>
      agent.claim(pool, {
        agent: { agent_id: crypto.randomUUID(), name: 'a', version: '1' },
        limit: 1,
      })
    expect((await claim('mine')).runs).toEqual([])
    expect(await agent.readWorkPool('mine')).toMatchObject({ name: 'mine' })
    const told = (pool: string) =>
      claim(pool).then(
        () => '',
        (error: Error & { status?: number }) =>
          `${error.status} ${error.message}`.replaceAll(pool, '…'),
      )
    expect(await told('theirs')).toContain('404')
    expect(await told('theirs')).toBe(await told('never'))
    await expect(agent.readWorkPool('theirs')).rejects.toMatchObject(missing)
    await expect(agent.filterFlows()).rejects.toMatchObject(forbidden)
    await expect(agent.filterWorkPools()).rejects.toMatchObject(forbidden)
    await expect(agent.createFlow({ name: 'f' })).rejects.toMatchObject(forbidden)
    await expect(agent.listApiKeys()).rejects.toMatchObject(forbidden)
  })
})

describe('a service account', () => {
  test('has the rights of its role, which its keys follow', async () => {
    const owner = await aWorkspace()
    const account = await owner.client.createServiceAccount({ name: 'ci', role: 'viewer' })
    const made = await owner.client.createServiceAccountKey(account.id, { name: 'k' })
    const ci = clientOf(made.key)
    expect(await ci.countFlows()).toBe(0)
    await expect(ci.createFlow({ name: 'f' })).rejects.toMatchObject(forbidden)
    await owner.client.updateServiceAccount(account.id, { role: 'developer' })
    await eventually(async () => {
      return await ci.createWorkPool({ name: 'p', type: 'process' }).then(
        () => true,
        () => false,
      )
    })
    await expect(ci.listServiceAccounts()).rejects.toMatchObject(forbidden)
    expect(await owner.client.listServiceAccountKeys(account.id)).toMatchObject([
      { id: made.id, kind: 'service_account', owner_id: account.id },
    ])
  })

  test('that is deleted takes its keys with it', async () => {
    const owner = await aWorkspace()
    const account = await owner.client.createServiceAccount({ name: 'ci', role: 'runner' })
    const made = await owner.client.createServiceAccountKey(account.id, { name: 'k' })
    await owner.client.deleteServiceAccount(account.id)
    await expect(clientOf(made.key).countFlows()).rejects.toMatchObject({ status: 401 })
    await expect(owner.client.readServiceAccount(account.id)).rejects.toMatchObject(missing)
    expect(await owner.client.listServiceAccounts()).toEqual([])
    await owner.client.createServiceAccount({ name: 'ci', role: 'owner' })
  })

  test('has a name of its own', async () => {
    const owner = await aWorkspace()
    const first = await owner.client.createServiceAccount({ name: 'ci', role: 'runner' })
    const second = await owner.client.createServiceAccount({ name: 'cd', role: 'runner' })
    const conflict = { status: 409 }
    await expect(
      owner.client.createServiceAccount({ name: 'ci', role: 'owner' }),
    ).rejects.toMatchObject(conflict)
    await expect(
      owner.client.updateServiceAccount(second.id, { name: 'ci', role: 'owner' }),
    ).rejects.toMatchObject(conflict)
    expect(await owner.client.readServiceAccount(second.id)).toEqual(second)
    await owner.client.updateServiceAccount(first.id, { name: 'ci' })
    const other = await aWorkspace()
    await other.client.createServiceAccount({ name: 'ci', role: 'runner' })
    await expect(other.client.readServiceAccount(first.id)).rejects.toMatchObject(missing)
  })
})

test("a key tells the workspaces that it opens, as Prefect's cloud does", async () => {
  const { client, workspace } = await aWorkspace()
  expect(await client.listMyWorkspaces()).toMatchObject([
    {
      account_id: workspace.account_id,
      workspace_id: workspace.id,
      workspace_name: workspace.name,
      workspace_handle: workspace.name.replaceAll(' ', '-'),
    },
  ])
  await expect(clientOf(undefined).listMyWorkspaces()).rejects.toMatchObject({ status: 401 })
})
