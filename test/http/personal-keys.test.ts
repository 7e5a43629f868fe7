import { describe, expect, test } from 'vitest'
import type { PersonalKeyCreate, PersonalKeyCreated } from '#core/wire/api-key.ts'
import { eventually } from '../support/eventually.ts'
import { aPerson, type TestPerson } from '../support/people.ts'
import { TestSocket } from '../support/test-socket.ts'
import {
  API_URL,
  aWorkspace,
  bindings,
  clientOf,
  fetchWorker,
  type TestWorkspace,
} from '../support/workspace.ts'

const forbidden = { status: 403 }
const missing = { status: 404 }

async function aKey(
  { browser }: TestPerson,
  body: Partial<PersonalKeyCreate> = {},
): Promise<PersonalKeyCreated> {
  const answer = await browser.send('/api/me/api_keys', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: 'laptop', ...body }),
  })
  expect(answer.status).toBe(201)
  return await answer.json()
}

async function idOf({ browser }: TestPerson): Promise<string> {
  return (await browser.session())?.user_id ?? ''
}

/** Gives a person a role in a workspace, or takes it. */
async function setRole(person: TestPerson, { workspace }: TestWorkspace, role: string | undefined) {
  const values = [workspace.id, await idOf(person)]
  await bindings.DB.prepare(
    role === undefined
      ? `DELETE FROM workspace_member WHERE workspace_id = ? AND member_kind = 'user' AND member_id = ?`
      : `INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created) VALUES (?, 'user', ?, '${role}', '')
         ON CONFLICT DO UPDATE SET role = excluded.role`,
  )
    .bind(...values)
    .run()
}

const addressOf = ({ workspace }: TestWorkspace) =>
  `${API_URL}/accounts/${workspace.account_id}/workspaces/${workspace.id}`

const at = (made: PersonalKeyCreated, workspace: TestWorkspace) =>
  clientOf(made.key, addressOf(workspace))

async function becomes(status: number, ask: () => Promise<unknown>): Promise<void> {
  await eventually(async () => {
    const answer = await ask().catch((error: { status?: number }) => error.status)
    return answer === status
  })
}

describe('a personal key', () => {
  test('is told once, and acts as its person', async () => {
    const person = await aPerson()
    const made = await aKey(person)
    expect(made).toMatchObject({
      kind: 'personal',
      owner_id: await idOf(person),
      workspace_id: null,
      scopes: null,
    })
    const client = clientOf(made.key)
    expect(await client.countFlows()).toBe(0)
    await client.createFlow({ name: 'f' })
    const listed = await client.listPersonalKeys()
    expect(listed).toMatchObject([{ id: made.id, name: 'laptop' }])
    expect(JSON.stringify(listed)).not.toContain(made.key)
    expect(await client.listMyWorkspaces()).toMatchObject([{ account_name: 'Ada' }])
  })

  test('opens each workspace with the role that its person has there at the time', async () => {
    const person = await aPerson()
    const [first, second, third] = [await aWorkspace(), await aWorkspace(), await aWorkspace()]
    await setRole(person, first, 'viewer')
    await setRole(person, second, 'developer')
    const made = await aKey(person)
    expect(await at(made, first).countFlows()).toBe(0)
    await expect(at(made, first).createFlow({ name: 'f' })).rejects.toMatchObject(forbidden)
    await at(made, second).createFlow({ name: 'f' })
    await expect(at(made, second).listMembers()).rejects.toMatchObject(forbidden)
    await expect(at(made, third).countFlows()).rejects.toMatchObject(missing)
    // Three workspaces: an address without one names none.
    await expect(clientOf(made.key).countFlows()).rejects.toMatchObject({ status: 400 })
    const mine = await clientOf(made.key).listMyWorkspaces()
    const ids = mine.map((one) => one.workspace_id)
    expect(ids).toHaveLength(3)
    expect(ids).toEqual(expect.arrayContaining([first.workspace.id, second.workspace.id]))
    await setRole(person, first, 'runner')
    await eventually(async () => {
      const flow = at(made, first).createFlow({ name: crypto.randomUUID() })
      return await flow.then(
        () => true,
        () => false,
      )
    })
  })

  test('ends in a workspace within seconds when its person is taken out of it', async () => {
    const person = await aPerson()
    const workspace = await aWorkspace()
    await setRole(person, workspace, 'developer')
    const made = await aKey(person)
    const bound = await aKey(person, { workspace_id: workspace.workspace.id })
    await workspace.client.createWorkPool({ name: 'p', type: 'process' })
    const query = `agent_id=${crypto.randomUUID()}&agent_name=a`
    const socketOf = async (key: string, path: string) =>
      new TestSocket(
        await fetchWorker(`${addressOf(workspace)}${path}`, {
          headers: { Upgrade: 'websocket', Authorization: `Bearer ${key}` },
        }),
      )
    const doorbell = await socketOf(made.key, `/work_pools/p/doorbell?${query}`)
    const events = await socketOf(made.key, '/events/in')
    await workspace.client.removeMember(await idOf(person))
    expect(await eventually(() => doorbell.ended)).toMatchObject({ code: 1008 })
    expect(await eventually(() => events.ended)).toMatchObject({ code: 1008 })
    await becomes(404, () => at(made, workspace).countFlows())
    await becomes(401, () => at(bound, workspace).countFlows())
    // Elsewhere it goes on.
    expect(await clientOf(made.key).countFlows()).toBe(0)
  })

  test('may be bound to a workspace, of those that its person has a role in', async () => {
    const person = await aPerson()
    const workspace = await aWorkspace()
    const [own] = await clientOf((await aKey(person)).key).listMyWorkspaces()
    await setRole(person, workspace, 'developer')
    const made = await aKey(person, { workspace_id: workspace.workspace.id })
    expect(await clientOf(made.key).countFlows()).toBe(0)
    const elsewhere = `${API_URL}/accounts/${own?.account_id}/workspaces/${own?.workspace_id}`
    await expect(clientOf(made.key, elsewhere).countFlows()).rejects.toMatchObject(missing)
    expect(await clientOf(made.key).listMyWorkspaces()).toHaveLength(1)
    const foreign = await aWorkspace()
    for (const workspace_id of [foreign.workspace.id, crypto.randomUUID()]) {
      const answer = await person.browser.send('/api/me/api_keys', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ name: 'x', workspace_id }),
      })
      expect(answer.status).toBe(404)
      expect(await answer.json()).toEqual({ detail: 'Workspace not found' })
    }
  })

  test('that is bound can be revoked by who manages the workspace, and had anew by nobody else', async () => {
    const person = await aPerson()
    const workspace = await aWorkspace()
    await setRole(person, workspace, 'owner')
    const made = await aKey(person, { workspace_id: workspace.workspace.id })
    expect((await workspace.client.listApiKeys()).map(({ id }) => id)).toContain(made.id)
    await expect(workspace.client.rotateApiKey(made.id)).rejects.toMatchObject(forbidden)
    await workspace.client.revokeApiKey(made.id)
    await becomes(401, () => clientOf(made.key).countFlows())
  })

  test('allows no more than its scopes, nor more than the role', async () => {
    const person = await aPerson()
    const made = await aKey(person, { scopes: ['see', 'manage'] })
    const client = clientOf(made.key)
    expect(await client.countFlows()).toBe(0)
    await expect(client.createFlow({ name: 'f' })).rejects.toMatchObject(forbidden)
    expect(await client.listMembers()).toHaveLength(1)
    const workspace = await aWorkspace()
    await setRole(person, workspace, 'viewer')
    await expect(at(made, workspace).listMembers()).rejects.toMatchObject(forbidden)
  })

  test('makes others as far as it is not limited itself', async () => {
    const person = await aPerson()
    const expires = '2090-01-01T00:00:00.000000Z'
    const full = clientOf((await aKey(person)).key)
    const second = await full.createPersonalKey({ name: 'second', expires })
    const ending = clientOf(second.key)
    await expect(ending.createPersonalKey({ name: 'x' })).rejects.toMatchObject(forbidden)
    await expect(
      ending.createPersonalKey({ name: 'x', expires: '2090-01-02T00:00:00Z' }),
    ).rejects.toMatchObject(forbidden)
    await ending.createPersonalKey({ name: 'third', expires })
    const limited = await aKey(person, { scopes: ['see'] })
    const client = clientOf(limited.key)
    await expect(client.createPersonalKey({ name: 'x', scopes: ['see'] })).rejects.toMatchObject(
      forbidden,
    )
    await expect(client.rotatePersonalKey(second.id)).rejects.toMatchObject(forbidden)
    await expect(client.revokePersonalKey(second.id)).rejects.toMatchObject(forbidden)
    // But for itself.
    expect(await client.rotatePersonalKey(limited.id)).toMatchObject({ scopes: ['see'] })
    await client.revokePersonalKey(limited.id)
  })

  test('that is bad is refused by the field', async () => {
    const client = clientOf((await aKey(await aPerson())).key)
    for (const body of [
      {},
      { name: '' },
      { name: 'a', kind: 'workspace' },
      { name: 'a', scopes: [] },
      { name: 'a', scopes: ['all'] },
      { name: 'a', workspace_id: 'x' },
      { name: 'a', expires: '2020-01-01T00:00:00Z' },
    ]) {
      await expect(client.createPersonalKey(body as PersonalKeyCreate)).rejects.toMatchObject({
        status: 422,
      })
    }
    expect(await client.listPersonalKeys()).toHaveLength(1)
  })

  test('of somebody else is as one that never existed', async () => {
    const made = await aKey(await aPerson())
    const other = clientOf((await aKey(await aPerson())).key)
    for (const id of [made.id, crypto.randomUUID()]) {
      await expect(other.rotatePersonalKey(id)).rejects.toMatchObject(missing)
      await expect(other.revokePersonalKey(id)).rejects.toMatchObject(missing)
    }
    expect(await clientOf(made.key).countFlows()).toBe(0)
  })

  test('is for people: other keys and other sites have none', async () => {
    const owner = await aWorkspace()
    const account = await owner.client.createServiceAccount({ name: 'ci', role: 'owner' })
    const of = await owner.client.createServiceAccountKey(account.id, { name: 'k' })
    for (const client of [owner.client, clientOf(of.key)]) {
      await expect(client.listPersonalKeys()).rejects.toMatchObject(forbidden)
      await expect(client.createPersonalKey({ name: 'x' })).rejects.toMatchObject(forbidden)
      await expect(client.revokePersonalKey(of.id)).rejects.toMatchObject(forbidden)
    }
    const { browser } = await aPerson()
    browser.origin = 'https://evil.example'
    const answer = await browser.send('/api/me/api_keys', { method: 'POST', body: '{"name":"x"}' })
    expect(answer.status).toBe(401)
  })
})

describe('a personal key that is', () => {
  test('revoked ends within seconds, doorbells and sockets too', async () => {
    const person = await aPerson()
    const made = await aKey(person)
    const client = clientOf(made.key)
    await client.createWorkPool({ name: 'p', type: 'process' })
    const query = `agent_id=${crypto.randomUUID()}&agent_name=a`
    const sockets = await Promise.all(
      [`/work_pools/p/doorbell?${query}`, '/events/in'].map(
        async (path) =>
          new TestSocket(
            await fetchWorker(`${API_URL}${path}`, {
              headers: { Upgrade: 'websocket', Authorization: `Bearer ${made.key}` },
            }),
          ),
      ),
    )
    const answer = await person.browser.send(`/api/me/api_keys/${made.id}`, { method: 'DELETE' })
    expect(answer.status).toBe(204)
    for (const socket of sockets) {
      expect(await eventually(() => socket.ended)).toMatchObject({ code: 1008 })
    }
    await becomes(401, () => client.countFlows())
    const again = await person.browser.send(`/api/me/api_keys/${made.id}/rotate`, {
      method: 'POST',
    })
    expect(again.status).toBe(409)
  })

  test('rotated serves beside the new one for a while, which has the same rights', async () => {
    const person = await aPerson()
    const made = await aKey(person, { scopes: ['see'] })
    const full = clientOf((await aKey(person)).key)
    const next = await full.rotatePersonalKey(made.id, { overlap_seconds: 3600 })
    expect(next).toMatchObject({ name: 'laptop', kind: 'personal', scopes: ['see'], expires: null })
    expect(await clientOf(made.key).countFlows()).toBe(0)
    expect(await clientOf(next.key).countFlows()).toBe(0)
    await full.rotatePersonalKey(next.id, { overlap_seconds: 0 })
    await becomes(401, () => clientOf(next.key).countFlows())
  })
})

describe('the page of the account', () => {
  const ACCOUNT = '/api/auth-pages/account'

  test('makes a personal key, shows it once, and revokes it', async () => {
    const { browser } = await aPerson()
    const fields = { what: 'make-key', name: 'laptop', workspace_id: '', days: '90' }
    const made = await (await browser.submit(ACCOUNT, fields)).text()
    const key = /hg_key_[0-9A-Za-z]{38}/.exec(made)?.[0] ?? ''
    const [listed] = await clientOf(key).listPersonalKeys()
    const days = (Date.parse(listed?.expires ?? '') - Date.now()) / 86_400_000
    expect(Math.round(days)).toBe(90)
    const page = await (await browser.get(ACCOUNT)).text()
    expect(page).toContain('laptop')
    expect(page).not.toContain(key)
    await browser.submit(ACCOUNT, { what: 'revoke-key', id: listed?.id ?? '' })
    await becomes(401, () => clientOf(key).countFlows())
    expect(await (await browser.get(ACCOUNT)).text()).not.toContain('laptop')
  })

  test('says what a key lacks', async () => {
    const { browser } = await aPerson()
    const foreign = await aWorkspace()
    const tried = async (fields: Record<string, string>) =>
      await (await browser.submit(ACCOUNT, { what: 'make-key', name: 'k', ...fields })).text()
    expect(await tried({ name: '' })).toContain('Give the key a name')
    expect(await tried({ workspace_id: foreign.workspace.id })).toContain('Workspace not found')
  })
})
