import { errorKind, withRetry } from '../core/retry.ts'
import type { AgentLog } from './agent-log.ts'
import { toFatalError } from './fatal-error.ts'

export interface PersistentCall {
  log: AgentLog
  /** What is being done, for the log: `accept runs`. */
  what: string
  signal: AbortSignal
}

/** The longest pause between two tries: an API that is back is noticed within this time. */
export const MAX_PAUSE_MS = 30_000

/**
 * Repeats a call for as long as the API does not answer it.
 * @throws FatalError when nothing that is tried again can help; the ApiError of a refused call; the signal's reason
 */
export async function callPersistently<T>(
  call: () => Promise<T>,
  options: PersistentCall,
): Promise<T> {
  try {
    return await persist(call, options)
  } catch (error) {
    throw errorKind(error) === 'fatal' ? toFatalError(error) : error
  }
}

/** The same, where any answer is told as the ApiError that it is. */
export async function persist<T>(
  call: () => Promise<T>,
  { log, what, signal }: PersistentCall,
): Promise<T> {
  let failures = 0
  return await withRetry(call, {
    attempts: Number.POSITIVE_INFINITY,
    baseMs: 500,
    maxMs: MAX_PAUSE_MS,
    signal,
    onRetry: (error) => {
      failures += 1
      noteFailure(log, what, failures, error)
    },
  })
}

/** Says the first failure, and then each twentieth, so that an outage does not fill the disk. */
export function noteFailure(log: AgentLog, what: string, failures: number, error: unknown): void {
  if (failures % 20 === 1) {
    log.warn(`cannot ${what} now; trying again`, { failures, error: sentence(error) })
  }
}

/** An error's message with its cause: fetch says only `fetch failed`. */
export function sentence(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error)
  }
  const cause = error.cause === undefined ? '' : `: ${sentence(error.cause)}`
  const code = 'code' in error && error.message === '' ? String(error.code) : error.message
  return code + cause
}
