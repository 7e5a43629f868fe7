import type { Hono } from 'hono'
import type { AppEnv } from './endpoint.ts'
import { AUTH_PATH, authFor } from './people-auth.ts'

/**
 * What answers must not tell by the time that they take: whether an address has an account. They come no sooner than this,
 * which is longer than either way takes.
 */
const EVEN_MS = 600
const EVEN = new Set(['/sign-up/email', '/request-password-reset', '/send-verification-email'])
/** Told to whoever does not know the password, whether or not somebody has one. */
const EVEN_IF_REFUSED = '/sign-in/email'
const REFUSED = 401

/** Signing up and in, sessions, passwords: better-auth's own routes. */
export function addPeopleRoutes(app: Hono<AppEnv>): void {
  app.on(['GET', 'POST'], `${AUTH_PATH}/*`, (context) => answer(context.env, context.req.raw))
}

/** better-auth's answer to a request. */
export async function answer(bindings: AppEnv['Bindings'], request: Request): Promise<Response> {
  const path = new URL(request.url).pathname.slice(AUTH_PATH.length)
  const isEven = EVEN.has(path)
  const soonest = isEven || path === EVEN_IF_REFUSED ? pause(EVEN_MS) : Promise.resolve()
  const response = await authFor(bindings, request).handler(request)
  if (isEven || response.status === REFUSED) {
    await soonest
  }
  return response
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
}
