import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import type { Bindings } from '#storage/workspace.ts'
import { CLIENT_SECRET, type Identity } from '../support/identity.ts'
import { aPerson, Browser } from '../support/people.ts'
import { IDENTITY_PROVIDER } from '../support/provided.ts'
import { totpOf } from '../support/totp.ts'
import { bindings } from '../support/workspace.ts'

const SITE = 'http://headgate.test'
const SETTINGS: Partial<Bindings> = {
  HEADGATE_GITHUB_ID: 'github-client',
  HEADGATE_GITHUB_SECRET: CLIENT_SECRET,
  HEADGATE_GOOGLE_ID: 'google-client',
  HEADGATE_GOOGLE_SECRET: CLIENT_SECRET,
}
const PROVIDERS = ['github', 'google'] as const
const ACCOUNT = '/api/auth-pages/account'
const provider = inject(IDENTITY_PROVIDER)
/** The names of GitHub and Google lead to the server of the tests. */
const THERE = new Set([
  'github.com',
  'api.github.com',
  'accounts.google.com',
  'oauth2.googleapis.com',
])

beforeAll(() => {
  const { fetch } = globalThis
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    const { hostname, pathname, search } = new URL(request.url)
    return await fetch(
      THERE.has(hostname) ? new Request(provider + pathname + search, request) : request,
    )
  })
})
afterAll(() => {
  vi.restoreAllMocks()
})

function aBrowser(settings: Partial<Bindings> = {}): Browser {
  return new Browser(SITE, { ...SETTINGS, ...settings })
}

function anIdentity(given: Partial<Identity> = {}): Identity {
  const id = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
  return { id, name: 'Ada', email: `${crypto.randomUUID()}@example.com`, verified: true, ...given }
}

/** Begins on a page; the address of the provider that it leads to. */
async function begin(browser: Browser, name: string): Promise<URL> {
  const answer = await browser.get(`/api/auth-pages/with/${name}`)
  expect(answer.status).toBe(303)
  return new URL(answer.headers.get('Location') ?? '')
}

/** Says yes at the provider; the address that it sends back to. */
async function agree(asked: URL, identity: Identity): Promise<URL> {
  const url = new URL(asked)
  url.searchParams.set('identity', JSON.stringify(identity))
  const answer = await fetch(url, { redirect: 'manual' })
  expect(answer.status).toBe(302)
  return new URL(answer.headers.get('Location') ?? '')
}

/** All of the way; where it ends. */
async function come(browser: Browser, name: string, identity: Identity): Promise<string> {
  const back = await agree(await begin(browser, name), identity)
  return await land(browser, back)
}

async function land(browser: Browser, back: URL): Promise<string> {
  expect(back.origin).toBe(SITE)
  const answer = await browser.get(back.pathname + back.search)
  expect(answer.status).toBe(302)
  return answer.headers.get('Location') ?? ''
}

async function loginsOf(email: string) {
  const { results } = await bindings.DB.prepare(
    `SELECT login.provider_id, login.access_token, login.refresh_token, login.id_token, user.email_verified
     FROM login JOIN user ON user.id = login.user_id WHERE user.email = ? ORDER BY provider_id`,
  )
    .bind(email)
    .all<{
      provider_id: string
      access_token: unknown
      refresh_token: unknown
      id_token: unknown
    }>()
  return results
}

describe.for(PROVIDERS)('by %s', (name) => {
  test('somebody signs up, gets an account of its own, and signs in again', async () => {
    const identity = anIdentity()
    const browser = aBrowser()
    const asked = await begin(browser, name)
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      client_id: `${name}-client`,
      redirect_uri: `${SITE}/api/auth/callback/${name}`,
      code_challenge_method: 'S256',
    })
    expect(await land(browser, await agree(asked, identity))).toBe(ACCOUNT)
    const session = await browser.session()
    expect(session).toMatchObject({ email: identity.email, name: 'Ada' })
    const mine = (await (await browser.get('/api/me/workspaces')).json()) as unknown[]
    expect(mine).toMatchObject([{ account_name: 'Ada', workspace_name: 'default' }])
    // What it takes to act there in its name is not kept.
    expect(await loginsOf(identity.email)).toEqual([
      {
        provider_id: name,
        access_token: null,
        refresh_token: null,
        id_token: null,
        email_verified: 1,
      },
    ])
    const again = aBrowser()
    expect(await come(again, name, identity)).toBe(ACCOUNT)
    expect((await again.session())?.user_id).toBe(session?.user_id)
    expect(await loginsOf(identity.email)).toHaveLength(1)
  })

  test('somebody with a password is the same person, where both addresses are proved', async () => {
    const { email, password, browser: first } = await aPerson()
    const browser = aBrowser()
    expect(await come(browser, name, anIdentity({ email }))).toBe(ACCOUNT)
    expect((await browser.session())?.user_id).toBe((await first.session())?.user_id)
    expect((await loginsOf(email)).map((login) => login.provider_id)).toEqual(['credential', name])
    expect((await new Browser().post('/sign-in/email', { email, password })).status).toBe(200)
  })

  test('nobody takes an account over by an address that is not proved there', async () => {
    const { email } = await aPerson()
    const browser = aBrowser()
    const ended = await come(browser, name, anIdentity({ email, verified: false }))
    expect(ended).toContain('/api/auth-pages/sign-in?error=account_not_linked')
    expect(await browser.session()).toBe(undefined)
    expect(await loginsOf(email)).toHaveLength(1)
  })

  test('nobody waits in an account for whom it belongs to', async () => {
    // Somebody signs up with the address of somebody else, and can't prove it.
    const email = `${crypto.randomUUID()}@example.com`
    const given = { name: 'Eve', email, password: 'correct horse battery' }
    expect((await new Browser().post('/sign-up/email', given)).status).toBe(200)
    const browser = aBrowser()
    expect(await come(browser, name, anIdentity({ email }))).toContain('error=account_not_linked')
    expect(await browser.session()).toBe(undefined)
  })

  test('nobody signs up with an address that is not proved there', async () => {
    const identity = anIdentity({ verified: false })
    const browser = aBrowser()
    expect(await come(browser, name, identity)).toContain('error=email_not_verified')
    expect(await loginsOf(identity.email)).toEqual([])
    const told = await browser.get('/api/auth-pages/sign-in?error=email_not_verified')
    expect(await told.text()).toContain('not confirmed there')
  })

  test('only who may sign up does', async () => {
    const statusOf = async (policy: string, email: string) => {
      const browser = aBrowser({ HEADGATE_SIGN_UP: policy })
      return await come(browser, name, anIdentity({ email }))
    }
    const anAddress = () => `${crypto.randomUUID()}@example.com`
    const closed = '/api/auth-pages/sign-in?error=sign_up_closed'
    expect(await statusOf('closed', anAddress())).toContain(closed)
    expect(await statusOf('invited', anAddress())).toContain(closed)
    expect(await statusOf('example.org', anAddress())).toContain(closed)
    expect(await statusOf('example.com', anAddress())).toBe(ACCOUNT)
    // Who has an account comes in whatever is decided about others.
    const { email } = await aPerson()
    expect(await statusOf('closed', email)).toBe(ACCOUNT)
  })

  test('the second factor is asked for as well', async () => {
    const { email, password, browser: first } = await aPerson()
    const begun = await first.post('/two-factor/enable', { password })
    const { totpURI } = (await begun.json()) as { totpURI: string }
    await first.post('/two-factor/verify-totp', { code: await totpOf(totpURI) })
    const browser = aBrowser()
    expect(await come(browser, name, anIdentity({ email }))).toBe('/api/auth-pages/second-factor')
    expect(browser.cookie('session_token')).toBe(undefined)
    expect(await browser.session()).toBe(undefined)
    const code = await totpOf(totpURI)
    const done = await browser.submit('/api/auth-pages/second-factor', { code })
    expect(done.headers.get('Location')).toBe(ACCOUNT)
    expect(await browser.session()).toMatchObject({ email })
  })
})

describe('on the way back', () => {
  test('a state that is another browser’s, changed, used or missing is refused', async () => {
    const browser = aBrowser()
    const back = await agree(await begin(browser, 'github'), anIdentity())
    const thief = aBrowser()
    expect(await land(thief, back)).toContain('error=state_mismatch')
    expect(await thief.session()).toBe(undefined)
    const changed = new URL(back)
    changed.searchParams.set('state', 'x'.repeat(32))
    expect(await land(browser, changed)).toContain('error=state_mismatch')
    const missing = new URL(back)
    missing.searchParams.delete('state')
    expect(await land(browser, missing)).toContain('error=state_not_found')
    expect(await browser.session()).toBe(undefined)
    expect(await land(browser, back)).toBe(ACCOUNT)
    expect(await land(browser, back)).toContain('error=state_mismatch')
  })

  test('a code that somebody else was given is refused', async () => {
    const browser = aBrowser()
    const mine = await agree(await begin(browser, 'github'), anIdentity())
    const theirs = await agree(await begin(aBrowser(), 'github'), anIdentity())
    mine.searchParams.set('code', theirs.searchParams.get('code') ?? '')
    expect(await land(browser, mine)).toContain('error=invalid_code')
    expect(await browser.session()).toBe(undefined)
  })

  test('who says no is told so', async () => {
    const browser = aBrowser()
    const asked = await begin(browser, 'google')
    const state = asked.searchParams.get('state') ?? ''
    const ended = await land(
      browser,
      new URL(`${SITE}/api/auth/callback/google?error=access_denied&state=${state}`),
    )
    expect(await (await browser.get(ended)).text()).toContain('You did not agree there.')
  })
})

describe('a provider', () => {
  test.for([
    'https://evil.test/',
    '//evil.test/',
    '/\\evil.test',
    'http://headgate.test.evil.test/',
    'javascript:alert(1)',
  ])('leads nobody to %s', async (url) => {
    for (const field of ['callbackURL', 'errorCallbackURL', 'newUserCallbackURL']) {
      const answer = await aBrowser().post('/sign-in/social', { provider: 'github', [field]: url })
      expect(answer.status).toBe(403)
    }
  })

  test('is asked itself: a token that a page brings along is no proof', async () => {
    const idToken = { token: 'eyJhbGciOiJub25lIn0.e30.' }
    const answer = await aBrowser().post('/sign-in/social', { provider: 'google', idToken })
    expect(answer.status).toBe(404)
  })

  test('gives nothing away by this server', async () => {
    const browser = aBrowser()
    await come(browser, 'github', anIdentity())
    for (const path of ['/get-access-token', '/refresh-token', '/account-info']) {
      expect((await browser.post(path, { providerId: 'github' })).status).toBe(404)
    }
  })

  test('is offered only where it is configured', async () => {
    const shown = await (await aBrowser().get('/api/auth-pages/sign-in')).text()
    expect(shown).toContain('Continue with GitHub')
    expect(shown).toContain('Continue with Google')
    for (const settings of [
      {},
      { HEADGATE_GITHUB_ID: 'github-client' },
      { HEADGATE_GITHUB_SECRET: CLIENT_SECRET },
    ]) {
      const browser = new Browser(SITE, settings)
      const page = await (await browser.get('/api/auth-pages/sign-in')).text()
      expect(page).not.toContain('Continue with')
      expect((await browser.get('/api/auth-pages/with/github')).status).toBe(404)
      expect((await browser.post('/sign-in/social', { provider: 'github' })).status).toBe(404)
    }
  })

  test('is not begun with by another site', async () => {
    const browser = aBrowser()
    browser.headers = { 'Sec-Fetch-Site': 'cross-site' }
    const answer = await browser.get('/api/auth-pages/with/github')
    expect(answer.headers.get('Location')).toBe('/api/auth-pages/sign-in')
    expect(browser.cookies.size).toBe(0)
  })

  test('is linked by who is signed in, for the same address, and unlinked again', async () => {
    const { browser, email } = await aPerson(undefined, aBrowser())
    const other = await come(browser, 'github', anIdentity())
    expect(other).toContain(`${ACCOUNT}?error=email_does_not_match`)
    expect(await (await browser.get(other)).text()).toContain('another one than here')
    expect(await come(browser, 'github', anIdentity({ email }))).toBe(ACCOUNT)
    const page = await (await browser.get(ACCOUNT)).text()
    const id = /name="id" value="([^"]+)"[^>]*>\s*<button[^>]*value="unlink"/.exec(page)?.[1] ?? ''
    expect(id).not.toBe('')
    expect((await browser.submit(ACCOUNT, { what: 'unlink', id })).status).toBe(303)
    expect(await loginsOf(email)).toHaveLength(1)
  })

  test('is not unlinked where nothing else is left to sign in by', async () => {
    const identity = anIdentity()
    const browser = aBrowser()
    await come(browser, 'google', identity)
    const { id = '' } =
      (await bindings.DB.prepare(
        'SELECT login.id FROM login JOIN user ON user.id = user_id WHERE email = ?',
      )
        .bind(identity.email)
        .first<{ id: string }>()) ?? {}
    const refused = await browser.submit(ACCOUNT, { what: 'unlink', id })
    expect(refused.status).toBe(403)
    expect(await loginsOf(identity.email)).toHaveLength(1)
  })
})
