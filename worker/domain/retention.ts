import { MICROS_PER_DAY, type Micros } from '#core/time.ts'
import { uuidV7 } from '#core/uuid.ts'

/** The smallest id of version 7 that is made at that moment or later; all that were made before are smaller. */
export function firstIdOf(time: Micros): string {
  return uuidV7(Math.max(0, Math.floor(time / 1000)), new Uint8Array(10))
}

/** The moment so many days ago; null: there is none, all is kept. */
export function daysAgo(days: number | null, now: Micros): Micros | null {
  return days === null ? null : now - days * MICROS_PER_DAY
}
