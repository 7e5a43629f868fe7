import { randomBytes } from 'node:crypto'
import type { Micros } from '../core/time.ts'
import { uuidV7 } from '../core/uuid.ts'

let last: Micros = 0

/** Now in microseconds since the epoch; never the same twice, because times order states and log lines. */
export function nowMicros(): Micros {
  last = Math.max(last + 1, Date.now() * 1000)
  return last
}

/** A new UUIDv7. */
export function newId(): string {
  return uuidV7(Date.now(), randomBytes(10))
}
