/** The ways in which a request can be wrong; app.ts alone turns them into statuses. */
export type ErrorCode =
  | 'not_found'
  | 'conflict'
  | 'invalid'
  | 'bad_request'
  | 'forbidden'
  | 'unavailable'
  /** The account has used up what its plan has. */
  | 'exhausted'

/** A request that can't be carried out, with a sentence that says what was expected and what came. */
export class DomainError extends Error {
  override readonly name = 'DomainError'
  readonly code: ErrorCode
  /** With `invalid`: where in the request's body the fault is. */
  readonly field: readonly (string | number)[]
  /** Prefect tells some errors as `exception_message`, where others are `detail`. */
  readonly asException: boolean

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; field?: readonly (string | number)[]; asException?: boolean } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.field = options.field ?? []
    this.asException = options.asException ?? false
  }
}

export type DomainFault = Pick<DomainError, 'code' | 'message' | 'field' | 'asException'>

const CODES: ReadonlySet<unknown> = new Set<ErrorCode>([
  'not_found',
  'conflict',
  'invalid',
  'bad_request',
  'forbidden',
  'unavailable',
  'exhausted',
])

/** What of an error is a `DomainError`, also one that a Durable Object threw: its class is lost on the way, its own properties are not. */
export function domainFault(error: unknown): DomainFault | undefined {
  if (error instanceof DomainError) {
    return error
  }
  if (!(error instanceof Error) || !('code' in error) || !CODES.has(error.code)) {
    return undefined
  }
  const field = 'field' in error && Array.isArray(error.field) ? error.field : []
  const asException = 'asException' in error && error.asException === true
  return { code: error.code as ErrorCode, message: error.message, field, asException }
}
