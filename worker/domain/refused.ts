import { SchemaError, type Issue } from '#core/json-schema.ts'
import { DomainError, type ErrorCode } from './errors.ts'

/**
 * Refuses a request whose value does not fit a schema, with all faults in one sentence and the first one's place.
 * @param field where the value stands in the request's body
 * @throws DomainError with `code` for faults of the value, `invalid` for a schema that can't be used at all
 */
export function refuseIssues(
  judge: () => Issue[],
  refusal: { code: ErrorCode; prefix: string; field: readonly (string | number)[] },
): void {
  const issues = issuesOf(judge, refusal.field)
  const [first] = issues
  if (first === undefined) {
    return
  }
  const faults = issues.map((issue) => [issue.path.join('.'), issue.message])
  const text = faults.map(([path, message]) => (path === '' ? message : `${path}: ${message}`))
  throw new DomainError(refusal.code, `${refusal.prefix}${text.join('; ')}`, {
    field: [...refusal.field, ...first.path],
  })
}

function issuesOf(judge: () => Issue[], field: readonly (string | number)[]): Issue[] {
  try {
    return judge()
  } catch (error) {
    if (error instanceof SchemaError) {
      throw new DomainError('invalid', `Invalid schema: ${error.message}`, { cause: error, field })
    }
    throw error
  }
}
