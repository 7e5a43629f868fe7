import type { Micros } from '#core/time.ts'

/** With the time between two looks at an open socket (`socket.ts`): a key that is revoked ends within five seconds everywhere. */
const FRESH_MICROS = 2_500_000
/** While D1 can't be asked, it is tried again after this time. */
const RETRY_MICROS = 5_000_000
/** How long a known key serves while D1 can't be asked. */
const OUTAGE_MICROS = 15 * 60 * 1_000_000
/** With a known key, D1 has this long to answer before it counts as away. */
const LOOK_UP_MS = 1000
/** Entries are under 1 KB, so that the cache stays under a tenth of an isolate's memory. */
const MAX_ENTRIES = 10_000

interface Entry<T> {
  /** Undefined: the store has no such thing. */
  value: T | undefined
  /** When the store said so. */
  confirmed: Micros
  /** When the store could last not be asked. */
  failed: Micros
}

/** What the control store said about keys and workspaces, kept in the isolate so that most requests ask D1 nothing. */
export class AccessCache<T> {
  readonly #entries = new Map<string, Entry<T>>()
  readonly #find: (db: D1Database, id: string) => Promise<T | undefined>

  constructor(find: (db: D1Database, id: string) => Promise<T | undefined>) {
    this.#find = find
  }

  /** Whether it was found here before, however long ago. */
  knows(id: string): boolean {
    return this.#entries.get(id)?.value !== undefined
  }

  /** @param survivesOutage answer by what was known up to 15 minutes ago when D1 can't be asked */
  async read(
    db: D1Database,
    id: string,
    now: Micros,
    survivesOutage: boolean,
  ): Promise<T | undefined> {
    const entry = this.#entries.get(id)
    if (entry !== undefined && now - entry.confirmed < FRESH_MICROS) {
      return entry.value
    }
    const known =
      survivesOutage && entry?.value !== undefined && now - entry.confirmed < OUTAGE_MICROS
        ? entry
        : undefined
    if (known !== undefined && now - known.failed < RETRY_MICROS) {
      return known.value
    }
    try {
      const look = this.#find(db, id)
      const value = await (known === undefined ? look : withinTime(look))
      this.#remember(id, { value, confirmed: now, failed: 0 })
      return value
    } catch (error) {
      if (known === undefined) {
        throw error
      }
      // Going on is right: the key was valid minutes ago, and work in progress must not stop with D1.
      known.failed = now
      return known.value
    }
  }

  #remember(id: string, entry: Entry<T>): void {
    this.#entries.delete(id)
    if (this.#entries.size >= MAX_ENTRIES) {
      const oldest = this.#entries.keys().next()
      if (oldest.done !== true) {
        this.#entries.delete(oldest.value)
      }
    }
    this.#entries.set(id, entry)
  }
}

async function withinTime<T>(look: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    late.reject(new Error(`D1 did not answer within ${LOOK_UP_MS} ms`))
  }, LOOK_UP_MS)
  try {
    return await Promise.race([look, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
