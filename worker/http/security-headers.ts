import type { Context, Next } from 'hono'
import { allowedOrigins } from './origins.ts'
import type { AppEnv } from './endpoint.ts'

/**
 * What every answer of the API says to browsers: it is data, neither a page nor a part of one, and is kept by nobody. An answer
 * that says otherwise of itself is left as it is. No answer lets another origin read it, unless one is configured.
 */
const HEADERS = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}
/** A year. Browsers heed it only over https. */
const ONLY_HTTPS = 'max-age=31536000'
/** How long a browser need not ask anew whether it may ask. */
const PREFLIGHT_SECONDS = '600'
const METHODS = 'GET, POST, PUT, PATCH, DELETE'
/** What another origin's scripts may read besides the body. */
const EXPOSED =
  'X-Request-Id, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, RateLimit-Policy'

export async function protectAnswers(
  context: Context<AppEnv>,
  next: Next,
): Promise<Response | undefined> {
  const headers = new Map(Object.entries(HEADERS))
  if (context.req.url.startsWith('https:')) {
    headers.set('Strict-Transport-Security', ONLY_HTTPS)
  }
  const crossing = forOrigin(context, headers)
  for (const [name, value] of headers) {
    context.header(name, value)
  }
  if (crossing && context.req.method === 'OPTIONS') {
    return context.body(null, 204)
  }
  await next()
  const { status, headers: sent } = context.res
  // A handler that made its whole answer by itself has none of them.
  if (status !== 101 && !sent.has('Content-Security-Policy')) {
    for (const [name, value] of [...headers, ['X-Request-Id', context.get('requestId')] as const]) {
      if (!sent.has(name)) {
        sent.set(name, value)
      }
    }
  }
  return undefined
}

/**
 * Lets an origin of HEADGATE_CORS_ORIGINS read the answers. It sends a key of its own: cookies are never taken from there.
 * @returns whether the request comes from such an origin
 */
function forOrigin(context: Context<AppEnv>, headers: Map<string, string>): boolean {
  const allowed = allowedOrigins(context.env)
  if (allowed.length === 0) {
    return false
  }
  headers.set('Vary', 'Origin')
  const origin = context.req.header('Origin')
  if (origin === undefined || !allowed.includes(origin)) {
    return false
  }
  headers.set('Access-Control-Allow-Origin', origin)
  headers.set('Cross-Origin-Resource-Policy', 'cross-origin')
  if (context.req.method === 'OPTIONS') {
    headers.set('Access-Control-Allow-Methods', METHODS)
    headers.set(
      'Access-Control-Allow-Headers',
      context.req.header('Access-Control-Request-Headers') ?? '',
    )
    headers.set('Access-Control-Max-Age', PREFLIGHT_SECONDS)
  } else {
    headers.set('Access-Control-Expose-Headers', EXPOSED)
  }
  return true
}
