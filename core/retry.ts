import { ApiError } from './client.ts'
import { sleep } from './sleep.ts'

/** How a failed call of the API is to be taken; the only place that says so. */
export type ErrorKind =
  /** Try again: the network, 408, 429, 5xx, or a body that is not JSON (a proxy's page, say). */
  | 'retry'
  /** Nothing that is tried again can help: the key is wrong (401, 403) or this program is too old (410, 426). */
  | 'fatal'
  /** The call itself was refused; the caller decides. */
  | 'refused'

const RETRIED_STATUSES = new Set([408, 429, 500, 502, 503, 504])
const FATAL_STATUSES = new Set([401, 403, 410, 426])

export function errorKind(error: unknown): ErrorKind {
  if (error instanceof ApiError) {
    if (error.undecodable || RETRIED_STATUSES.has(error.status)) {
      return 'retry'
    }
    return FATAL_STATUSES.has(error.status) ? 'fatal' : 'refused'
  }
  return isAbort(error) ? 'refused' : 'retry'
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

export interface RetryOptions {
  /** Calls in all, the first one included; Infinity for ever. Default 6. */
  attempts?: number
  /** Milliseconds before the first repetition; doubled each time. Default 250. */
  baseMs?: number
  /** The longest wait in milliseconds. Default 15,000. */
  maxMs?: number
  signal?: AbortSignal
  onRetry?: (error: unknown, waitMs: number) => void
}

/** The wait before repetition `attempt` (1 is the first): full jitter over an exponential, never under `Retry-After`. */
export function backoffMs(
  attempt: number,
  error: unknown,
  random: number,
  { baseMs = 250, maxMs = 15_000 }: RetryOptions = {},
): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** (attempt - 1))
  const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0
  return asked + ceiling * (0.5 + random / 2)
}

/** Calls until it succeeds, is refused or is out of attempts; then throws the last error. */
export async function withRetry<T>(call: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const attempts = options.attempts ?? 6
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call()
    } catch (error) {
      if (attempt >= attempts || options.signal?.aborted || errorKind(error) !== 'retry') {
        throw error
      }
      const waitMs = backoffMs(attempt, error, Math.random(), options)
      options.onRetry?.(error, waitMs)
      await sleep(waitMs, options.signal)
    }
  }
}
