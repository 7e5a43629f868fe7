/** The ways in which a request can be wrong; app.ts alone turns them into statuses. */
export type ErrorCode =
  'not_found' | 'conflict' | 'invalid' | 'bad_request' | 'forbidden' | 'unavailable'

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
