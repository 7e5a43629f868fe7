/** The run was told to stop: by a cancellation, or because its process is being ended. The reason of an aborted `signal`. */
export class RunStopped extends Error {
  override readonly name: string = 'RunStopped'
}

/** A flow or task took longer than its `timeoutSeconds`. The reason of its `signal`. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut'
}

/** The server ended the run in a state of its own choice: it was cancelled, say, or another process has it. */
export class RunAborted extends Error {
  override readonly name = 'RunAborted'
}

/** A run returned a failed or cancelled state instead of a value. */
export class RunFailed extends Error {
  override readonly name = 'RunFailed'
}

/** A task run that feeds this one did not complete. */
export class UpstreamFailed extends Error {
  override readonly name = 'UpstreamFailed'
}

/** An error in one line, as a state's message tells it. */
export function describeError(error: unknown): string {
  if (error instanceof RunStopped) {
    return error.message
  }
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

/** An error with its stack, as a log line tells it. */
export function explainError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? describeError(error)) : String(error)
}
