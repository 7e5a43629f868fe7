import { describe, expect, test } from 'vitest'
import { newApp } from '../../worker/app.ts'
import { eventually } from '../support/eventually.ts'
import { aPerson, Browser, linkIn, mailsTo } from '../support/people.ts'
import { aWorkspace, bindings } from '../support/workspace.ts'

const PASSWORD = 'correct horse battery'

describe('signing up', () => {
  test('opens an account of the own once the address is proved', async () => {
    const browser = new Browser()
    const email = anAddress()
    const signedUp = await browser.post('/sign-up/email', {
      name: 'Ada',
      email,
      password: PASSWORD,
    })
    expect(signedUp.status).toBe(200)
    expect(browser.cookie('session_token')).toBe(undefined)
    expect((await browser.post('/sign-in/email', { email, password: PASSWORD })).status).toBe(403)
    const link = await linkIn(email, 'Confirm your address')
    const verified = await browser.get(link)
    expect(verified.status).toBe(302)
    expect(verified.headers.get('Location')).toBe('/api/auth-pages/verified')
    expect((await browser.post('/sign-in/email', { email, password: PASSWORD })).status).toBe(200)
    const session = (await (await browser.get('/api/auth/get-session')).json()) as {
      user: { id: string; email: string }
    }
    expect(session.user.email).toBe(email)
    expect(await rolesOf(session.user.id)).toEqual({
      account: [{ role: 'owner', name: 'Ada' }],
      workspace: [{ role: 'owner', name: 'default' }],
    })
    // Once, however often the person signs in.
    await browser.post('/sign-in/email', { email, password: PASSWORD })
    expect((await rolesOf(session.user.id)).account).toHaveLength(1)
  })

  test('answers the same whoever has an account, and tells its owner by mail', async () => {
    const { email } = await aPerson()
    const again = await shape(signUp(email))
    expect(again).toEqual(await shape(signUp(anAddress())))
    expect(again.status).toBe(200)
    expect(await linkIn(email, 'You have an account')).toContain('/sign-in')
  })

  test('refuses a password that is too short', async () => {
    const answer = await new Browser().post('/sign-up/email', {
      name: 'A',
      email: anAddress(),
      password: 'short',
    })
    expect(answer.status).toBe(400)
  })
})

describe('where signing up is not open', () => {
  const settings = { HEADGATE_LOCAL_OUTBOX: 'kept' }

  async function tryWith(email: string, more: object): Promise<number> {
    const request = new Request('http://headgate.test/api/auth/sign-up/email', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'CF-Connecting-IP': crypto.randomUUID() },
      body: JSON.stringify({ name: 'Ada', email, password: PASSWORD }),
    })
    return (await newApp().request(request, {}, { ...bindings, ...settings, ...more })).status
  }

  test('only who is invited gets in, once, while the invitation is good', async () => {
    const { workspace } = await aWorkspace()
    const invite = async (expires: string, revoked: string | null) => {
      const email = anAddress()
      await bindings.DB.prepare(
        `INSERT INTO invitation (id, created, account_id, workspace_id, email, role, created_by, expires, revoked)
         VALUES (?, ?, ?, ?, ?, 'viewer', 'test', ?, ?)`,
      )
        .bind(
          crypto.randomUUID(),
          '2026-01-01T00:00:00.000000Z',
          workspace.account_id,
          workspace.id,
          email,
          expires,
          revoked,
        )
        .run()
      return email
    }
    const later = '2999-01-01T00:00:00.000000Z'
    const earlier = '2020-01-01T00:00:00.000000Z'
    const invited = { HEADGATE_SIGN_UP: 'invited' }
    expect(await tryWith(await invite(later, null), invited)).toBe(200)
    expect(await tryWith(await invite(earlier, null), invited)).toBe(403)
    expect(await tryWith(await invite(later, earlier), invited)).toBe(403)
    expect(await tryWith(anAddress(), invited)).toBe(403)
    expect(await tryWith(await invite(later, null), { HEADGATE_SIGN_UP: 'closed' })).toBe(403)
  })

  test('who has an account is refused as anybody else', async () => {
    const { email } = await aPerson()
    expect(await tryWith(email, { HEADGATE_SIGN_UP: 'closed' })).toBe(403)
    expect(await tryWith(email, { HEADGATE_SIGN_UP: undefined })).toBe(403)
  })

  test('domains are let in, and nobody where no mail leaves', async () => {
    expect(await tryWith(anAddress(), { HEADGATE_SIGN_UP: 'example.com' })).toBe(200)
    expect(await tryWith(anAddress(), { HEADGATE_SIGN_UP: 'example.org' })).toBe(403)
    const mute = { HEADGATE_SIGN_UP: 'open', HEADGATE_LOCAL_OUTBOX: undefined }
    expect(await tryWith(anAddress(), mute)).toBe(403)
  })
})

describe('signing in', () => {
  test('answers the same to a wrong password and to an address that nobody has', async () => {
    const { email } = await aPerson()
    const wrong = await shape(
      new Browser().post('/sign-in/email', { email, password: 'wrong password' }),
    )
    const unknown = await shape(
      new Browser().post('/sign-in/email', { email: anAddress(), password: 'wrong password' }),
    )
    expect(wrong).toEqual(unknown)
    expect(wrong.status).toBe(401)
  })

  test('gives a session that was not there before, in a cookie that scripts and other sites do not get', async () => {
    const { email, password } = await aPerson()
    const browser = new Browser()
    browser.cookies.set('headgate.session_token', 'planted.AAAA')
    const answer = await browser.post('/sign-in/email', { email, password })
    const first = browser.cookie('session_token')
    expect(first).not.toContain('planted')
    const set = answer.headers.getSetCookie().find((text) => text.includes('session_token'))
    expect(set).toMatch(/; HttpOnly/i)
    expect(set).toMatch(/; SameSite=Lax/i)
    expect(set).toMatch(/; Path=\//i)
    expect(set).not.toMatch(/; Domain/i)
    await browser.post('/sign-in/email', { email, password })
    expect(browser.cookie('session_token')).not.toBe(first)
  })

  test('over https sets cookies that belong to this host and to https alone', async () => {
    const { email, password } = await aPerson()
    const browser = new Browser('https://headgate.test')
    const answer = await browser.post('/sign-in/email', { email, password })
    expect(answer.status).toBe(200)
    const set = answer.headers.getSetCookie()
    expect(set.length).toBeGreaterThan(0)
    for (const cookie of set) {
      expect(cookie).toMatch(/^__Host-headgate\..*; Secure/)
    }
  })

  test('is refused after ten attempts on a person, who exists or not, from wherever they come', async () => {
    const { email, password } = await aPerson()
    const statusesOf = async (address: string) => {
      const statuses = []
      for (let attempt = 0; attempt < 11; attempt += 1) {
        const given = { email: address, password: `${password}?` }
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        statuses.push((await new Browser().post('/sign-in/email', given)).status)
      }
      return statuses
    }
    for (const statuses of await Promise.all([email, anAddress()].map(statusesOf))) {
      // Signing in as the person was made is an attempt as well.
      expect(statuses.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => 401))
      expect(statuses[10]).toBe(429)
    }
    const refused = await new Browser().post('/sign-in/email', { email, password })
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0)
    expect(refused.status).toBe(429)
  })

  test('is refused after many attempts from a network, on whomever', async () => {
    const statuses = []
    for (let attempt = 0; attempt < 51; attempt += 1) {
      const browser = new Browser()
      browser.address = `2001:db8:1:2::${attempt.toString(16)}`
      // What is no address is refused early: only the count matters here.
      statuses.push(
        (await browser.post('/sign-in/email', { email: `x${attempt}`, password: 'y' })).status,
      )
    }
    expect(statuses.slice(0, 50)).not.toContain(429)
    expect(statuses[50]).toBe(429)
  })
})

describe('a session', () => {
  test('is read from its cookie, and not from one that was not signed here', async () => {
    const { browser, email } = await aPerson()
    expect(await browser.session()).toMatchObject({ email, name: 'Ada' })
    const token = browser.cookie('session_token') ?? ''
    browser.cookies.set('headgate.session_token', `${token.split('.')[0]}.AAAA`)
    expect(await browser.session()).toBe(undefined)
    browser.cookies.delete('headgate.session_token')
    expect(await browser.session()).toBe(undefined)
  })

  test('is listed, and can be ended from another one', async () => {
    const { browser, email, password } = await aPerson()
    const other = new Browser()
    await other.post('/sign-in/email', { email, password })
    const listed = (await (await browser.get('/api/auth/list-sessions')).json()) as {
      token: string
    }[]
    expect(listed).toHaveLength(2)
    const token = decodeURIComponent(other.cookie('session_token') ?? '').split('.')[0]
    expect(listed.map((one) => one.token)).toContain(token)
    expect((await browser.post('/revoke-session', { token })).status).toBe(200)
    await eventually(async () => (await other.session()) === undefined)
    expect(await browser.session()).toMatchObject({ email })
  })

  test('ends everywhere within seconds when its person signs out everywhere', async () => {
    const { browser, email, password } = await aPerson()
    const other = new Browser()
    await other.post('/sign-in/email', { email, password })
    expect(await other.session()).toMatchObject({ email })
    expect((await browser.post('/revoke-sessions', {})).status).toBe(200)
    expect(await (await other.get('/api/auth/get-session')).json()).toBe(null)
    await eventually(async () => (await other.session()) === undefined)
    await eventually(async () => (await browser.session()) === undefined)
  })

  test('ends by signing out', async () => {
    const { browser } = await aPerson()
    expect((await browser.post('/sign-out', {})).status).toBe(200)
    expect(browser.cookie('session_token')).toBe(undefined)
  })
})

describe('a password', () => {
  test('is reset by mail, once, and ends all sessions', async () => {
    const { browser, email, password } = await aPerson()
    expect((await new Browser().post('/request-password-reset', { email })).status).toBe(200)
    const link = new URL(await linkIn(email, 'Choose a new password'))
    expect(link.pathname).toBe('/api/auth-pages/reset-password')
    const token = link.searchParams.get('token')
    const reset = { token, newPassword: 'another horse battery' }
    expect((await new Browser().post('/reset-password', reset)).status).toBe(200)
    expect((await new Browser().post('/reset-password', reset)).status).toBe(400)
    expect(await (await browser.get('/api/auth/get-session')).json()).toBe(null)
    const signIn = async (given: string) =>
      (await new Browser().post('/sign-in/email', { email, password: given })).status
    expect(await signIn(password)).toBe(401)
    expect(await signIn('another horse battery')).toBe(200)
  })

  test('is reset for nobody, with the same answer', async () => {
    const { email } = await aPerson()
    const known = await shape(new Browser().post('/request-password-reset', { email }))
    const nobody = anAddress()
    const unknown = await shape(new Browser().post('/request-password-reset', { email: nobody }))
    expect(known).toEqual(unknown)
    await linkIn(email, 'Choose a new password')
    expect(await mailsTo(nobody)).toEqual([])
  })
})

describe('another site', () => {
  test('can not act with the cookies of who is signed in', async () => {
    const { browser } = await aPerson()
    browser.origin = 'https://evil.test'
    expect((await browser.post('/revoke-sessions', {})).status).toBe(403)
    browser.origin = 'null'
    expect((await browser.post('/revoke-sessions', {})).status).toBe(403)
    browser.origin = undefined
    expect((await browser.post('/revoke-sessions', {})).status).toBe(403)
    browser.origin = 'http://headgate.test'
    expect((await browser.post('/revoke-sessions', {})).status).toBe(200)
  })

  test('can not have people signed in as somebody else', async () => {
    const { email, password } = await aPerson()
    const browser = new Browser()
    browser.origin = 'https://evil.test'
    browser.headers = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }
    expect((await browser.post('/sign-in/email', { email, password })).status).toBe(403)
  })

  test.for([
    'https://evil.test/',
    '//evil.test/',
    '/\\evil.test',
    'http://headgate.test.evil.test/',
  ])('is not where links lead: %s', async (callbackURL) => {
    const email = anAddress()
    const signedUp = await new Browser().post('/sign-up/email', {
      name: 'A',
      email,
      password: PASSWORD,
      callbackURL,
    })
    expect(signedUp.status).toBe(403)
    const reset = await new Browser().post('/request-password-reset', {
      email,
      redirectTo: callbackURL,
    })
    expect(reset.status).toBe(403)
    const verify = `/api/auth/verify-email?token=x&callbackURL=${encodeURIComponent(callbackURL)}`
    expect((await new Browser().get(verify)).status).toBe(403)
  })
})

function anAddress(): string {
  return `${crypto.randomUUID()}@example.com`
}

async function signUp(email: string): Promise<Response> {
  return await new Browser().post('/sign-up/email', { name: 'Eve', email, password: PASSWORD })
}

/** All that an answer tells, but for ids, times and the address that was given. */
async function shape(answered: Promise<Response>) {
  const answer = await answered
  const body = (await answer.text())
    .replaceAll(/[0-9a-f-]{36}@/g, '…@')
    .replaceAll(/"[0-9a-f-]{36}"/g, '"id"')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
  const headers = [...answer.headers.keys()].filter((name) => name !== 'set-cookie')
  return { status: answer.status, body, headers, cookies: answer.headers.getSetCookie().length }
}

async function rolesOf(userId: string) {
  const all = async (sql: string) =>
    (await bindings.DB.prepare(sql).bind(userId).all<{ role: string; name: string }>()).results
  return {
    account: await all(
      'SELECT role, name FROM account_member JOIN account ON account.id = account_id WHERE user_id = ?',
    ),
    workspace: await all(
      'SELECT role, name FROM workspace_member JOIN workspace ON workspace.id = workspace_id WHERE member_id = ?',
    ),
  }
}
