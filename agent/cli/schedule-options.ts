import type { Command } from 'commander'
import { parseTimestamp } from '../../core/time.ts'
import type { DeploymentScheduleCreate, MissedRuns, Schedule } from '../../core/wire/schedule.ts'
import { usageError } from './cli-error.ts'

/** The options that describe one schedule, at `deploy` and at `deployment schedule create`. */
export interface ScheduleOptions {
  cron?: string
  interval?: string
  rrule?: string
  anchorDate?: string
  timezone?: string
  slug?: string
}

/** What becomes of dates that were missed. */
export interface MissedOptions {
  missed?: string
  missedWindow?: string
}

export function missedOf({ missed, missedWindow }: MissedOptions): { missed_runs?: MissedRuns } {
  if (missed === undefined && missedWindow === undefined) {
    return {}
  }
  const policy = (['all', 'last', 'skip'] as const).find((name) => name === (missed ?? 'all'))
  if (policy === undefined) {
    throw usageError(`--missed '${missed ?? ''}' is none of all, last and skip.`)
  }
  const window_seconds = missedWindow === undefined ? null : Math.ceil(seconds(missedWindow))
  return { missed_runs: { policy, window_seconds } }
}

export function addScheduleOptions(command: Command): Command {
  return command
    .option('--cron <expression>', "a cron schedule, such as '0 9 * * 1-5'")
    .option('--interval <duration>', 'an interval schedule: seconds, or 90s, 15m, 1h, 2d')
    .option('--rrule <rule>', "an iCalendar rule, such as 'FREQ=DAILY;COUNT=3'")
    .option('--anchor-date <time>', 'the time that an interval is counted from')
    .option('--timezone <zone>', "the schedule's time zone, such as Europe/Berlin")
    .option('--slug <name>', "the schedule's name within its deployment")
}

/** Makes the schedule that the options describe; undefined when they describe none. */
export function scheduleOf(options: ScheduleOptions): DeploymentScheduleCreate | undefined {
  const kinds = [options.cron, options.interval, options.rrule].filter((kind) => kind !== undefined)
  if (kinds.length === 0) {
    return undefined
  }
  if (kinds.length > 1) {
    throw usageError('Give only one of --cron, --interval and --rrule.')
  }
  return {
    schedule: timingOf(options),
    ...(options.slug === undefined ? {} : { slug: options.slug }),
  }
}

function timingOf({ cron, interval, rrule, anchorDate, timezone }: ScheduleOptions): Schedule {
  const zone = timezone === undefined ? {} : { timezone }
  if (anchorDate !== undefined && interval === undefined) {
    throw usageError('--anchor-date goes with --interval only.')
  }
  if (cron !== undefined) {
    return { cron, ...zone }
  }
  if (rrule !== undefined) {
    return { rrule, ...zone }
  }
  if (anchorDate !== undefined && parseTimestamp(anchorDate) === undefined) {
    throw usageError(`--anchor-date '${anchorDate}' is not a time, such as 2026-01-31T09:00:00Z.`)
  }
  return {
    interval: seconds(interval ?? ''),
    ...(anchorDate === undefined ? {} : { anchor_date: anchorDate }),
    ...zone,
  }
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Reads `90`, `90s`, `15m`, `1h`, `2d` as seconds. */
export function seconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([smhd]?)$/.exec(text.trim())
  const value = Number(match?.[1]) * (UNITS[match?.[2] || 's'] ?? Number.NaN)
  if (!(value > 0)) {
    throw usageError(`'${text}' is not a duration: give seconds, or 90s, 15m, 1h, 2d.`)
  }
  return value
}
