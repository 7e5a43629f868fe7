import { MICROS_PER_SECOND, type Micros, parseTimestamp } from '../../core/time.ts'

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400

/**
 * Says how long ago a time was (`3m ago`), or how far ahead it is (`in 3m`), in its largest unit.
 * @param time an ISO time as the API sends it; null or undefined is shown as `-`
 * @param now microseconds since the epoch
 */
export function age(time: string | null | undefined, now: Micros): string {
  const at = time === null || time === undefined ? undefined : parseTimestamp(time)
  if (at === undefined) {
    return '-'
  }
  const seconds = Math.round((now - at) / MICROS_PER_SECOND)
  if (seconds === 0) {
    return 'now'
  }
  return seconds > 0 ? `${largestUnit(seconds)} ago` : `in ${largestUnit(-seconds)}`
}

function largestUnit(seconds: number): string {
  if (seconds < MINUTE) {
    return `${seconds}s`
  }
  if (seconds < HOUR) {
    return `${Math.floor(seconds / MINUTE)}m`
  }
  return seconds < DAY ? `${Math.floor(seconds / HOUR)}h` : `${Math.floor(seconds / DAY)}d`
}

/** Says a duration in its two largest units: `0.4 s`, `12 s`, `3 m 12 s`, `2 h 5 m`, `3 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds < 10) {
    return `${Math.round(seconds * 10) / 10} s`
  }
  const whole = Math.round(seconds)
  if (whole < MINUTE) {
    return `${whole} s`
  }
  if (whole < HOUR) {
    return twoUnits(whole, MINUTE, 'm', 1, 's')
  }
  return whole < DAY
    ? twoUnits(whole, HOUR, 'h', MINUTE, 'm')
    : twoUnits(whole, DAY, 'd', HOUR, 'h')
}

function twoUnits(
  seconds: number,
  large: number,
  largeName: string,
  small: number,
  smallName: string,
): string {
  const rest = Math.floor((seconds % large) / small)
  const head = `${Math.floor(seconds / large)} ${largeName}`
  return rest === 0 ? head : `${head} ${rest} ${smallName}`
}

/** The present in microseconds; the clock that a person's view is relative to. */
export function presentTime(): Micros {
  return Date.now() * 1000
}
