import { nextDates } from './schedule.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from './time.ts'
import type { PreviewDate, Schedule } from './wire/schedule.ts'
import { fromWall, offsetAt, toWall } from './zone.ts'

/** Clocks change by less than this at once, and not twice within it. */
const CHANGE_SPAN = 3 * 3600 * MICROS_PER_SECOND

/**
 * The next dates of a schedule as its zone's clocks show them, with a note on each that a change of the clocks concerns.
 * @throws RangeError when the schedule is not right
 */
export function previewDates(
  schedule: Schedule,
  options: { after: Micros; limit: number },
): PreviewDate[] {
  const zone = schedule.timezone || 'UTC'
  let before = offsetAt(zone, options.after)
  return nextDates(schedule, options).map((date) => {
    const offset = offsetAt(zone, date)
    const note = wasSkipped(schedule, zone, date)
      ? 'the clocks skip the time that the schedule names: as much later'
      : isShownTwice(zone, date)
        ? 'the clocks show this time twice: once, the first time'
        : offset === before
          ? null
          : `the clocks have gone ${offset > before ? 'forward' : 'back'} by ${minutes(offset - before)} since`
    before = offset
    return { date: formatTimestamp(date), local: localText(date + offset, offset), note }
  })
}

/** A cron expression names times of the clocks: one that they skip fires where none of its times is shown. */
function wasSkipped(schedule: Schedule, zone: string, date: Micros): boolean {
  const gap = offsetAt(zone, date) - offsetAt(zone, date - CHANGE_SPAN)
  if (gap <= 0 || !('cron' in schedule)) {
    return false
  }
  const wall = toWall(zone, date)
  const isIn = (time: Micros): boolean =>
    nextDates({ ...schedule, timezone: 'UTC' }, { after: time, until: time, limit: 1 }).length > 0
  return fromWall(zone, wall - gap) === date && !isIn(wall) && isIn(wall - gap)
}

function isShownTwice(zone: string, date: Micros): boolean {
  const back = offsetAt(zone, date) - offsetAt(zone, date + CHANGE_SPAN)
  return back > 0 && toWall(zone, date + back) === toWall(zone, date)
}

function minutes(change: Micros): string {
  const count = Math.abs(change) / MICROS_PER_SECOND / 60
  return count % 60 === 0 ? `${count / 60} h` : `${count} min`
}

/** ISO 8601 with the offset, such as 2026-03-29T03:30:00+02:00. */
function localText(wall: Micros, offset: Micros): string {
  const seconds = Math.abs(offset) / MICROS_PER_SECOND
  const zone = `${offset < 0 ? '-' : '+'}${two(seconds / 3600)}:${two((seconds / 60) % 60)}`
  return formatTimestamp(wall)
    .replace(/Z$/, zone)
    .replace(/\.000000(?=[+-])/, '')
}

function two(count: number): string {
  return String(Math.floor(count)).padStart(2, '0')
}
