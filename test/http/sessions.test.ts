import { describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { aPerson, type Browser } from '../support/people.ts'
import { TestSocket } from '../support/test-socket.ts'
import { aWorkspace, bindings } from '../support/workspace.ts'

const count = { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' } }

async function statusOf(browser: Browser, path: string, init: RequestInit): Promise<number> {
  return (await browser.send(path, init)).status
}

async function setRole(email: string, role: string): Promise<void> {
  await bindings.DB.prepare(
    `UPDATE workspace_member SET role = ? WHERE member_kind = 'user' AND member_id = (SELECT id FROM user WHERE email = ?)`,
  )
    .bind(role, email)
    .run()
}

describe('a person who is signed in', () => {
  test('uses the API of the workspaces that it has a role in, and no other', async () => {
    const { browser } = await aPerson()
    expect(await statusOf(browser, '/api/flows/count', count)).toBe(200)
    const answer = await browser.get('/api/me/workspaces')
    const mine = (await answer.json()) as { account_id: string; workspace_id: string }[]
    expect(mine).toHaveLength(1)
    const [{ account_id, workspace_id } = { account_id: '', workspace_id: '' }] = mine
    const at = (account: string, workspace: string) =>
      statusOf(browser, `/api/accounts/${account}/workspaces/${workspace}/flows/count`, count)
    expect(await at(account_id, workspace_id)).toBe(200)
    const other = (await aWorkspace()).workspace
    expect(await at(other.account_id, other.id)).toBe(404)
    expect(await at(account_id, other.id)).toBe(404)
    expect(await at(crypto.randomUUID(), crypto.randomUUID())).toBe(404)
  })

  test('may do what its role says, from one request to the next', async () => {
    const { browser, email } = await aPerson()
    const flow = (name: string) =>
      statusOf(browser, '/api/flows/', { ...count, body: JSON.stringify({ name }) })
    expect(await flow('a')).toBe(201)
    await setRole(email, 'viewer')
    await eventually(async () => (await flow(crypto.randomUUID())) === 403)
    expect(await statusOf(browser, '/api/flows/count', count)).toBe(200)
    expect(await statusOf(browser, '/api/keys', { method: 'GET' })).toBe(403)
  })

  test('makes keys, whose maker is known', async () => {
    const { browser } = await aPerson()
    const body = JSON.stringify({ name: 'ci', kind: 'workspace', scopes: ['see'] })
    const made = await browser.send('/api/keys', { ...count, body })
    expect(made.status).toBe(201)
    const session = await browser.session()
    expect(await made.json()).toMatchObject({ created_by: `user ${session?.user_id}` })
  })

  test('is nobody in what a page of another origin sends, or what no browser says the origin of', async () => {
    const { browser } = await aPerson()
    browser.origin = 'https://evil.example'
    expect(await statusOf(browser, '/api/flows/count', count)).toBe(401)
    browser.origin = undefined
    expect(await statusOf(browser, '/api/flows/count', count)).toBe(401)
    browser.headers = { 'Sec-Fetch-Site': 'cross-site' }
    expect(await statusOf(browser, '/api/me/workspaces', { method: 'GET' })).toBe(401)
  })

  test('signs out, and the cookie is worth nothing', async () => {
    const { browser } = await aPerson()
    const kept = new Map(browser.cookies)
    expect(await statusOf(browser, '/api/flows/count', count)).toBe(200)
    await browser.post('/sign-out', {})
    for (const [name, value] of kept) {
      browser.cookies.set(name, value)
    }
    await eventually(async () => (await statusOf(browser, '/api/flows/count', count)) === 401)
  })

  test('hears the feed until it signs out; another origin does not', async () => {
    const { browser } = await aPerson()
    const open = async () =>
      new TestSocket(
        await browser.send('/api/feed', { method: 'GET', headers: { Upgrade: 'websocket' } }),
      )
    const socket = await open()
    socket.send({ type: 'auth' })
    await socket.until('auth_success')
    browser.headers = { Origin: 'https://evil.example' }
    const foreign = await open()
    foreign.send({ type: 'auth' })
    expect(await eventually(() => foreign.ended)).toMatchObject({ code: 1008 })
    browser.headers = {}
    await browser.post('/sign-out', {})
    expect(await eventually(() => socket.ended)).toMatchObject({ code: 1008 })
  })
})
