import { domainFault, type DomainFault, type ErrorCode } from '#domain/errors.ts'
import { Unauthorized } from './auth.ts'
import { BodyTooLarge, BodyTooSlow, InvalidRequest } from './input.ts'
import { TooManyRequests } from './rate-limits.ts'
import type { RefusedField } from './refused-field.ts'

/** How an error is told to the client, in Prefect's shapes. */
export interface Refusal {
  status: 400 | 401 | 402 | 403 | 404 | 408 | 409 | 413 | 422 | 429 | 500 | 503
  body: Record<string, unknown>
  headers?: Record<string, string>
}

/** Seconds. A number, since Prefect's client fails on a date. */
const RETRY_AFTER = '2'

const STATUSES = {
  not_found: 404,
  conflict: 409,
  bad_request: 400,
  forbidden: 403,
  // Not 429: clients repeat that for as long as they are told to, and a month is long.
  exhausted: 402,
} as const satisfies Partial<Record<ErrorCode, number>>

/** The one place where errors become statuses. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof InvalidRequest) {
    return {
      status: 422,
      body: {
        exception_message: error.message,
        exception_detail: error.fields,
        request_body: error.body,
        ...limitDetail(error.fields),
      },
    }
  }
  if (error instanceof BodyTooLarge) {
    return { status: 413, body: { detail: error.message } }
  }
  if (error instanceof BodyTooSlow) {
    return { status: 408, body: { detail: error.message } }
  }
  if (error instanceof TooManyRequests) {
    return {
      status: 429,
      body: { exception_message: 'Too Many Requests', detail: error.message },
      headers: { 'Retry-After': String(error.retryAfterSeconds) },
    }
  }
  if (error instanceof Unauthorized) {
    return {
      status: 401,
      body: { exception_message: 'Unauthorized' },
      headers: { 'WWW-Authenticate': 'Bearer' },
    }
  }
  const domainError = domainFault(error)
  if (domainError !== undefined) {
    return toDomainRefusal(domainError)
  }
  if (isUnavailable(error)) {
    return unavailable('The store can not be reached now.')
  }
  if (isConstraintViolation(error)) {
    return {
      status: 409,
      body: {
        detail:
          'Data integrity conflict. This usually means a unique or foreign key constraint was violated.',
      },
    }
  }
  return { status: 500, body: { exception_message: 'Internal Server Error' } }
}

/** Prefect's command line looks for these words, and then asks for a page of the server's own size. */
function limitDetail(fields: RefusedField[]): { detail?: string } {
  const found = fields.find(
    ({ loc, type }) => loc.join('.') === 'body.limit' && /^(less|greater)_than/.test(type),
  )
  return found === undefined
    ? {}
    : { detail: `${found.msg.replace('Input should be', 'Invalid limit: must be')}.` }
}

function toDomainRefusal(error: DomainFault): Refusal {
  if (error.code === 'unavailable') {
    return unavailable(error.message)
  }
  if (error.code === 'invalid') {
    return {
      status: 422,
      body: {
        exception_message: 'Invalid request received.',
        exception_detail: [
          { loc: ['body', ...error.field], msg: error.message, type: 'value_error' },
        ],
        detail: error.message,
        request_body: null,
      },
    }
  }
  const key = error.asException ? 'exception_message' : 'detail'
  return { status: STATUSES[error.code], body: { [key]: error.message } }
}

function unavailable(reason: string): Refusal {
  return {
    status: 503,
    body: { exception_message: 'Service Unavailable', detail: reason },
    headers: { 'Retry-After': RETRY_AFTER },
  }
}

/** What D1 and Durable Objects say when they are away, overloaded, restarted or cut off: all of it passes by itself. */
const TRANSIENT =
  /network connection lost|overloaded|storage operation exceeded timeout|caused object to be reset|reset because its code was updated|transient issue|did not answer within|no longer accessible|internal error; reference|internal error while starting up|SQLITE_FULL|disk is full|exceeded maximum|storage limit|write limit/i

function isUnavailable(error: unknown): boolean {
  return (
    (error instanceof Error && 'retryable' in error && error.retryable === true) ||
    causes(error).some((cause) => TRANSIENT.test(cause.message))
  )
}

function isConstraintViolation(error: unknown): boolean {
  return causes(error).some((cause) => cause.message.includes('constraint failed'))
}

/** The error and its causes: drizzle wraps those of D1, D1 those of SQLite. */
function causes(error: unknown): Error[] {
  const found: Error[] = []
  let current = error
  while (current instanceof Error && found.length < 5) {
    found.push(current)
    current = current.cause
  }
  return found
}
