import { ApiError } from '../core/client.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'

/** Ends the agent: the loops throw it, `startAgent` turns it into its exit code. */
export class FatalError extends Error {
  override readonly name = 'FatalError'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The end that an answer of the API means for the agent; call it only for errors of kind `fatal`. */
export function toFatalError(error: unknown): FatalError {
  if (error instanceof FatalError) {
    return error
  }
  const status = error instanceof ApiError ? error.status : 0
  const said = error instanceof Error ? error.message : String(error)
  switch (status) {
    case 401:
      return new FatalError(
        EXIT.notSignedIn,
        `the API does not accept the key (${said}); set HEADGATE_API_KEY or run 'headgate login'`,
      )
    case 403:
      return new FatalError(
        EXIT.refused,
        `the key may not serve this work pool (${said}); use a key of the pool's workspace`,
      )
    case 426:
      return new FatalError(
        EXIT.tooOld,
        `this agent is too old for the API (${said}); install the newest version of headgate`,
      )
    case 410:
      return new FatalError(
        EXIT.gone,
        `what this agent serves is gone (${said}); start it anew for another work pool, or check HEADGATE_API_URL`,
      )
    default:
      return new FatalError(EXIT.failure, said)
  }
}
