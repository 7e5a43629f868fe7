import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startServer, type LocalServer } from '../../worker/local/server.ts'
import { launchBrowser } from '../support/node/browser.ts'
import { openConsole, type ConsolePage } from '../support/node/console-page.ts'
import { freePort } from '../support/node/sandbox.ts'
import { totpOf } from '../support/totp.ts'

const FIRST_PORT = 24_600
const EMAIL = 'olga@example.com'
const PASSWORD = 'correct horse battery'

let folder: string
let server: LocalServer
let browser: Browser
let opened: ConsolePage
let page: Page

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-people-'))
  server = await startServer({ state: folder, port: await freePort(FIRST_PORT) })
  browser = await launchBrowser()
  // Passkeys belong to a name: an address of digits has none.
  const origin = server.console_url.replace('127.0.0.1', 'localhost')
  opened = await openConsole(browser, { origin })
  page = opened.page
})

afterAll(async () => {
  await browser.close()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

async function signOut(): Promise<void> {
  await opened.open('/api/auth-pages/account')
  await page.getByRole('button', { name: 'Sign out', exact: true }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
}

async function isAtAccount(): Promise<boolean> {
  return (await page.getByText(`You are signed in as ${EMAIL}`).count()) === 1
}

describe.sequential('in a browser, somebody', () => {
  it('becomes the first owner by the link of the terminal', async () => {
    const { pathname, search } = new URL(server.set_up_url ?? '')
    await opened.open(pathname + search)
    await page.getByLabel('Name').fill('Olga')
    await page.getByLabel('E-mail').fill(EMAIL)
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Become the owner' }).click()
    await expect.poll(isAtAccount).toBe(true)
  })

  it('turns on a second factor, and signs in by it', async () => {
    await page.getByRole('link', { name: 'Turn it on' }).click()
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Turn it on' }).click()
    await page.getByRole('img', { name: 'QR code' }).waitFor()
    const link = page.getByRole('link', { name: 'Open it in an app' })
    const uri = (await link.getAttribute('href')) ?? ''
    await page.getByRole('textbox', { name: 'Code' }).fill(await totpOf(uri))
    await page.getByRole('button', { name: 'Confirm' }).click()
    await expect.poll(isAtAccount).toBe(true)
    await signOut()
    await page.getByLabel('E-mail').fill(EMAIL)
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('textbox', { name: 'Code' }).fill(await totpOf(uri))
    await page.getByRole('button', { name: 'Sign in' }).click()
    await expect.poll(isAtAccount).toBe(true)
  })

  it('adds a passkey, and signs in with it alone', async () => {
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('WebAuthn.enable')
    const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
    await page.getByRole('link', { name: 'Add a passkey' }).click()
    await page.getByLabel('Name').fill('my laptop')
    await page.getByRole('button', { name: 'Add it' }).click()
    await expect.poll(isAtAccount).toBe(true)
    await page.getByText('my laptop').waitFor()
    await signOut()
    const usePasskey = async () => {
      await opened.open('/api/auth-pages/passkey')
      await page.getByRole('button', { name: 'Use a passkey' }).click()
    }
    await usePasskey()
    await expect.poll(isAtAccount).toBe(true)

    await signOut()
    // The device no longer checks who holds it: the browser refuses, and the server where a page does not ask for that.
    await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
    await usePasskey()
    await page.getByText('This did not work').waitFor()
    await opened.open('/api/auth-pages/passkey')
    await page.evaluate(`(() => {
      const { dataset } = document.querySelector('form')
      const options = { ...JSON.parse(dataset.options), userVerification: 'discouraged' }
      dataset.options = JSON.stringify(options)
    })()`)
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByText('has not checked that it is you').waitFor()
    await opened.open('/api/auth-pages/account')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()

    await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true })
    await usePasskey()
    await expect.poll(isAtAccount).toBe(true)
    await page.getByRole('button', { name: 'Remove' }).click()
    await expect.poll(isAtAccount).toBe(true)
    await expect.poll(() => page.getByText('my laptop').count()).toBe(0)
    await signOut()
    await usePasskey()
    await page.getByText(/This did not work|Passkey not found/).waitFor()
  })

  it('breaks no rule of the pages’ policies by that', () => {
    // Of pages that say what was wrong the browser says so.
    const others = opened.complaints.filter((text) => !text.includes('status of 403'))
    expect(others).toStrictEqual([])
  })
})
