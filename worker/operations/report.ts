/** Where it went wrong: ids that lead the operator there. */
export type Facts = Readonly<Record<string, string | number | undefined>>

/**
 * One structured line for the operator, of what no client is told. Every failure is told by it alone, so that one filter on
 * `level` finds all, and one on an id all of that request, object, run or job.
 */
export function report(message: string, error: unknown, facts: Facts = {}): void {
  const isError = error instanceof Error
  const cause = isError && error.cause instanceof Error ? error.cause.message : undefined
  const line = { level: 'error', message, reason: isError ? error.message : String(error), cause }
  // oxlint-disable-next-line no-console -- the platform's log is written by console
  console.error(JSON.stringify({ ...line, ...facts }))
}
