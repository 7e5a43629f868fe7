import { describe, expect, test, vi } from 'vitest'
import { authFor } from '../../worker/http/people-auth.ts'
import { aPerson, Browser, mailsTo } from '../support/people.ts'
import { bindings } from '../support/workspace.ts'

// Whoever has an account, an answer is the same (people.test.ts), takes the same costly work, and comes no sooner than `EVEN_MS`,
// which hides what is left: a statement of D1 more or less.

const EVEN_MS = 600
const SITE = 'http://headgate.test'
const PASSWORD = 'correct horse battery'

interface Work {
  status: number
  /** What scrypt computed. */
  hashes: number
  milliseconds: number
}

/** What one request does, on a server of its own. */
async function workOf(path: string, body: object): Promise<Work> {
  const browser = new Browser(SITE, {})
  // The same that the server has for these bindings.
  const { password } = await authFor(browser.bindings, new Request(SITE)).$context
  const hash = vi.spyOn(password, 'hash')
  const verify = vi.spyOn(password, 'verify')
  const began = performance.now()
  const { status } = await browser.post(path, body)
  return {
    status,
    hashes: hash.mock.calls.length + verify.mock.calls.length,
    milliseconds: performance.now() - began,
  }
}

const anAddress = () => `${crypto.randomUUID()}@example.com`

async function compare(path: string, body: (email: string) => object): Promise<[Work, Work]> {
  const { email } = await aPerson()
  return [await workOf(path, body(email)), await workOf(path, body(anAddress()))]
}

describe('whether an address has an account is not told', () => {
  test('by how long a wrong password takes', async () => {
    const [known, unknown] = await compare('/sign-in/email', (email) => ({
      email,
      password: 'wrong password',
    }))
    expect([known.status, unknown.status]).toEqual([401, 401])
    expect([known.hashes, unknown.hashes]).toEqual([1, 1])
    expect(Math.min(known.milliseconds, unknown.milliseconds)).toBeGreaterThanOrEqual(EVEN_MS - 1)
  })

  test('by how long signing up takes', async () => {
    const [known, unknown] = await compare('/sign-up/email', (email) => ({
      name: 'Eve',
      email,
      password: PASSWORD,
    }))
    expect([known.status, unknown.status]).toEqual([200, 200])
    expect([known.hashes, unknown.hashes]).toEqual([1, 1])
    expect(Math.min(known.milliseconds, unknown.milliseconds)).toBeGreaterThanOrEqual(EVEN_MS - 1)
  })

  test.for(['/request-password-reset', '/send-verification-email'])(
    'by how long a mail takes: %s',
    async (path) => {
      const [known, unknown] = await compare(path, (email) => ({ email }))
      expect([known.status, unknown.status]).toEqual([200, 200])
      expect([known.hashes, unknown.hashes]).toEqual([0, 0])
      expect(Math.min(known.milliseconds, unknown.milliseconds)).toBeGreaterThanOrEqual(EVEN_MS - 1)
    },
  )

  test('by somebody who has no password', async () => {
    const { email } = await aPerson()
    await bindings.DB.prepare(
      `UPDATE login SET provider_id = 'github' WHERE user_id = (SELECT id FROM user WHERE email = ?)`,
    )
      .bind(email)
      .run()
    const tried = await workOf('/sign-in/email', { email, password: PASSWORD })
    expect(tried).toMatchObject({ status: 401, hashes: 1 })
  })

  test('by a mail to who has none', async () => {
    const nobody = anAddress()
    await workOf('/request-password-reset', { email: nobody })
    await workOf('/send-verification-email', { email: nobody })
    expect(await mailsTo(nobody)).toEqual([])
  })
})
