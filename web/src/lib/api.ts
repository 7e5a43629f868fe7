import { ApiError, Client } from '#core/client.ts'
import { goto } from '$app/navigation'
import { session } from './session.svelte.ts'

/** Where the console's own API is: the same origin, always. */
function apiUrl(): string {
  return `${location.origin}/api`
}

/**
 * The API as the person who is logged in. An answer of 401 anywhere ends the session and leads to the login, which leads back.
 * @param fetchWith SvelteKit's fetch, where a `load` function has one
 */
export function api(fetchWith: typeof fetch = fetch): Client {
  return clientFor(session.key, async (input, init) => {
    const response = await fetchWith(input, init)
    if (response.status === 401) {
      leave()
    }
    return response
  })
}

/** A client with a key that is not the session's yet. */
export function clientFor(key: string | undefined, fetchWith: typeof fetch): Client {
  return new Client({ apiUrl: apiUrl(), apiKey: key, fetch: fetchWith, timeoutMs: 30_000 })
}

export function loginPath(asked: URL): string {
  const path = asked.pathname + asked.search + asked.hash
  return path === '/' ? '/login' : `/login?to=${encodeURIComponent(path)}`
}

function leave(): void {
  if (session.key !== undefined) {
    session.end()
    // Not awaited: the caller's request has failed, and its screen goes away.
    void goto(loginPath(new URL(location.href)))
  }
}

export interface Failure {
  message: string
  requestId: string | undefined
  status: number | undefined
}

/** What a screen says of a failed request. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof ApiError) {
    return { message: error.message, requestId: error.requestId, status: error.status }
  }
  const isTimeout = error instanceof Error && error.name === 'TimeoutError'
  return {
    message: isTimeout
      ? 'The API did not answer within 30 s.'
      : `The API could not be reached${error instanceof Error ? `: ${error.message}` : '.'}`,
    requestId: undefined,
    status: undefined,
  }
}
