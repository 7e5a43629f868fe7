import { ApiError } from '../core/client.ts'

/**
 * How the agent's process ends; a contract for whoever supervises it. Restarting helps with `failed` only: each other code
 * above zero needs somebody to change something first.
 */
export const ExitCode = {
  /** Drained: every run that it had taken has ended and is reported. */
  done: 0,
  /** A fault of the agent itself. */
  failed: 1,
  /** The command line or the environment asks for something impossible. */
  usage: 2,
  /** 401: the API key is missing, wrong or revoked. */
  unauthenticated: 3,
  /** 403: the API key may not serve this work pool. */
  forbidden: 4,
  /** The work pool does not exist (only at the first start; a pool that vanishes later is waited for). */
  poolNotFound: 5,
  /** Another agent of the same API, pool and name runs on this host. */
  identityInUse: 6,
  /** 426: this version of the agent is too old for the API. */
  tooOld: 7,
  /** 410: the API serves no agents at this address any more. */
  gone: 8,
  /** A third signal: its runs were killed, their ends are reported at the next start. */
  killed: 130,
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

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
        ExitCode.unauthenticated,
        `the API does not accept the key (${said}); set HEADGATE_API_KEY or run 'headgate login'`,
      )
    case 403:
      return new FatalError(
        ExitCode.forbidden,
        `the key may not serve this work pool (${said}); use a key of the pool's workspace`,
      )
    case 426:
      return new FatalError(
        ExitCode.tooOld,
        `this agent is too old for the API (${said}); install the newest version of headgate`,
      )
    case 410:
      return new FatalError(
        ExitCode.gone,
        `the API has gone from this address (${said}); check HEADGATE_API_URL`,
      )
    default:
      return new FatalError(ExitCode.failed, said)
  }
}
