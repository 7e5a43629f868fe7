import { describe, expect, test } from 'vitest'
import { newApp } from '../../worker/app.ts'
import { planSetupLink } from '../../worker/operations/set-up-owner.ts'
import { aPerson, Browser, linkIn } from '../support/people.ts'
import { aWorkspace, bindings } from '../support/workspace.ts'

const PASSWORD = 'correct horse battery'

test('a page has the style that its policy names by its hash, and no script', async () => {
  const response = await new Browser().get('/api/auth-pages/sign-in')
  const page = await response.text()
  const style = /<style>(.*?)<\/style>/s.exec(page)?.[1] ?? ''
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style))
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)))
  expect(response.headers.get('Content-Security-Policy')).toContain(`style-src 'sha256-${hash}'`)
  expect(page).not.toContain('<script')
})

describe('the link of a new account', () => {
  test('makes its owner, once', async () => {
    const { path, workspace } = await aLink()
    const browser = new Browser()
    expect(await (await browser.get(path)).text()).toContain('Become the owner')
    const email = anAddress()
    const made = await browser.submit(path, { name: 'Olga', email, password: PASSWORD })
    expect(made.status).toBe(303)
    expect(await browser.session()).toMatchObject({ email, name: 'Olga' })
    const { results } = await bindings.DB.prepare(
      `SELECT account_member.role AS account, workspace_member.role AS workspace
       FROM account_member JOIN workspace_member ON member_id = user_id
       WHERE account_id = ? AND workspace_id = ?`,
    )
      .bind(workspace.account_id, workspace.id)
      .all()
    expect(results).toEqual([{ account: 'owner', workspace: 'owner' }])
    expect((await new Browser().get(path)).status).toBe(404)
    const again = { name: 'Eve', email: anAddress(), password: PASSWORD }
    expect((await new Browser().submit(path, again)).status).toBe(404)
  })

  test('makes the owner of who is signed in already', async () => {
    const { path, workspace } = await aLink()
    const { browser } = await aPerson()
    expect((await browser.submit(path, {})).status).toBe(303)
    const row = await bindings.DB.prepare('SELECT role FROM account_member WHERE account_id = ?')
      .bind(workspace.account_id)
      .first()
    expect(row).toEqual({ role: 'owner' })
  })

  test('is not used up by a form that is not right', async () => {
    const { path } = await aLink()
    const { email } = await aPerson()
    const right = { name: 'Olga', email: anAddress(), password: PASSWORD }
    for (const wrong of [{ password: 'short' }, { email: 'nobody' }, { name: ' ' }, { email }]) {
      expect((await new Browser().submit(path, { ...right, ...wrong })).status).toBe(400)
    }
    expect((await new Browser().submit(path, right)).status).toBe(303)
  })

  test('is gone when it is wrong, or an account has got a newer one', async () => {
    const { path, workspace } = await aLink()
    expect((await new Browser().get(`${path}0`)).status).toBe(404)
    expect((await new Browser().get('/api/auth-pages/set-up')).status).toBe(404)
    await aLinkOf(workspace.account_id)
    expect((await new Browser().get(path)).status).toBe(404)
  })
})

describe('the pages', () => {
  test('take somebody from signing up to signing out everywhere', async () => {
    const browser = new Browser()
    const email = anAddress()
    const signUp = { name: 'Ada', email, password: PASSWORD }
    const sent = await browser.submit('/api/auth-pages/sign-up', signUp)
    expect(await sent.text()).toContain('Look into your mail')
    const verified = await browser.get(await linkIn(email, 'Confirm your address'))
    const told = await browser.get(verified.headers.get('Location') ?? '')
    expect(await told.text()).toContain('The address is confirmed')
    const signedIn = await browser.submit('/api/auth-pages/sign-in', { email, password: PASSWORD })
    const account = await browser.get(signedIn.headers.get('Location') ?? '')
    expect(await account.text()).toContain(`You are signed in as ${email}`)
    const out = await browser.submit('/api/auth-pages/account', { what: 'everywhere' })
    expect(out.headers.get('Location')).toBe('/api/auth-pages/sign-in')
    expect((await browser.get('/api/auth-pages/account')).status).toBe(303)
  })

  test('show where somebody is signed in, and end one of that', async () => {
    const { browser, email, password } = await aPerson()
    const other = new Browser()
    other.headers = { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) Gecko Firefox/144.0' }
    await other.post('/sign-in/email', { email, password })
    const page = await (await browser.get('/api/auth-pages/account')).text()
    expect(page).toContain('(here)')
    expect(page).toContain('Firefox on Linux')
    const ids = [...page.matchAll(/name="id" value="([^"]+)"[^>]*>\s*<button[^>]*value="session"/g)]
    expect(ids).toHaveLength(1)
    const [, id = ''] = ids[0] ?? []
    const { browser: stranger } = await aPerson()
    await stranger.submit('/api/auth-pages/account', { what: 'session', id })
    expect(await (await other.get('/api/auth/get-session')).json()).not.toBe(null)
    const ended = await browser.submit('/api/auth-pages/account', { what: 'session', id })
    expect(ended.headers.get('Location')).toBe('/api/auth-pages/account')
    expect(await (await other.get('/api/auth/get-session')).json()).toBe(null)
    expect(await browser.session()).toMatchObject({ email })
  })

  test('set a new password by the link of a mail', async () => {
    const { email } = await aPerson()
    const browser = new Browser()
    await browser.submit('/api/auth-pages/forgot-password', { email })
    const { pathname, search } = new URL(await linkIn(email, 'Choose a new password'))
    const done = await browser.submit(pathname + search, { password: 'another horse battery' })
    expect(done.status).toBe(303)
    const given = { email, password: 'another horse battery' }
    expect((await browser.submit('/api/auth-pages/sign-in', given)).status).toBe(303)
  })

  test('say what is wrong, and say of a link that has ended what to do', async () => {
    const wrong = { email: anAddress(), password: 'wrong password' }
    const refused = await new Browser().submit('/api/auth-pages/sign-in', wrong)
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('Invalid email or password')
    const late = await new Browser().get(
      '/api/auth/verify-email?token=x&callbackURL=/api/auth-pages/verified',
    )
    const told = await new Browser().get(late.headers.get('Location') ?? '')
    expect(await told.text()).toContain('The address is not confirmed')
  })

  test('show what was given as text, run nothing and stand in no frame', async () => {
    const name = '"><script>alert(1)</script>'
    const page = await new Browser().submit('/api/auth-pages/sign-up', {
      name,
      email: name,
      password: 'x',
    })
    expect(await page.text()).not.toContain('<script')
    const policy = page.headers.get('Content-Security-Policy')
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
  })

  test.for(['https://evil.test', 'null', undefined])('take no form from %s', async (origin) => {
    const { browser } = await aPerson()
    browser.origin = origin
    const answer = await browser.submit('/api/auth-pages/account', { what: 'everywhere' })
    expect(answer.status).toBe(403)
    expect(await browser.session()).toBeDefined()
  })
})

describe('the outbox', () => {
  const read = async (url: string, more: object) =>
    await newApp().request(new Request(url), {}, { ...bindings, ...more })
  const HEADGATE_URL = 'http://127.0.0.1:4280 http://localhost:4280'

  test('is there on one machine, under its own names alone', async () => {
    await aPerson()
    const shown = { HEADGATE_LOCAL_OUTBOX: 'shown', HEADGATE_URL }
    const page = await read('http://localhost:4280/api/auth-outbox', shown)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('Confirm your address')
    expect((await read('http://rebound.test:4280/api/auth-outbox', shown)).status).toBe(404)
  })

  test.for([{}, { HEADGATE_LOCAL_OUTBOX: 'told' }, { HEADGATE_LOCAL_OUTBOX: undefined }])(
    'is not there with %o',
    async (more) => {
      const answer = await read('http://localhost:4280/api/auth-outbox', { ...more, HEADGATE_URL })
      expect(answer.status).toBe(404)
    },
  )
})

async function aLink() {
  const { workspace } = await aWorkspace()
  return { path: await aLinkOf(workspace.account_id), workspace }
}

async function aLinkOf(accountId: string): Promise<string> {
  const { path, statements } = await planSetupLink(accountId, Date.now() * 1000)
  await bindings.DB.batch(
    statements.map(({ sql, values }) => bindings.DB.prepare(sql).bind(...values)),
  )
  return path
}

function anAddress(): string {
  return `${crypto.randomUUID()}@example.com`
}
