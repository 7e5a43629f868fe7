import { civilFromDays, MICROS_PER_DAY, type Micros } from '../../../core/time.ts'

export interface CivilTime {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  microsecond: number
  /** Monday is 0. */
  weekday: number
  /** The first of January is 1. */
  yearday: number
}

/** A time as calendar and clock show it in UTC. */
export function toCivil(time: Micros): CivilTime {
  const days = Math.floor(time / MICROS_PER_DAY)
  const rest = time - days * MICROS_PER_DAY
  const seconds = Math.floor(rest / 1_000_000)
  const { year, month, day } = civilFromDays(days)
  return {
    year,
    month,
    day,
    hour: Math.floor(seconds / 3600),
    minute: Math.floor(seconds / 60) % 60,
    second: seconds % 60,
    microsecond: rest % 1_000_000,
    weekday: (((days + 3) % 7) + 7) % 7,
    yearday: dayOfYear(year, month, day),
  }
}

const BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]

function dayOfYear(year: number, month: number, day: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return (BEFORE_MONTH[month - 1] ?? 0) + (isLeap && month > 2 ? 1 : 0) + day
}
