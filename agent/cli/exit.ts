/** What the command's exit code says; `headgate --help` documents it for scripts. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  notSignedIn: 4,
  unreachable: 5,
  refused: 6,
  /** As shells report a command that Ctrl-C ended: 128 + SIGINT. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A failure that is told in words of its own: what happened and, in `next`, what to do about it. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode
  readonly next: string | undefined

  constructor(exitCode: ExitCode, message: string, next?: string) {
    super(message)
    this.exitCode = exitCode
    this.next = next
  }
}

export function usageError(message: string, next?: string): CliError {
  return new CliError(EXIT.usage, message, next)
}
