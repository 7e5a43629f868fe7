import { format } from 'node:util'
import type { Micros } from '../core/time.ts'
import { nowMicros } from './clock.ts'

/** Python's levels, which the API keeps. */
export const LEVELS = { debug: 10, info: 20, warning: 30, error: 40, critical: 50 } as const

/** A longer message is cut. */
const MAX_MESSAGE = 1_000_000

/** One line of a run. */
export interface LogLine {
  logger: string
  level: number
  message: string
  time: Micros
  flowRunId: string | undefined
  taskRunId: string | undefined
  /** Who speaks, for people: `flow run 'able-otter'`, say. */
  speaker: string
}

export type LogSink = (line: LogLine) => void

/**
 * Writes log lines of a run. They reach the API in batches without ever holding up the flow, and the terminal when the run
 * was not started by an agent. Values are formatted as `console.log` formats them.
 * @example
 * const { logger } = runContext()
 * logger.info('loaded %d rows', rows.length)
 * logger.warning('no price for', symbol)
 */
export class Logger {
  readonly #name: string
  readonly #speaker: string
  readonly #ids: { flowRunId: string | undefined; taskRunId: string | undefined }
  readonly #sink: LogSink
  readonly #level: number

  constructor(options: {
    name: string
    speaker: string
    flowRunId?: string | undefined
    taskRunId?: string | undefined
    sink: LogSink
    level?: number
  }) {
    this.#name = options.name
    this.#speaker = options.speaker
    this.#ids = { flowRunId: options.flowRunId, taskRunId: options.taskRunId }
    this.#sink = options.sink
    this.#level = options.level ?? configuredLevel()
  }

  /** For whoever searches a fault; not shown at the default level. */
  debug(...values: unknown[]): void {
    this.log(LEVELS.debug, ...values)
  }

  /** What the run does. */
  info(...values: unknown[]): void {
    this.log(LEVELS.info, ...values)
  }

  /** What is odd but held. */
  warning(...values: unknown[]): void {
    this.log(LEVELS.warning, ...values)
  }

  /** The same as `warning`. */
  warn(...values: unknown[]): void {
    this.log(LEVELS.warning, ...values)
  }

  /** What went wrong. */
  error(...values: unknown[]): void {
    this.log(LEVELS.error, ...values)
  }

  /** What ends the run. */
  critical(...values: unknown[]): void {
    this.log(LEVELS.critical, ...values)
  }

  /** Writes a line at any level; see `LEVELS`. */
  log(level: number, ...values: unknown[]): void {
    if (level < this.#level) {
      return
    }
    this.#sink({
      logger: this.#name,
      level,
      message: toMessage(values),
      time: nowMicros(),
      speaker: this.#speaker,
      ...this.#ids,
    })
  }
}

function toMessage(values: unknown[]): string {
  // The store takes no NUL.
  const message = format(...values).replaceAll('\0', '')
  return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}... [truncated]` : message
}

/** The least level that is kept: `HEADGATE_LOGGING_LEVEL` or `PREFECT_LOGGING_LEVEL` (`DEBUG` to `CRITICAL`), default info. */
export function configuredLevel(env: Record<string, string | undefined> = process.env): number {
  const name = env['HEADGATE_LOGGING_LEVEL'] ?? env['PREFECT_LOGGING_LEVEL'] ?? ''
  const level: number | undefined = (LEVELS as Record<string, number>)[name.toLowerCase()]
  return level ?? LEVELS.info
}
