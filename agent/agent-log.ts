import { formatTimestamp } from '../core/time.ts'

type LogFields = Record<string, string | number | boolean | null | undefined>

/** What the agent says of itself; the output of runs takes another way (`logs.ts`). */
export interface AgentLog {
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export interface AgentLogOptions {
  /** One JSON object a line instead of text for people. */
  json: boolean
  /** Receives whole lines, newline included. */
  write: (line: string) => void
  /** Milliseconds since the epoch. */
  now?: () => number
}

export function agentLog({ json, write, now = Date.now }: AgentLogOptions): AgentLog {
  const say = (level: string, message: string, fields: LogFields = {}) => {
    const time = formatTimestamp(now() * 1000)
    write(json ? jsonLine(time, level, message, fields) : textLine(time, level, message, fields))
  }
  return {
    info: (message, fields) => say('info', message, fields),
    warn: (message, fields) => say('warning', message, fields),
    error: (message, fields) => say('error', message, fields),
  }
}

function jsonLine(time: string, level: string, message: string, fields: LogFields): string {
  return `${JSON.stringify({ time, level, message, ...fields })}\n`
}

/** `12:00:01.123  message  key=value`, the level named only where it is not `info`. */
function textLine(time: string, level: string, message: string, fields: LogFields): string {
  const clock = time.slice(11, 23)
  const shown = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `  ${key}=${String(value)}`)
  return `${clock}  ${level === 'info' ? '' : `${level}: `}${message}${shown.join('')}\n`
}
