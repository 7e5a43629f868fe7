/** What goes wrong inside an object reaches nobody but the operator. */
export function report(message: string, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error)
  // oxlint-disable-next-line no-console -- the platform's log is the only way out of an object
  console.error(JSON.stringify({ level: 'error', message, reason }))
}
