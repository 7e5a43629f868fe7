/** Where it went wrong: ids that lead the operator there. */
export type Facts = Readonly<Record<string, string | number | undefined>>

/**
 * One structured line for the operator, of what no client is told. Every failure is told by it alone, so that one filter on
 * `level` finds all, and one on an id all of that request, object, run or job.
 */
export function report(message: string, error: unknown, facts: Facts = {}): void {
  const isError = error instanceof Error
  const cause =
    isError && error.cause instanceof Error ? withoutValues(error.cause.message) : undefined
  const reason = isError ? withoutValues(error.message) : String(error)
  const line = { level: 'error', message, reason, cause }
  // oxlint-disable-next-line no-console -- the platform's log is written by console
  console.error(JSON.stringify({ ...line, ...facts }))
}

/** Where it was thrown, without what it says. */
export function framesOf(error: Error): string | undefined {
  const { stack, message } = error
  const said = stack?.indexOf(message) ?? -1
  return said < 0 ? stack : stack?.slice(said + message.length).trimStart()
}

/** drizzle ends what it says of a failed statement with the values in it, which are the customer's. */
function withoutValues(reason: string): string {
  const at = reason.indexOf('\nparams: ')
  return at < 0 ? reason : reason.slice(0, at)
}
