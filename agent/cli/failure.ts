import { ApiError } from '../../core/client.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import type { Connection } from './connection.ts'
import { CliError } from './cli-error.ts'

export interface Failure {
  exitCode: ExitCode
  message: string
  /** What to do next. */
  next: string | undefined
}

/** Turns whatever a command threw into an exit code and words; the only place that does. */
export function describeFailure(error: unknown, connection: Connection | undefined): Failure {
  if (error instanceof CliError) {
    return { exitCode: error.exitCode, message: error.message, next: error.next }
  }
  if (error instanceof ApiError) {
    return describeApiError(error, connection)
  }
  if (isNetworkError(error)) {
    return {
      exitCode: EXIT.unreachable,
      message: `The API at ${place(connection)} can't be reached: ${networkReason(error)}.`,
      next: `Check that it is running, and the address: it comes from ${connection?.source ?? 'the profile'}.`,
    }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { exitCode: EXIT.failure, message, next: undefined }
}

function describeApiError(error: ApiError, connection: Connection | undefined): Failure {
  const apiUrl = place(connection)
  const said = sentence(error)
  if (error.undecodable) {
    return {
      exitCode: EXIT.unreachable,
      message: `${apiUrl} answered ${error.status}, but not as Headgate's API does.`,
      next: 'Check the address: it ends in /api. A proxy in between may have answered instead.',
    }
  }
  if (error.status === 401) {
    return {
      exitCode: EXIT.notSignedIn,
      message:
        connection?.apiKey === undefined
          ? `${apiUrl} wants an API key, and none is set.`
          : `${apiUrl} did not accept the API key (${said}).`,
      next: 'Sign in with `headgate login --url … --key …`.',
    }
  }
  if (error.status === 404) {
    return { exitCode: EXIT.notFound, message: said, next: undefined }
  }
  if (error.status === 429 || error.status >= 500) {
    return {
      exitCode: EXIT.unreachable,
      message: `${apiUrl} could not answer: ${error.status} ${said}.`,
      next: 'Try again in a moment.',
    }
  }
  return { exitCode: EXIT.refused, message: `The API refused: ${said}`, next: undefined }
}

function place(connection: Connection | undefined): string {
  return connection?.apiUrl ?? 'the API'
}

/** The API's own words, without the request that `ApiError` puts in front of them. */
function sentence(error: ApiError): string {
  return error.message.replace(/^\S+ \S+: \d{3} /, '')
}

function isNetworkError(error: unknown): error is Error {
  return (
    error instanceof Error &&
    (error.name === 'TimeoutError' || (error instanceof TypeError && error.cause !== undefined))
  )
}

function networkReason(error: Error): string {
  if (error.name === 'TimeoutError') {
    return 'it did not answer in time'
  }
  const cause = error.cause
  // Node tries each address of a name and gathers the failures; the first one says enough.
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause
  return first instanceof Error ? first.message : String(first)
}
