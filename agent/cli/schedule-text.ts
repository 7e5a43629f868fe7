import type { Schedule } from '../../core/wire/schedule.ts'
import { duration } from './ages.ts'

/** A schedule in words: `every 1 h`, `cron 0 9 * * 1 (Europe/Berlin)`. */
export function describeSchedule(schedule: Schedule): string {
  const zone = schedule.timezone == null ? '' : ` (${schedule.timezone})`
  if ('cron' in schedule) {
    return `cron ${schedule.cron}${zone}`
  }
  return 'rrule' in schedule
    ? `rrule ${schedule.rrule.replaceAll('\n', ' ')}${zone}`
    : `every ${duration(schedule.interval)}`
}
