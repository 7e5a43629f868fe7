import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'
import { findSession } from '#storage/people.ts'
import { AccessCache } from './access-cache.ts'
import type { AppEnv } from './endpoint.ts'
import { cookiePrefix, originOf, peopleSecret } from './people-auth.ts'

export interface PersonSession {
  user_id: string
  name: string
  email: string
  session_id: string
}

/** As keys are: a session that was ended is refused everywhere within seconds. */
const sessions = new AccessCache(findSession)

/**
 * Who is signed in, by the session's cookie; undefined without one that is good. Asks D1 once in a few seconds. Says nothing of
 * where the request comes from: who changes something by it checks its `Origin`.
 */
export async function readSession(context: Context<AppEnv>): Promise<PersonSession | undefined> {
  const origin = originOf(context.env, context.req.raw)
  const cookie = getCookie(context, `${cookiePrefix(origin)}.session_token`)
  const token = cookie === undefined ? undefined : await verify(cookie, peopleSecret(context.env))
  if (token === undefined) {
    return undefined
  }
  const now = context.get('now')
  const found = await sessions.read(context.env.DB, token, now, false)
  if (found === undefined || found.expires * 1000 <= now) {
    return undefined
  }
  const { user_id, name, email, session_id } = found
  return { user_id, name, email, session_id }
}

/** The token in a cookie that this server has signed: `token.signature`, HMAC-SHA-256 in base 64. */
async function verify(cookie: string, secret: string): Promise<string | undefined> {
  const dot = cookie.lastIndexOf('.')
  const token = cookie.slice(0, Math.max(dot, 0))
  try {
    const signature = Uint8Array.from(atob(cookie.slice(dot + 1)), (char) => char.charCodeAt(0))
    const isGenuine = await crypto.subtle.verify(
      'HMAC',
      await keyOf(secret),
      signature,
      new TextEncoder().encode(token),
    )
    return isGenuine ? token : undefined
  } catch {
    // No base 64: not signed here.
    return undefined
  }
}

/** The secret changes only with a deployment. */
let imported: { secret: string; key: Promise<CryptoKey> } | undefined

function keyOf(secret: string): Promise<CryptoKey> {
  if (imported?.secret !== secret) {
    const bytes = new TextEncoder().encode(secret)
    const algorithm = { name: 'HMAC', hash: 'SHA-256' }
    imported = {
      secret,
      key: crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify']),
    }
  }
  return imported.key
}
