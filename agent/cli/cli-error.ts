import { EXIT, type ExitCode } from '../exit-codes.ts'

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
