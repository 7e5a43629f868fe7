import { constants } from 'node:os'
import type { Ending } from './driver.ts'

/** What a supervisor has left on the disk. */
export interface ProcessTraces {
  /** The command's status as a shell counts it; undefined when the supervisor was killed before it could write it. */
  status: number | undefined
  /** The command was begun. */
  started: boolean
  /** The supervisor stopped the command, for want of a renewed lease. */
  fenced: boolean
}

/** A shell reports the end by a signal as 128 plus the signal's number. */
const SIGNAL_BASE = 128

export function toEnding({ status, started, fenced }: ProcessTraces): Ending {
  const signal = status === undefined ? killer(started) : signalName(status)
  const exitCode = signal === null && status !== undefined ? status : null
  return { exitCode, signal, started, message: describe(exitCode, signal, { started, fenced }) }
}

/** Only SIGKILL to the whole group leaves no status behind. */
function killer(started: boolean): string | null {
  return started ? 'SIGKILL' : null
}

function signalName(status: number): string | null {
  const number = status - SIGNAL_BASE
  const found = Object.entries(constants.signals).find(([, value]) => value === number)
  return found?.[0] ?? null
}

function describe(
  exitCode: number | null,
  signal: string | null,
  { started, fenced }: { started: boolean; fenced: boolean },
): string {
  if (!started) {
    return 'The agent ended before it had started the process of the run.'
  }
  if (fenced) {
    return 'The process was stopped on its host: the agent could not renew its lease in time.'
  }
  if (signal === 'SIGKILL') {
    return 'The process was killed (SIGKILL): by hand, by a cancellation that had to be forced, or by the host for want of memory.'
  }
  if (signal !== null) {
    return `The process was ended by ${signal}.`
  }
  return exitCode === 0
    ? 'The process ended (exit code 0) without having reported a final state.'
    : `The process ended with exit code ${exitCode ?? 'unknown'}.`
}
