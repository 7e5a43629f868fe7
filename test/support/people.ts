import { Hono } from 'hono'
import type { Bindings } from '#storage/workspace.ts'
import { newApp } from '../../worker/app.ts'
import type { AppEnv } from '../../worker/http/endpoint.ts'
import { readSession, type PersonSession } from '../../worker/http/session.ts'
import { eventually } from './eventually.ts'
import { bindings, fetchWorker } from './workspace.ts'

/** Keeps cookies, sends where it comes from, follows no redirect. */
export class Browser {
  readonly cookies = new Map<string, string>()
  readonly #site: string
  origin: string | undefined
  /** Of the network; each has one of its own, so that they don't share limits. */
  address = Array.from({ length: 8 }, () =>
    crypto.getRandomValues(new Uint16Array(1))[0]?.toString(16),
  ).join(':')
  headers: Record<string, string> = {}

  /** Of the server, where it has settings of its own. */
  readonly bindings: Bindings
  readonly #fetch: (url: string, init: RequestInit) => Promise<Response>

  /** @param settings of the server, where they are others than those of all tests */
  constructor(site = 'http://headgate.test', settings?: Partial<Bindings>) {
    this.#site = site
    this.origin = site
    this.bindings = { ...bindings, ...settings }
    this.#fetch = settings === undefined ? fetchWorker : fetchWith(this.bindings)
  }

  /** The value of a cookie by its name without the prefix. */
  cookie(name: string): string | undefined {
    return [...this.cookies].find(([known]) => known.endsWith(`.${name}`))?.[1]
  }

  async get(path: string): Promise<Response> {
    return await this.send(path, { method: 'GET' })
  }

  /** To a route of better-auth. */
  async post(path: string, body: object): Promise<Response> {
    return await this.send(`/api/auth${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' },
    })
  }

  /** Sends a form to a page. */
  async submit(path: string, fields: Record<string, string>): Promise<Response> {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const body = new URLSearchParams(fields).toString()
    return await this.send(path, { method: 'POST', headers, body })
  }

  async send(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers({ ...this.headers, ...(init.headers as Record<string, string>) })
    headers.set('CF-Connecting-IP', this.address)
    if (this.origin !== undefined && init.method !== 'GET') {
      headers.set('Origin', this.origin)
    }
    if (this.cookies.size > 0) {
      headers.set('Cookie', this.#cookieHeader())
    }
    const url = new URL(path, this.#site)
    const response = await this.#fetch(url.href, { ...init, headers, redirect: 'manual' })
    for (const set of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (set.split(';')[0] ?? '').split(/=(.*)/s)
      if (value === '' || /max-age=0/i.test(set)) {
        this.cookies.delete(name)
      } else {
        this.cookies.set(name, value)
      }
    }
    return response
  }

  /** What routes of the API know of who is signed in. */
  async session(): Promise<PersonSession | undefined> {
    const app = new Hono<AppEnv>()
    app.get('*', async (context) => {
      context.set('now', Date.now() * 1000)
      return context.json({ session: await readSession(context) })
    })
    const headers = { Cookie: this.#cookieHeader() }
    const response = await app.request(new Request(`${this.#site}/`, { headers }), {}, bindings)
    const body: { session?: PersonSession } = await response.json()
    return body.session
  }

  #cookieHeader(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }
}

function fetchWith(given: Bindings) {
  const app = newApp()
  return async (url: string, init: RequestInit) =>
    await app.request(new Request(url, init), {}, given)
}

export interface TestPerson {
  browser: Browser
  email: string
  password: string
}

/** Somebody who has signed up, proved the address and signed in. */
export async function aPerson(
  email = `${crypto.randomUUID()}@example.com`,
  browser = new Browser(),
): Promise<TestPerson> {
  const password = 'correct horse battery'
  const signedUp = await browser.post('/sign-up/email', { name: 'Ada', email, password })
  if (signedUp.status !== 200) {
    throw new Error(`signing up answered ${signedUp.status}: ${await signedUp.text()}`)
  }
  await browser.get(await linkIn(email, 'Confirm your address'))
  const { status } = await browser.post('/sign-in/email', { email, password })
  if (status !== 200) {
    throw new Error(`signing in answered ${status}`)
  }
  return { browser, email, password }
}

export async function mailsTo(email: string): Promise<{ subject: string; body: string }[]> {
  const { results } = await bindings.DB.prepare(
    'SELECT subject, body FROM outbox_mail WHERE recipient = ? ORDER BY id DESC',
  )
    .bind(email)
    .all<{ subject: string; body: string }>()
  return results
}

/** The first link in the newest mail with such a subject, when it has come. */
export async function linkIn(email: string, subject: string): Promise<string> {
  return await eventually(async () => {
    const mail = (await mailsTo(email)).find((one) => one.subject.startsWith(subject))
    return /(https?:\/\/\S+\?\S+|https?:\/\/\S+\/sign-in)/.exec(mail?.body ?? '')?.[0]
  })
}
