import type { ReceivedEvent } from '#core/wire/event.ts'
import type { NumberedEvent } from './event-log.ts'

/** Up to which number the events of a stream have been taken, and thereby judged. Written and read here only. */
export const INTAKE_TABLE = 'CREATE TABLE intake (stream INTEGER PRIMARY KEY, seq INTEGER NOT NULL)'

/**
 * Takes what has not been taken before of one stream's events, in one transaction with what `judge` writes.
 * @returns `taken`: up to which number the stream's events are now taken
 */
export function takeEvents(
  storage: DurableObjectStorage,
  stream: number,
  events: readonly NumberedEvent[],
  judge: (event: ReceivedEvent) => void,
): { taken: number; fresh: ReceivedEvent[] } {
  const { sql } = storage
  return storage.transactionSync(() => {
    const before =
      sql.exec<{ seq: number }>('SELECT seq FROM intake WHERE stream = ?', stream).toArray()[0]
        ?.seq ?? 0
    const fresh = events.filter(({ seq }) => seq > before)
    for (const { event } of fresh) {
      judge(event)
    }
    const taken = Math.max(before, ...fresh.map(({ seq }) => seq))
    if (taken > before) {
      sql.exec('INSERT OR REPLACE INTO intake (stream, seq) VALUES (?, ?)', stream, taken)
    }
    return { taken, fresh: fresh.map(({ event }) => event) }
  })
}
