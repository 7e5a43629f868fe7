import { describe, expect, test } from 'vitest'
import type { AccountMember, MyAccount } from '#core/wire/account.ts'
import type { Workspace as WorkspaceView } from '#core/wire/workspace.ts'
import { ACCOUNT_ROLES, type AccountRole } from '#domain/permissions.ts'
import { call } from '../support/call.ts'
import { eventually } from '../support/eventually.ts'
import { aPerson, type TestPerson } from '../support/people.ts'
import { aWorkspace, bindings, type TestWorkspace } from '../support/workspace.ts'

interface Somebody extends TestPerson {
  id: string
}

async function somebody(): Promise<Somebody> {
  const person = await aPerson()
  return { ...person, id: (await person.browser.session())?.user_id ?? '' }
}

/** What somebody asks of the API. */
async function ask(
  { browser }: TestPerson,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  const response = await browser.send(`/api${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

/** Makes somebody a member of the account, with a role in it and one in the workspace. */
async function join(
  { workspace }: TestWorkspace,
  { id }: Somebody,
  role: AccountRole,
  inWorkspace: string | null = 'viewer',
): Promise<void> {
  const now = new Date().toISOString()
  await bindings.DB.prepare(
    'INSERT INTO account_member (account_id, user_id, role, created) VALUES (?, ?, ?, ?)',
  )
    .bind(workspace.account_id, id, role, now)
    .run()
  if (inWorkspace !== null) {
    await bindings.DB.prepare(
      `INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created) VALUES (?, 'user', ?, ?, ?)`,
    )
      .bind(workspace.id, id, inWorkspace, now)
      .run()
  }
}

async function rolesIn(
  { workspace }: TestWorkspace,
  asker: Somebody,
): Promise<Record<string, string>> {
  const { body } = await ask(asker, 'GET', `/accounts/${workspace.account_id}/members`)
  return Object.fromEntries((body as AccountMember[]).map(({ id, role }) => [id, role]))
}

describe('what a role in an account allows', () => {
  const never = () => crypto.randomUUID()
  /** The name of the account's own workspace. */
  const TAKEN = `taken ${crypto.randomUUID()}`
  /** By operation, about things that are not there: the roles that get further than 403. */
  const OPERATIONS: [method: string, path: () => string, roles: AccountRole[], body?: unknown][] = [
    ['GET', () => '', ['owner', 'admin', 'billing', 'member']],
    ['GET', () => '/usage', ['owner', 'admin', 'billing']],
    ['GET', () => '/members', ['owner', 'admin']],
    ['PATCH', () => `/members/${never()}`, ['owner', 'admin'], { role: 'member' }],
    ['DELETE', () => `/members/${never()}`, ['owner', 'admin']],
    ['GET', () => '/workspaces', ['owner', 'admin']],
    ['POST', () => '/workspaces', ['owner', 'admin'], { name: TAKEN }],
    ['POST', () => '/transfer', ['owner'], { user_id: never() }],
    ['PATCH', () => '', ['owner'], { name: 'new' }],
    ['DELETE', () => '', ['owner'], { name: 'not its own' }],
  ]

  test('is as the table says, and an account of others is as one that never was', async () => {
    const host = await aWorkspace()
    await host.client.renameWorkspace(TAKEN)
    const stranger = await somebody()
    const path = `/accounts/${host.workspace.account_id}`
    for (const role of ACCOUNT_ROLES) {
      const person = await somebody()
      await join(host, person, role)
      for (const [method, rest, roles, body] of OPERATIONS) {
        const { status } = await ask(person, method, path + rest(), body)
        expect([role, method, rest(), status !== 403]).toEqual([
          role,
          method,
          expect.anything(),
          roles.includes(role),
        ])
      }
    }
    for (const [method, rest, , body] of OPERATIONS) {
      const theirs = await ask(stranger, method, path + rest(), body)
      const nobodys = await ask(stranger, method, `/accounts/${never()}${rest()}`, body)
      expect([method, theirs]).toEqual([method, nobodys])
      expect(theirs.status).toBe(404)
      expect((await call(host.key, method, path + rest(), body)).status).toBe(403)
    }
  })

  test('of the people of an account an admin makes and unmakes all but owners', async () => {
    const host = await aWorkspace()
    const [owner, admin, member] = [await somebody(), await somebody(), await somebody()]
    await join(host, owner, 'owner')
    await join(host, admin, 'admin')
    await join(host, member, 'member')
    const path = `/accounts/${host.workspace.account_id}/members`
    const give = async (asker: Somebody, to: Somebody, role: AccountRole) =>
      (await ask(asker, 'PATCH', `${path}/${to.id}`, { role })).status
    expect(await give(admin, member, 'billing')).toBe(204)
    expect(await give(admin, member, 'owner')).toBe(403)
    expect(await give(admin, owner, 'member')).toBe(403)
    expect((await ask(admin, 'DELETE', `${path}/${owner.id}`)).status).toBe(403)
    expect(await give(owner, member, 'owner')).toBe(204)
    expect(await rolesIn(host, admin)).toEqual({
      [owner.id]: 'owner',
      [admin.id]: 'admin',
      [member.id]: 'owner',
    })
    // An owner of the account is one of its workspaces.
    const found = (await host.client.listMembers()).find(({ id }) => id === member.id)
    expect(found?.role).toBe('owner')
    expect((await ask(admin, 'DELETE', `${path}/${crypto.randomUUID()}`)).status).toBe(404)
  })
})

describe('the last owner', () => {
  test('of an account neither leaves nor is made less', async () => {
    const host = await aWorkspace()
    const [owner, admin] = [await somebody(), await somebody()]
    await join(host, owner, 'owner')
    await join(host, admin, 'admin')
    const { account_id: id } = host.workspace
    const itself = `/accounts/${id}/members/${owner.id}`
    const lesser = await ask(owner, 'PATCH', itself, { role: 'admin' })
    expect(lesser.status).toBe(409)
    expect((await ask(owner, 'DELETE', itself)).status).toBe(409)
    const left = await ask(owner, 'DELETE', `/me/accounts/${id}`)
    expect(left).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching('last owner') },
    })
    expect((await rolesIn(host, admin))[owner.id]).toBe('owner')
  })

  test('of a workspace does not leave its account', async () => {
    const host = await aWorkspace()
    const [owner, member] = [await somebody(), await somebody()]
    await join(host, owner, 'owner', null)
    await join(host, member, 'member', 'owner')
    const { account_id: id, name } = host.workspace
    const left = await ask(member, 'DELETE', `/me/accounts/${id}`)
    expect(left).toMatchObject({ status: 409 })
    expect(JSON.stringify(left.body)).toContain(`the workspace '${name}'`)
    expect((await ask(member, 'DELETE', `/me/workspaces/${host.workspace.id}`)).status).toBe(409)
  })

  test('hands the account on, and is an admin then', async () => {
    const host = await aWorkspace()
    const [owner, heir] = [await somebody(), await somebody()]
    await join(host, owner, 'owner')
    await join(host, heir, 'member')
    const path = `/accounts/${host.workspace.account_id}/transfer`
    const to = async (asker: Somebody, user_id: string) =>
      (await ask(asker, 'POST', path, { user_id })).status
    expect(await to(owner, crypto.randomUUID())).toBe(404)
    expect(await to(owner, owner.id)).toBe(409)
    expect(await to(heir, heir.id)).toBe(403)
    expect(await to(owner, heir.id)).toBe(204)
    expect(await rolesIn(host, heir)).toEqual({ [owner.id]: 'admin', [heir.id]: 'owner' })
    expect(await to(owner, heir.id)).toBe(403)
  })
})

test('who leaves an account is out of its workspaces; who leaves a workspace of it may stay', async () => {
  const host = await aWorkspace()
  const [admin, member] = [await somebody(), await somebody()]
  await join(host, admin, 'admin')
  await join(host, member, 'member')
  const { id, account_id: accountId } = host.workspace
  const idsOf = async (person: Somebody) =>
    (await host.client.listMembers()).map((one) => one.id).includes(person.id)
  expect((await ask(admin, 'DELETE', `/me/workspaces/${id}`)).status).toBe(204)
  expect((await ask(admin, 'DELETE', `/me/workspaces/${id}`)).status).toBe(404)
  expect(await idsOf(admin)).toBe(false)
  expect((await ask(admin, 'GET', `/accounts/${accountId}`)).body).toMatchObject({ role: 'admin' })
  expect((await ask(member, 'DELETE', `/me/accounts/${accountId}`)).status).toBe(204)
  expect(await idsOf(member)).toBe(false)
  expect((await ask(member, 'GET', `/accounts/${accountId}`)).status).toBe(404)
  const mine = await ask(member, 'GET', '/me/accounts')
  expect((mine.body as MyAccount[]).map((one) => one.account_id)).not.toContain(accountId)
})

test('a second workspace is its maker’s and the owners’, has a name of its own, and works', async () => {
  const host = await aWorkspace()
  const [owner, admin] = [await somebody(), await somebody()]
  await join(host, owner, 'owner')
  await join(host, admin, 'admin', null)
  const { account_id: accountId, name: taken } = host.workspace
  const path = `/accounts/${accountId}/workspaces`
  const name = `second ${crypto.randomUUID()}`
  const made = await ask(admin, 'POST', path, { name })
  expect(made).toMatchObject({ status: 201, body: { name, account_id: accountId } })
  for (const other of [name, taken]) {
    // oxlint-disable-next-line no-await-in-loop -- two
    expect((await ask(admin, 'POST', path, { name: other })).status).toBe(409)
  }
  const here = `/accounts/${accountId}/workspaces/${(made.body as WorkspaceView).id}`
  for (const person of [owner, admin]) {
    // oxlint-disable-next-line no-await-in-loop -- two
    expect(await ask(person, 'POST', `${here}/flow_runs/count`, {})).toEqual({
      status: 200,
      body: 0,
    })
  }
  const flow = await ask(admin, 'POST', `${here}/flows/`, { name: 'f' })
  expect(
    (await ask(admin, 'POST', `${here}/flow_runs/`, { flow_id: (flow.body as { id: string }).id }))
      .status,
  ).toBe(201)
  const all = await ask(owner, 'GET', path)
  expect((all.body as WorkspaceView[]).map((one) => one.name).toSorted()).toEqual(
    [name, taken].toSorted(),
  )
  const usage = await ask(owner, 'GET', `/accounts/${accountId}/usage`)
  expect(usage.body).toMatchObject({
    flow_runs: expect.any(Number),
    workspaces: expect.arrayContaining([expect.objectContaining({ name })]),
  })
  expect((await ask(admin, 'PATCH', `${here}/workspace`, { name: taken })).status).toBe(409)
  expect((await ask(admin, 'PATCH', `${here}/workspace`, { name: 'renamed' })).status).toBe(204)
  expect((await ask(admin, 'GET', `${here}/workspace`)).body).toMatchObject({ name: 'renamed' })
  const { status } = await ask(owner, 'PATCH', `/accounts/${accountId}`, { name: 'ours' })
  expect(status).toBe(204)
  const mine = await ask(admin, 'GET', '/me/workspaces')
  expect(mine.body).toContainEqual(
    expect.objectContaining({ account_name: 'ours', workspace_name: 'renamed' }),
  )
})

test('a person is deleted by itself, when nothing is left without an owner', async () => {
  const host = await aWorkspace()
  const [owner, member] = [await somebody(), await somebody()]
  await join(host, owner, 'owner')
  await join(host, member, 'member')
  const gone = async ({ browser, password }: Somebody) =>
    await browser.post('/delete-user', { password })
  const refused = await gone(owner)
  expect(refused.status).toBe(409)
  expect(await refused.text()).toContain('You are the last owner of the account')
  expect((await member.browser.post('/delete-user', { password: 'a wrong one' })).status).toBe(400)
  // Who signed up alone has an account of its own, which it must delete first.
  const { body: own } = await ask(member, 'GET', '/me/accounts')
  for (const { account_id: id, account_name: name, role } of own as MyAccount[]) {
    if (role === 'owner') {
      // oxlint-disable-next-line no-await-in-loop -- one
      expect((await ask(member, 'DELETE', `/accounts/${id}`, { name })).status).toBe(202)
    }
  }
  expect((await gone(member)).status).toBe(200)
  expect((await host.client.listMembers()).map(({ id }) => id)).toEqual([owner.id])
  await eventually(async () => (await ask(member, 'GET', '/me/accounts')).status === 401)
  const { email, password } = member
  expect((await member.browser.post('/sign-in/email', { email, password })).status).toBe(401)
})
