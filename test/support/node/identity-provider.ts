import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { IDENTITY_PROVIDER } from '../provided.ts'
import { CLIENT_SECRET, type Identity } from '../identity.ts'

interface Grant {
  identity: Identity
  client: string
  redirect: string
  challenge: string
}

/**
 * The far end of signing in by GitHub or Google: their addresses and answers, for whoever the browser says it is. Codes are good
 * once, for the client, the address and the proof that they were asked with.
 */
export default async function setup(project: TestProject): Promise<() => void> {
  const grants = new Map<string, Grant>()
  const tokens = new Map<string, Identity>()
  const server = createServer((request, response) => {
    void serve(request, response, grants, tokens)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  project.provide(IDENTITY_PROVIDER, `http://127.0.0.1:${port}`)
  return () => {
    server.closeAllConnections()
    server.close()
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  grants: Map<string, Grant>,
  tokens: Map<string, Identity>,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://provider')
  const chunks: Buffer[] = []
  for await (const chunk of request) {
    chunks.push(chunk as Buffer)
  }
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
  const identity = tokens.get(bearer)
  switch (url.pathname) {
    case '/login/oauth/authorize':
    case '/o/oauth2/v2/auth':
      response.statusCode = 302
      response.setHeader('Location', agree(url.searchParams, grants))
      response.end()
      return
    case '/login/oauth/access_token':
    case '/token':
      tell(
        response,
        exchange(new URLSearchParams(Buffer.concat(chunks).toString()), grants, tokens),
      )
      return
    case '/user':
      tell(response, identity && { id: identity.id, login: 'ada', name: identity.name })
      return
    case '/user/emails':
      tell(
        response,
        identity && [
          { email: `other-${identity.email}`, primary: false, verified: true },
          { email: identity.email, primary: true, verified: identity.verified },
        ],
      )
      return
    default:
      tell(response, undefined)
  }
}

/** Where somebody is sent who says yes. */
function agree(asked: URLSearchParams, grants: Map<string, Grant>): string {
  const of = (name: string) => asked.get(name) ?? ''
  const code = randomUUID()
  grants.set(code, {
    identity: JSON.parse(of('identity')) as Identity,
    client: of('client_id'),
    redirect: of('redirect_uri'),
    challenge: of('code_challenge'),
  })
  const back = new URL(of('redirect_uri'))
  back.searchParams.set('code', code)
  back.searchParams.set('state', of('state'))
  return back.href
}

function exchange(
  form: URLSearchParams,
  grants: Map<string, Grant>,
  tokens: Map<string, Identity>,
): object | undefined {
  const code = form.get('code') ?? ''
  const grant = grants.get(code)
  grants.delete(code)
  const proof = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url')
  const isRight =
    grant !== undefined &&
    form.get('client_id') === grant.client &&
    form.get('client_secret') === CLIENT_SECRET &&
    form.get('redirect_uri') === grant.redirect &&
    proof === grant.challenge
  if (!isRight) {
    return undefined
  }
  const token = randomUUID()
  tokens.set(token, grant.identity)
  const { id, name, email, verified } = grant.identity
  const claims = { sub: String(id), name, email, email_verified: verified }
  return { access_token: token, token_type: 'bearer', id_token: unsigned(claims) }
}

/** Who has it from the provider itself by TLS need not check a signature. */
function unsigned(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part(claims)}.`
}

function tell(response: ServerResponse, body: object | undefined): void {
  response.statusCode = body === undefined ? 400 : 200
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify(body ?? { error: 'bad_request' }))
}
