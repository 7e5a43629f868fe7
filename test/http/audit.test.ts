import { describe, expect, test } from 'vitest'
import type { AuditEntry, AuditQuery } from '#core/wire/audit.ts'
import type { ServiceAccount } from '#core/wire/api-key.ts'
import { call } from '../support/call.ts'
import { setD1Faults } from '../support/d1-faults.ts'
import { eventually } from '../support/eventually.ts'
import { aPerson } from '../support/people.ts'
import {
  aWorkspace,
  API_URL,
  bindings,
  clientOf,
  fetchWorker,
  type TestWorkspace,
} from '../support/workspace.ts'
import { listAccountAuditEntries } from '#storage/audit.ts'

type Filter = AuditQuery['audit']

async function entriesOf({ client }: TestWorkspace, audit?: Filter): Promise<AuditEntry[]> {
  return (await client.filterAudit({ audit })).entries
}

async function aServiceAccountKey({ client }: TestWorkspace, role: ServiceAccount['role']) {
  const { id } = await client.createServiceAccount({ name: `robot ${role}`, role })
  return { id, key: await client.createServiceAccountKey(id, { name: 'k' }) }
}

describe('an entry', () => {
  test('tells who did what, from where, by which key, with before and after', async () => {
    const host = await aWorkspace()
    const { id } = await host.client.createVariable({ name: 'x', value: 1 })
    const response = await fetchWorker(`${API_URL}/variables/${id}`, {
      method: 'PATCH',
      headers: {
        Authorization: `Bearer ${host.key}`,
        'CF-Connecting-IP': '203.0.113.7',
        'User-Agent': 'test/1.0',
      },
      body: JSON.stringify({ value: { a: 2 } }),
    })
    expect(response.status).toBe(204)
    const [key] = await host.client.listApiKeys()
    const [changed, made, ...others] = await entriesOf(host)
    expect(changed).toEqual({
      id: expect.any(String),
      occurred: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      account_id: host.workspace.account_id,
      workspace_id: host.workspace.id,
      actor_kind: 'api_key',
      actor_id: key?.id,
      actor_name: 'tests',
      key_id: key?.id,
      key_hint: key?.hint,
      address: '203.0.113.7',
      user_agent: 'test/1.0',
      operation: 'patch_variables_id',
      outcome: 'done',
      object_kind: 'variable',
      object_id: id,
      object_name: 'x',
      before: { value: 1 },
      after: { value: { a: 2 } },
      request_id: response.headers.get('X-Request-Id'),
    })
    expect(made).toMatchObject({
      operation: 'post_variables',
      before: null,
      after: { name: 'x', value: 1, tags: [] },
    })
    expect(others).toEqual([])
  })

  test('names the service account whose key it was', async () => {
    const host = await aWorkspace()
    const { id, key } = await aServiceAccountKey(host, 'developer')
    await clientOf(key.key).createVariable({ name: 'x', value: 1 })
    expect(await entriesOf(host, { object_kind: { any_: ['variable'] } })).toMatchObject([
      {
        actor_kind: 'service_account',
        actor_id: id,
        actor_name: 'robot developer',
        key_id: key.id,
      },
    ])
    expect(JSON.stringify(await entriesOf(host))).not.toContain(key.key)
  })

  test('names the person who was signed in, and what became of its role', async () => {
    const host = await aWorkspace()
    const guest = await aPerson()
    const invitation = await host.client.createInvitation({ email: guest.email, role: 'owner' })
    const accept = `/api/me/invitations/${invitation.id}/accept`
    expect((await guest.browser.send(accept, { method: 'POST' })).status).toBe(204)
    const base = `/api/accounts/${host.workspace.account_id}/workspaces/${host.workspace.id}`
    const member = { method: 'POST', body: JSON.stringify({ name: 'y', value: 1 }) }
    await eventually(
      async () => (await guest.browser.send(`${base}/variables/`, member)).status !== 404,
    )
    const session = await guest.browser.session()
    const [made, accepted, invited] = await entriesOf(host)
    expect(made).toMatchObject({
      actor_kind: 'user',
      actor_id: session?.user_id,
      actor_name: 'Ada',
      key_id: null,
      address: guest.browser.address,
    })
    expect(accepted).toMatchObject({
      operation: 'post_me_invitations_id_accept',
      object_kind: 'invitation',
      object_name: guest.email,
      before: { accepted: null },
      actor_id: session?.user_id,
    })
    expect(invited).toMatchObject({ actor_kind: 'api_key', after: { role: 'owner' } })
    await host.client.updateMember(session?.user_id ?? '', 'owner')
    await expect(host.client.updateMember(session?.user_id ?? '', 'viewer')).rejects.toMatchObject({
      status: 409,
    })
    const changes = await entriesOf(host, { object_kind: { any_: ['member'] } })
    expect(changes).toMatchObject([{ object_id: session?.user_id, operation: 'patch_members_id' }])
  })

  test('of a deployment tells its schedules and its limit, and what stayed is not repeated', async () => {
    const host = await aWorkspace()
    const flow = await host.client.createFlow({ name: 'f' })
    const { id } = await host.client.createDeployment({
      name: 'd',
      flow_id: flow.id,
      schedules: [{ schedule: { interval: 3600 } }],
    })
    await host.client.updateDeployment(id, { concurrency_limit: 3, description: 'new' })
    const [updated, made] = await entriesOf(host, { object_id: { any_: [id] } })
    expect(updated).toMatchObject({
      before: { concurrency_limit: null, description: null },
      after: { concurrency_limit: 3, description: 'new' },
    })
    expect(Object.keys(updated?.after ?? {})).toHaveLength(2)
    expect(made?.after).toMatchObject({ flow_id: flow.id, schedules: [{ active: true }] })
  })
})

describe('of runs', () => {
  async function aRun(host: TestWorkspace) {
    const flow = await host.client.createFlow({ name: `f ${crypto.randomUUID()}` })
    return await host.client.createFlowRun({ flow_id: flow.id, name: 'r' })
  }
  const ofRun = (id: string): Filter => ({ object_id: { any_: [id] } })

  test('what an engine reports with a key leaves none; cancelling, forcing and deleting do', async () => {
    const host = await aWorkspace()
    const { id } = await aRun(host)
    await host.client.setFlowRunState(id, { type: 'RUNNING' })
    expect(await entriesOf(host, ofRun(id))).toEqual([])
    await call(host.key, 'POST', `/flow_runs/${id}/set_state`, { state: { type: 'CANCELLING' } })
    await call(host.key, 'POST', `/flow_runs/${id}/set_state`, {
      state: { type: 'COMPLETED', message: 'by hand' },
      force: true,
    })
    await host.client.deleteFlowRun(id)
    const entries = await eventually(async () => {
      const found = await entriesOf(host, ofRun(id))
      return found.length >= 3 ? found : undefined
    })
    expect(entries).toMatchObject([
      { operation: 'delete_flow_runs_id', object_name: 'r', after: null },
      {
        operation: 'post_flow_runs_id_set_state',
        before: { state_type: 'CANCELLING' },
        after: { state_type: 'COMPLETED', message: 'by hand' },
      },
      { before: { state_type: 'RUNNING' }, after: { state_type: 'CANCELLING' } },
    ])
    expect(entries).toHaveLength(3)
  })

  test('a proposal that is refused leaves none', async () => {
    const host = await aWorkspace()
    const { id } = await aRun(host)
    await call(host.key, 'POST', `/flow_runs/${id}/set_state`, {
      state: { type: 'COMPLETED' },
      force: true,
    })
    const refused = await call(host.key, 'POST', `/flow_runs/${id}/set_state`, {
      state: { type: 'CANCELLING' },
    })
    expect(refused.body).toMatchObject({ status: 'ABORT' })
    const entries = await eventually(async () => {
      const found = await entriesOf(host, ofRun(id))
      return found.length > 0 && found
    })
    expect(entries).toHaveLength(1)
  })

  test('a change of many is one entry, with what chose them', async () => {
    const host = await aWorkspace()
    const { id } = await aRun(host)
    const flow_runs = { id: { any_: [id] } }
    const { job } = await host.client.bulkCancelFlowRuns({ flow_runs })
    const [entry, ...others] = await eventually(async () => {
      const found = await entriesOf(host, { object_kind: { any_: ['job'] } })
      return found.length > 0 && found
    })
    expect(entry).toMatchObject({
      object_id: job?.id,
      object_name: 'cancel_flow_runs',
      after: { chosen: 1, parameters: { filters: { flow_runs } } },
    })
    expect(others).toEqual([])
  })

  test('is written down at home while the store is away, and comes once', async () => {
    const host = await aWorkspace()
    const { id } = await aRun(host)
    setD1Faults({ fail: 1, only: 'audit_entry' })
    try {
      await host.client.deleteFlowRun(id)
    } finally {
      setD1Faults({})
    }
    const entries = await eventually(async () => {
      const found = await entriesOf(host, ofRun(id))
      return found.length > 0 && found
    })
    expect(entries).toMatchObject([{ operation: 'delete_flow_runs_id' }])
  })
})

test('while the store refuses its record, a change is not made', async () => {
  const host = await aWorkspace()
  setD1Faults({ fail: 1, only: 'audit_entry' })
  try {
    const made = await call(host.key, 'POST', '/variables/', { name: 'x', value: 1 })
    expect(made.status).toBe(503)
  } finally {
    setD1Faults({})
  }
  expect(await host.client.filterVariables()).toEqual([])
  expect(await entriesOf(host)).toEqual([])
})

describe('the log', () => {
  async function aBusyWorkspace() {
    const host = await aWorkspace()
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      // oxlint-disable-next-line no-await-in-loop -- in this order
      await host.client.createVariable({ name, value: name })
      // Entries of one millisecond have no order.
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    return host
  }
  const names = (entries: AuditEntry[]) => entries.map((entry) => entry.object_name)

  test('is read page by page, the latest first', async () => {
    const { client } = await aBusyWorkspace()
    const first = await client.filterAudit({ limit: 2 })
    expect(names(first.entries)).toEqual(['e', 'd'])
    const second = await client.filterAudit({ limit: 2, cursor: first.next_cursor })
    expect(names(second.entries)).toEqual(['c', 'b'])
    const third = await client.filterAudit({ limit: 2, cursor: second.next_cursor })
    expect(names(third.entries)).toEqual(['a'])
    expect(third.next_cursor).toBeNull()
    await expect(client.filterAudit({ cursor: 'x' })).rejects.toMatchObject({ status: 422 })
  })

  test('is filtered by each of its columns', async () => {
    const host = await aBusyWorkspace()
    await host.client.deleteVariable('e')
    const [last] = await entriesOf(host)
    const [{ id: key } = { id: '' }] = await host.client.listApiKeys()
    const count = async (audit: Filter) => (await entriesOf(host, audit)).length
    expect(await count({ operation: { any_: ['delete_variables_name_name'] } })).toBe(1)
    expect(await count({ object_id: { any_: [last?.object_id ?? ''] } })).toBe(2)
    expect(await count({ object_kind: { any_: ['variable'] } })).toBe(6)
    expect(await count({ object_kind: { any_: ['flow'] } })).toBe(0)
    expect(await count({ actor_kind: { any_: ['user'] } })).toBe(0)
    expect(await count({ actor_id: { any_: [key] }, key_id: { any_: [key] } })).toBe(6)
    expect(await count({ outcome: { any_: ['refused'] } })).toBe(0)
    expect(await count({ occurred: { after_: last?.occurred } })).toBe(1)
    expect(await count({ occurred: { before_: last?.occurred } })).toBe(6)
    expect(await count({ request_id: { any_: [last?.request_id ?? ''] } })).toBe(1)
    expect(await count({ object_kind: { any_: [] } })).toBe(0)
    const refused = await call(host.key, 'POST', '/audit/filter', { audit: { actor: 'x' } })
    expect(refused.status).toBe(422)
  })

  test('is exported as lines of JSON, as it is or in part', async () => {
    const host = await aBusyWorkspace()
    const read = async (query = {}) =>
      (await new Response(await host.client.exportAudit(query)).text())
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as AuditEntry)
    const all = await entriesOf(host)
    expect(await read()).toEqual(all)
    expect(await read({ object_id: all[1]?.object_id })).toEqual([all[1]])
    expect(await read({ operation: 'none' })).toEqual([])
    expect(await read({ after: all[1]?.occurred })).toEqual(all.slice(0, 2))
    expect(await read({ before: all[1]?.occurred })).toEqual(all.slice(1))
  })

  test('is exported whole, however long it is', async () => {
    const host = await aWorkspace()
    const row = `INSERT INTO audit_entry (scope_id, id, occurred, account_id, workspace_id, actor_kind, operation, outcome, object_kind)
      SELECT ?1, printf('0190a7c2-%04d-7000-8000-000000000000', value), '2026-01-01T00:00:00.000000Z', ?2, ?1, 'user', 'x', 'done', 'y'
      FROM json_each(?3)`
    await bindings.DB.prepare(row)
      .bind(
        host.workspace.id,
        host.workspace.account_id,
        JSON.stringify(Array.from({ length: 401 }, (_, index) => index)),
      )
      .run()
    const lines = (await new Response(await host.client.exportAudit()).text()).trimEnd().split('\n')
    expect(new Set(lines.map((line) => (JSON.parse(line) as AuditEntry).id)).size).toBe(401)
    expect(lines).toHaveLength(401)
  })

  test('is the workspace’s own', async () => {
    const [host, other] = [await aBusyWorkspace(), await aWorkspace()]
    expect(await entriesOf(other)).toEqual([])
    expect(await new Response(await other.client.exportAudit()).text()).toBe('')
    const [last] = await entriesOf(host)
    expect(await entriesOf(other, { object_id: { any_: [last?.object_id ?? ''] } })).toEqual([])
    const { next_cursor: cursor } = await host.client.filterAudit({ limit: 1 })
    expect((await other.client.filterAudit({ cursor })).entries).toEqual([])
  })

  test('is for owners', async () => {
    const host = await aWorkspace()
    const { key } = await aServiceAccountKey(host, 'developer')
    const developer = clientOf(key.key)
    await expect(developer.filterAudit()).rejects.toMatchObject({ status: 403 })
    await expect(developer.exportAudit()).rejects.toMatchObject({ status: 403 })
    const made = await host.client.createApiKey({ name: 'k', kind: 'workspace', scopes: ['audit'] })
    expect((await clientOf(made.key).filterAudit()).entries.length).toBeGreaterThan(0)
  })
})

test('signing in is told to the accounts of who did, a wrong password too', async () => {
  const { browser, email } = await aPerson()
  const session = await browser.session()
  // Signing up alone made an account, which has the person's id.
  const account = session?.user_id ?? ''
  const refused = await browser.post('/sign-in/email', { email, password: 'wrong wrong wrong' })
  expect(refused.status).toBe(401)
  await browser.post('/sign-in/email', {
    email: `${crypto.randomUUID()}@example.com`,
    password: 'wrong wrong wrong',
  })
  const entries = await eventually(async () => {
    const found = await listAccountAuditEntries(bindings.DB, account, null, {
      limit: 10,
      after: undefined,
    })
    return found.length >= 2 && found
  })
  expect(entries).toMatchObject([
    { operation: 'sign_in', outcome: 'refused', actor_id: account, address: browser.address },
    { operation: 'sign_in', outcome: 'done', actor_id: account, workspace_id: null },
  ])
})
