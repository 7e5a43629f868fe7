import { MICROS_PER_SECOND, type Micros } from './time.ts'
import { fromWall, offsetAt, toWall } from './zone.ts'

const MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND

/** Over so short a time no zone changes its offset and back again (Morocco does so for the month of Ramadan). */
const CALM_SPAN = 14 * MICROS_PER_DAY

/**
 * The times of an interval schedule, ascending, from `after` (itself included) on. Shorter than a day, they are the anchor
 * plus multiples of the interval. Of a day or longer, whole days go by the zone's clocks (10:00 stays 10:00 when
 * they change), and what remains of the interval is elapsed time. The times depend on the anchor only, not on `after`.
 * @param interval microseconds, 1 or more
 */
export function* intervalDates(
  interval: Micros,
  anchor: Micros,
  zone: string,
  after: Micros,
): Generator<Micros> {
  const days = Math.floor(interval / MICROS_PER_DAY)
  const remainder = interval - days * MICROS_PER_DAY
  if (days === 0) {
    for (
      let time = anchor + Math.ceil((after - anchor) / interval) * interval;
      ;
      time += interval
    ) {
      yield time
    }
  } else if (remainder === 0) {
    yield* wholeDays(interval, anchor, zone, after)
  } else {
    yield* daysAndMore(days, remainder, anchor, zone, after)
  }
}

function* wholeDays(
  interval: Micros,
  anchor: Micros,
  zone: string,
  after: Micros,
): Generator<Micros> {
  const wall = toWall(zone, anchor)
  const start = toWall(zone, after)
  // One earlier: a time that clocks skip is later than they say.
  for (let index = Math.ceil((start - wall) / interval) - 1; ; index += 1) {
    const time = fromWall(zone, wall + index * interval)
    if (time >= after) {
      yield time
    }
  }
}

function* daysAndMore(
  days: number,
  remainder: Micros,
  anchor: Micros,
  zone: string,
  after: Micros,
): Generator<Micros> {
  const interval = days * MICROS_PER_DAY + remainder
  const step = (time: Micros): Micros =>
    fromWall(zone, toWall(zone, time) + days * MICROS_PER_DAY) + remainder
  // Before the anchor all is elapsed time.
  let time = anchor + Math.min(0, Math.floor((after - anchor) / interval)) * interval
  while (time < anchor) {
    if (time >= after) {
      yield time
    }
    time += interval
  }
  const leap = Math.max(1, Math.floor(CALM_SPAN / interval))
  while (time < after) {
    const far = time + leap * interval
    const isCalm = far <= after && offsetAt(zone, time) === offsetAt(zone, far)
    time = isCalm && leap * interval <= CALM_SPAN ? far : step(time)
  }
  for (; ; time = step(time)) {
    yield time
  }
}
