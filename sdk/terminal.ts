import { formatTimestamp } from '../core/time.ts'
import { LEVELS, type LogLine } from './logger.ts'

/** Prints a line for people: time (UTC), level, speaker, message. */
export function printLine(line: LogLine): void {
  const time = formatTimestamp(line.time).slice(11, 23)
  process.stdout.write(`${time} | ${levelName(line.level)} | ${line.speaker} - ${line.message}\n`)
}

function levelName(level: number): string {
  const known = Object.entries(LEVELS).find(([, value]) => value === level)
  return (known?.[0] ?? String(level)).toUpperCase().padEnd(8)
}

/** Says on standard error what can't be said in the run's log, because it concerns the log itself. */
export function complain(message: string): void {
  process.stderr.write(`headgate: ${message}\n`)
}
