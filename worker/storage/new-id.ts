import type { Micros } from '#core/time.ts'
import { uuidV7 } from '#core/uuid.ts'

/** A new id of a stored object; ids made later sort later. */
export function newId(now: Micros): string {
  return uuidV7(Math.floor(now / 1000), crypto.getRandomValues(new Uint8Array(10)))
}
