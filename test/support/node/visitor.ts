/** Somebody at the pages of a local server: keeps cookies, says where it comes from, follows no redirect. */
export class Visitor {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(origin: string) {
    this.#origin = origin
  }

  async get(path: string): Promise<Response> {
    return await this.#send(path, { method: 'GET' })
  }

  async submit(path: string, fields: Record<string, string>): Promise<Response> {
    return await this.#send(path, { method: 'POST', body: new URLSearchParams(fields) })
  }

  /** To a route of the API; reads what it answers. */
  async post<T>(path: string, body: object): Promise<T> {
    const headers = { 'Content-Type': 'application/json' }
    const answer = await this.#send(path, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!answer.ok) {
      throw new Error(`${path} answers ${answer.status}: ${await answer.text()}`)
    }
    return (await answer.json()) as T
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers)
    headers.set('Origin', this.#origin)
    headers.set('Cookie', [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '))
    const answer = await fetch(new URL(path, this.#origin), {
      ...init,
      headers,
      redirect: 'manual',
    })
    for (const cookie of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = (cookie.split(';')[0] ?? '').split(/=(.*)/s)
      this.#cookies.set(name, value)
    }
    return answer
  }
}

/** Signs up, proves the address by the mail in the outbox, and signs in. */
export async function signUp(origin: string, name: string): Promise<Visitor> {
  const visitor = new Visitor(origin)
  const given = {
    name,
    email: `${name.toLowerCase()}@example.com`,
    password: 'correct horse battery',
  }
  await visitor.post('/api/auth/sign-up/email', given)
  const outbox = await (await visitor.get('/api/auth-outbox')).text()
  const link = /href="([^"]*verify-email[^"]*)"/.exec(outbox)?.[1]?.replaceAll('&amp;', '&')
  if (link === undefined) {
    throw new Error(`no mail has come: ${outbox}`)
  }
  await visitor.get(link)
  await visitor.post('/api/auth/sign-in/email', given)
  return visitor
}
