import type { Micros } from '#core/time.ts'
import { ATTEMPT_LIMITS, type Tried } from '#domain/attempts.ts'
import { hashApiKey } from '#storage/access.ts'
import { countAttempts } from '#storage/attempts.ts'

export interface Attempt {
  tried: Tried
  network: string
  /** Whom it is tried on; empty: nobody in particular. */
  person: string
}

/** Counts an attempt against its network and its person, who are kept as hashes; whether or not the person exists. */
export async function limitAttempts(db: D1Database, attempt: Attempt, now: Micros) {
  const { tried, network, person } = attempt
  const limits = ATTEMPT_LIMITS[tried]
  const tries = [
    { key: await keyOf(tried, `network ${network}`), limit: limits.network },
    ...(person === ''
      ? []
      : [{ key: await keyOf(tried, `person ${person}`), limit: limits.person }]),
  ]
  return await countAttempts(db, tries, Math.floor(now / 1000))
}

async function keyOf(tried: Tried, whose: string): Promise<string> {
  return `${tried} ${(await hashApiKey(whose)).slice(0, 32)}`
}
