import { describe, expect, test } from 'vitest'
import { aPerson, Browser, type TestPerson } from '../support/people.ts'
import { totpOf } from '../support/totp.ts'
import { bindings } from '../support/workspace.ts'

interface Factor extends TestPerson {
  uri: string
  codes: string[]
}

/** No app shows a letter, so that it is never right by chance. */
const WRONG = '00000x'

/** Somebody who has confirmed a second factor. */
async function aPersonWithFactor(): Promise<Factor> {
  const person = await aPerson()
  const begun = await begin(person)
  const confirmed = await person.browser.post('/two-factor/verify-totp', {
    code: await totpOf(begun.uri),
  })
  expect(confirmed.status).toBe(200)
  return { ...person, ...begun }
}

async function begin({ browser, password }: TestPerson): Promise<{ uri: string; codes: string[] }> {
  const answer = await browser.post('/two-factor/enable', { password })
  expect(answer.status).toBe(200)
  const { totpURI, backupCodes } = (await answer.json()) as {
    totpURI: string
    backupCodes: string[]
  }
  return { uri: totpURI, codes: backupCodes }
}

/** A browser of its own in which the password was right. */
async function challenged({ email, password }: TestPerson): Promise<Browser> {
  const browser = new Browser()
  const answer = await browser.post('/sign-in/email', { email, password })
  expect(answer.status).toBe(200)
  expect(await answer.json()).toMatchObject({ twoFactorRedirect: true })
  return browser
}

const verify = async (browser: Browser, code: string) =>
  (await browser.post('/two-factor/verify-totp', { code })).status
const verifyBackup = async (browser: Browser, code: string) =>
  (await browser.post('/two-factor/verify-backup-code', { code })).status

describe('a second factor', () => {
  test('is asked for once a code was right, and not before', async () => {
    const person = await aPerson()
    const { email, password } = person
    const { uri } = await begin(person)
    expect(uri).toMatch(/^otpauth:\/\/totp\/Headgate:.*[?&]issuer=Headgate/)
    const meanwhile = new Browser()
    await meanwhile.post('/sign-in/email', { email, password })
    expect(await meanwhile.session()).toMatchObject({ email })
    expect(await verify(person.browser, WRONG)).toBe(401)
    expect(await verify(person.browser, await totpOf(uri))).toBe(200)
    const browser = await challenged(person)
    expect(browser.cookie('session_token')).toBe(undefined)
    expect((await browser.get('/api/me/workspaces')).status).toBe(401)
    expect(await verify(browser, WRONG)).toBe(401)
    expect(browser.cookie('session_token')).toBe(undefined)
    expect(await verify(browser, await totpOf(uri))).toBe(200)
    expect(await browser.session()).toMatchObject({ email })
  })

  test('needs the password to be turned on, off, or given other backup codes', async () => {
    const person = await aPersonWithFactor()
    const { browser, email, password } = person
    const tried = async (path: string, given: string) =>
      (await browser.post(`/two-factor/${path}`, { password: given })).status
    for (const path of ['enable', 'disable', 'generate-backup-codes', 'get-totp-uri']) {
      expect(await tried(path, 'wrong password')).toBe(400)
    }
    await challenged(person)
    const before = browser.cookie('session_token')
    expect(await tried('disable', password)).toBe(200)
    expect(browser.cookie('session_token')).not.toBe(before)
    const plain = new Browser()
    await plain.post('/sign-in/email', { email, password })
    expect(await plain.session()).toMatchObject({ email })
  })

  test('is not to be read from what is stored', async () => {
    const { email, uri, codes } = await aPersonWithFactor()
    const row = await bindings.DB.prepare(
      'SELECT second_factor.* FROM second_factor JOIN user ON user.id = user_id WHERE email = ?',
    )
      .bind(email)
      .first()
    const stored = JSON.stringify(row)
    expect(stored).toContain('backup_codes')
    expect(stored).not.toContain(codes[0])
    expect(stored).not.toContain(new URL(uri).searchParams.get('secret'))
  })

  test('of somebody else is none', async () => {
    const mine = await aPersonWithFactor()
    const other = await aPersonWithFactor()
    const browser = await challenged(mine)
    expect(await verify(browser, await totpOf(other.uri))).toBe(401)
    expect(await verifyBackup(browser, other.codes[0] ?? '')).toBe(401)
    expect(await browser.session()).toBe(undefined)
    // Nor is a code anything without the password before it.
    expect(await verify(new Browser(), await totpOf(mine.uri))).toBe(401)
  })

  test('keeps no device from being asked, unless it is told to', async () => {
    const person = await aPersonWithFactor()
    const browser = await challenged(person)
    await verify(browser, await totpOf(person.uri))
    expect(browser.cookie('trust_device')).toBe(undefined)
    await browser.post('/sign-out', {})
    const { email, password } = person
    const again = await browser.post('/sign-in/email', { email, password })
    expect(await again.json()).toMatchObject({ twoFactorRedirect: true })
  })
})

describe('a backup code', () => {
  test('is good once', async () => {
    const person = await aPersonWithFactor()
    const [code = ''] = person.codes
    expect(person.codes).toHaveLength(10)
    const browser = await challenged(person)
    expect(await verifyBackup(browser, code)).toBe(200)
    expect(await browser.session()).toMatchObject({ email: person.email })
    expect(await verifyBackup(await challenged(person), code)).toBe(401)
  })

  test('ends when there are new ones', async () => {
    const person = await aPersonWithFactor()
    const { browser, password } = person
    const renewed = await browser.post('/two-factor/generate-backup-codes', { password })
    const { backupCodes } = (await renewed.json()) as { backupCodes: string[] }
    expect(await verifyBackup(await challenged(person), person.codes[1] ?? '')).toBe(401)
    expect(await verifyBackup(await challenged(person), backupCodes[1] ?? '')).toBe(200)
  })
})

describe('guessing', () => {
  test('ends with five wrong codes for one password, and with ten in a row for the person', async () => {
    const person = await aPersonWithFactor()
    const first = await challenged(person)
    for (let attempt = 0; attempt < 5; attempt += 1) {
      expect(await verify(first, WRONG)).toBe(401)
    }
    expect(await verify(first, await totpOf(person.uri))).toBe(400)
    // By whichever way, and from wherever.
    const second = await challenged(person)
    for (let attempt = 0; attempt < 5; attempt += 1) {
      expect(await verifyBackup(second, 'wrong-codes')).toBe(401)
    }
    const third = await challenged(person)
    expect(await verify(third, await totpOf(person.uri))).toBe(429)
    expect(await verifyBackup(third, person.codes[0] ?? '')).toBe(429)
    expect(await third.session()).toBe(undefined)
  })

  test('the password of who is signed in ends after ten attempts', async () => {
    const { browser } = await aPerson()
    const statuses = []
    for (let attempt = 0; attempt < 11; attempt += 1) {
      // From anywhere: it is the person that counts.
      browser.address = `2001:db8:9:${attempt.toString(16)}::1`
      const answer = await browser.post('/two-factor/enable', { password: 'wrong password' })
      statuses.push(answer.status)
    }
    expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 400))
    expect(statuses[10]).toBe(429)
  })
})

describe('its pages', () => {
  const SETTINGS = '/api/auth-pages/second-factor-settings'

  test('take somebody from turning it on over signing in to turning it off', async () => {
    const { browser, email, password } = await aPerson()
    expect(await (await browser.get(SETTINGS)).text()).toContain('Turn it on')
    const wrong = await browser.submit(SETTINGS, { what: 'begin', password: 'wrong password' })
    expect(wrong.status).toBe(403)
    expect(await wrong.text()).toContain('Invalid password')
    const page = await (await browser.submit(SETTINGS, { what: 'begin', password })).text()
    expect(page).toContain('<svg')
    expect(page).not.toContain('<img')
    const uri = (/href="(otpauth:[^"]+)"/.exec(page)?.[1] ?? '').replaceAll('&amp;', '&')
    const [code = ''] = /[a-zA-Z0-9]{5}-[a-zA-Z0-9]{5}(?=<)/.exec(page) ?? []
    expect(code).not.toBe('')
    const mistyped = await browser.submit(SETTINGS, { what: 'confirm', code: WRONG })
    expect(mistyped.status).toBe(403)
    expect(await mistyped.text()).toContain('Invalid code')
    const digits = await totpOf(uri)
    const confirmed = await browser.submit(SETTINGS, {
      what: 'confirm',
      code: `${digits.slice(0, 3)} ${digits.slice(3)}`,
    })
    expect(confirmed.headers.get('Location')).toBe('/api/auth-pages/account')
    expect(await (await browser.get(SETTINGS)).text()).toContain('Turn it off')

    const other = new Browser()
    const asked = await other.submit('/api/auth-pages/sign-in', { email, password })
    expect(asked.headers.get('Location')).toBe('/api/auth-pages/second-factor')
    expect(await (await other.get('/api/auth-pages/second-factor')).text()).toContain('six digits')
    const refused = await other.submit('/api/auth-pages/second-factor', { code: WRONG })
    expect(refused.status).toBe(403)
    const done = await other.submit('/api/auth-pages/second-factor', { code })
    expect(done.headers.get('Location')).toBe('/api/auth-pages/account')
    expect(await other.session()).toMatchObject({ email })

    const renewed = await browser.submit(SETTINGS, { what: 'codes', password })
    expect(await renewed.text()).toMatch(/[a-zA-Z0-9]{5}-[a-zA-Z0-9]{5}</)
    const off = await browser.submit(SETTINGS, { what: 'end', password })
    expect(off.status).toBe(303)
    expect(await (await browser.get(SETTINGS)).text()).toContain('Turn it on')
  })

  test('are for who is signed in', async () => {
    expect((await new Browser().get(SETTINGS)).status).toBe(303)
    const tried = await new Browser().submit(SETTINGS, { what: 'begin', password: 'x' })
    expect(tried.headers.get('Location')).toBe('/api/auth-pages/sign-in')
  })
})
