import { eventFilter, type EventFilter } from '#core/wire/event-filter.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { eventMatcher } from '#domain/event-filter.ts'
import type { NumberedEvent } from './event-log.ts'

/** The hub's tables for events. Written and read here only. */
export const HUB_EVENT_TABLES: readonly string[] = [
  // Up to which number the events of a stream have been taken, and thereby judged.
  'CREATE TABLE intake (stream INTEGER PRIMARY KEY, seq INTEGER NOT NULL)',
  // Filters of sockets that are too long to be kept with the socket.
  'CREATE TABLE subscriber (id TEXT PRIMARY KEY, filter TEXT NOT NULL) WITHOUT ROWID',
]

/** Told to the Worker alone, which then reads what has happened before. */
export const SUBSCRIBED = '{"type":"subscribed"}'

/** What a socket keeps while the hub sleeps holds 2 KB. */
const MAX_ATTACHMENT_CHARS = 1500
/** The tag of sockets that want events. */
export const EVENTS = 'events'

/** Kept with a sleeping socket, once it has said what it wants. */
interface Subscriber {
  /** Of the row with its filter, when that is too long to be kept here. */
  id: string | null
  filter: EventFilter | null
}

/** Takes the events of all streams, each once, and sends them to the sockets that want them. */
export class HubEvents {
  readonly #ctx: DurableObjectState
  readonly #matchers = new WeakMap<WebSocket, (event: ReceivedEvent) => boolean>()

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx
    this.#forgetGone()
  }

  /**
   * Takes what has not been taken before, in one transaction with what `judge` writes.
   * @returns up to which number the stream's events are now taken
   */
  take(
    stream: number,
    events: readonly NumberedEvent[],
    judge: (event: ReceivedEvent) => void,
  ): { taken: number; fresh: ReceivedEvent[] } {
    const { sql } = this.#ctx.storage
    return this.#ctx.storage.transactionSync(() => {
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

  /** Takes a socket's filter, and says so: from then on it gets all events that pass. */
  subscribe(socket: WebSocket, text: string): void {
    const filter = eventFilter.parse(JSON.parse(text))
    const isShort = text.length <= MAX_ATTACHMENT_CHARS
    const id = isShort ? null : crypto.randomUUID()
    if (id !== null) {
      const { sql } = this.#ctx.storage
      sql.exec('INSERT INTO subscriber (id, filter) VALUES (?, ?)', id, JSON.stringify(filter))
    }
    socket.serializeAttachment({ id, filter: isShort ? filter : null } satisfies Subscriber)
    socket.send(SUBSCRIBED)
  }

  send(events: readonly ReceivedEvent[]): void {
    if (events.length === 0) {
      return
    }
    for (const socket of this.#ctx.getWebSockets(EVENTS)) {
      const matches = this.#matcher(socket)
      for (const event of events) {
        if (matches(event)) {
          sendEvent(socket, event)
        }
      }
    }
  }

  /** Lets go of what was kept for a socket that has closed. */
  closed(socket: WebSocket): void {
    const id = subscriberOf(socket)?.id ?? null
    if (id !== null) {
      this.#ctx.storage.sql.exec('DELETE FROM subscriber WHERE id = ?', id)
    }
  }

  #matcher(socket: WebSocket): (event: ReceivedEvent) => boolean {
    const known = this.#matchers.get(socket)
    if (known !== undefined) {
      return known
    }
    const subscriber = subscriberOf(socket)
    if (subscriber === null) {
      return () => false
    }
    const matches = eventMatcher(subscriber.filter ?? this.#keptFilter(subscriber.id ?? ''))
    this.#matchers.set(socket, matches)
    return matches
  }

  #keptFilter(id: string): EventFilter {
    const { filter } = this.#ctx.storage.sql
      .exec<{ filter: string }>('SELECT filter FROM subscriber WHERE id = ?', id)
      .one()
    return JSON.parse(filter) as EventFilter
  }

  /** Sockets that went while the hub was being replaced told nobody. */
  #forgetGone(): void {
    const here = this.#ctx.getWebSockets(EVENTS).flatMap((socket) => subscriberOf(socket)?.id ?? [])
    this.#ctx.storage.sql.exec(
      'DELETE FROM subscriber WHERE id NOT IN (SELECT value FROM json_each(?))',
      JSON.stringify(here),
    )
  }
}

/** Null: it has not said yet what it wants. */
function subscriberOf(socket: WebSocket): Subscriber | null {
  return socket.deserializeAttachment() as Subscriber | null
}

function sendEvent(socket: WebSocket, event: ReceivedEvent): void {
  try {
    socket.send(JSON.stringify({ type: 'event', event }))
  } catch {
    // The socket has just gone; its client comes back and asks for what it missed.
  }
}
