import { describe, expect, test } from 'vitest'
import type { MyInvitation } from '#core/wire/member.ts'
import { eventually } from '../support/eventually.ts'
import { aPerson, linkIn, type TestPerson } from '../support/people.ts'
import { aWorkspace, bindings, type TestWorkspace } from '../support/workspace.ts'

const missing = { status: 404 }

async function mine({ browser }: TestPerson): Promise<MyInvitation[]> {
  return await (await browser.get('/api/me/invitations')).json()
}

async function accept({ browser }: TestPerson, id: string): Promise<number> {
  return (await browser.send(`/api/me/invitations/${id}/accept`, { method: 'POST' })).status
}

async function countFlowsIn({ workspace }: TestWorkspace, { browser }: TestPerson) {
  const path = `/api/accounts/${workspace.account_id}/workspaces/${workspace.id}/flows/count`
  return (await browser.send(path, { method: 'POST' })).status
}

async function aMember(
  host: TestWorkspace,
  role: 'owner' | 'developer' | 'viewer',
): Promise<TestPerson & { id: string }> {
  const person = await aPerson()
  const { id } = await host.client.createInvitation({ email: person.email, role })
  expect(await accept(person, id)).toBe(204)
  return { ...person, id: (await person.browser.session())?.user_id ?? '' }
}

describe('an invitation', () => {
  test('gives the role to who has proved the address, once it is accepted', async () => {
    const host = await aWorkspace()
    const guest = await aPerson()
    const email = guest.email.toUpperCase()
    const made = await host.client.createInvitation({ email, role: 'developer' })
    expect(made).toMatchObject({ email: guest.email, role: 'developer', accepted: null })
    expect(await linkIn(guest.email, 'You are invited')).toContain('/sign-in')
    expect(await countFlowsIn(host, guest)).toBe(404)
    expect(await mine(guest)).toMatchObject([
      { id: made.id, role: 'developer', workspace_name: host.workspace.name },
    ])
    expect(await accept(guest, made.id)).toBe(204)
    await eventually(async () => (await countFlowsIn(host, guest)) === 200)
    expect(await host.client.listMembers()).toMatchObject([
      { email: guest.email, role: 'developer' },
    ])
    expect(await accept(guest, made.id)).toBe(404)
    expect(await mine(guest)).toEqual([])
  })

  test('is accepted by signing in for the first time', async () => {
    const host = await aWorkspace()
    const email = `${crypto.randomUUID()}@example.com`
    await host.client.createInvitation({ email, role: 'viewer' })
    const guest = await aPerson(email)
    expect(await countFlowsIn(host, guest)).toBe(200)
    expect(await host.client.listMembers()).toMatchObject([{ email, role: 'viewer' }])
    const listed = await guest.browser.get('/api/me/workspaces')
    expect(await listed.json()).toMatchObject([{ workspace_id: host.workspace.id }])
  })

  test('is for nobody else, nor for who has not proved the address, nor when it is over', async () => {
    const host = await aWorkspace()
    const [guest, other] = [await aPerson(), await aPerson()]
    const invite = (expires?: string) =>
      host.client.createInvitation({ email: guest.email, role: 'viewer', expires: expires ?? null })
    const first = await invite()
    expect([await accept(other, first.id), await accept(other, crypto.randomUUID())]).toEqual([
      404, 404,
    ])
    expect(await mine(other)).toEqual([])
    const verified = (value: number) =>
      bindings.DB.prepare('UPDATE user SET email_verified = ? WHERE email = ?')
        .bind(value, guest.email)
        .run()
    await verified(0)
    expect([await mine(guest), await accept(guest, first.id)]).toEqual([[], 404])
    await verified(1)
    await host.client.revokeInvitation(first.id)
    expect([await mine(guest), await accept(guest, first.id)]).toEqual([[], 404])
    await expect(host.client.revokeInvitation(first.id)).rejects.toMatchObject(missing)
    await expect(invite('2020-01-01T00:00:00Z')).rejects.toMatchObject({ status: 422 })
    expect(await host.client.listMembers()).toEqual([])
  })

  test('of another workspace is as one that never was', async () => {
    const [host, other] = [await aWorkspace(), await aWorkspace()]
    const made = await host.client.createInvitation({ email: 'a@example.com', role: 'viewer' })
    await expect(other.client.revokeInvitation(made.id)).rejects.toMatchObject(missing)
    expect(await other.client.listInvitations()).toEqual([])
    expect(await host.client.listInvitations()).toEqual([made])
  })
})

describe('a member', () => {
  test('is out within seconds when it is taken out', async () => {
    const host = await aWorkspace()
    const member = await aMember(host, 'viewer')
    await eventually(async () => (await countFlowsIn(host, member)) === 200)
    await host.client.removeMember(member.id)
    await eventually(async () => (await countFlowsIn(host, member)) === 404)
    await expect(host.client.removeMember(member.id)).rejects.toMatchObject(missing)
    await expect(host.client.updateMember(member.id, 'owner')).rejects.toMatchObject(missing)
  })

  test('that is the last owner stays one', async () => {
    const host = await aWorkspace()
    const [first, second] = [await aMember(host, 'owner'), await aMember(host, 'owner')]
    await host.client.updateMember(first.id, 'viewer')
    const conflict = { status: 409 }
    await expect(host.client.updateMember(second.id, 'developer')).rejects.toMatchObject(conflict)
    await expect(host.client.removeMember(second.id)).rejects.toMatchObject(conflict)
    await host.client.updateMember(second.id, 'owner')
    await host.client.updateMember(first.id, 'owner')
    await host.client.removeMember(second.id)
    expect(await host.client.listMembers()).toMatchObject([{ id: first.id, role: 'owner' }])
  })

  test('of another workspace is as one that never was', async () => {
    const [host, other] = [await aWorkspace(), await aWorkspace()]
    const member = await aMember(host, 'owner')
    for (const id of [member.id, crypto.randomUUID()]) {
      await expect(other.client.updateMember(id, 'viewer')).rejects.toMatchObject(missing)
      await expect(other.client.removeMember(id)).rejects.toMatchObject(missing)
    }
    expect(await host.client.listMembers()).toMatchObject([{ id: member.id, role: 'owner' }])
  })
})
