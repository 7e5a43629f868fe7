import type { Deployment } from '#core/wire/deployment.ts'
import { formatDuration } from '../time.ts'

type Schedule = Deployment['schedules'][number]

/** `0 6 * * * Europe/Berlin`, `every 5 m`, the rule's text; and that it is off. */
export function scheduleText({ schedule, active }: Schedule): string {
  const text = shape(schedule)
  return active ? text : `${text} (off)`
}

function shape(schedule: Schedule['schedule']): string {
  const zone = 'timezone' in schedule && schedule.timezone ? ` ${schedule.timezone}` : ''
  if ('cron' in schedule) {
    return schedule.cron + zone
  }
  if ('interval' in schedule) {
    return `every ${formatDuration(schedule.interval * 1000).replace(/ 0+ [a-z]$/, '')}`
  }
  return schedule.rrule + zone
}
