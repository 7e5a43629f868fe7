import { SUBSCRIBED } from '../operations/subscription.ts'

/** Filters that are too long to be kept with their socket. Written and read by `Subscribers`. */
export const SUBSCRIBER_TABLE =
  'CREATE TABLE subscriber (id TEXT PRIMARY KEY, filter TEXT NOT NULL) WITHOUT ROWID'

/** What a sleeping socket keeps holds 2 KB. */
const MAX_ATTACHMENT_CHARS = 1500

/** Kept with a socket, once it has said what it wants. */
interface Kept<F> {
  /** Of the row with its filter, when that is too long to be kept here. */
  id: string | null
  filter: F | null
}

interface Channel<F, T> {
  /** Of its sockets, among all that the object holds. */
  tag: string
  parse(text: string): F
  matcher(filter: F): (item: T) => boolean
  frame(item: T): string
}

/** Sockets that want what passes their filters. The object holds them while it sleeps. */
export class Subscribers<F, T> {
  readonly #ctx: DurableObjectState
  readonly #channel: Channel<F, T>
  readonly #matchers = new WeakMap<WebSocket, (item: T) => boolean>()

  constructor(ctx: DurableObjectState, channel: Channel<F, T>) {
    this.#ctx = ctx
    this.#channel = channel
    this.#forgetGone()
  }

  /** Whether anybody listens. */
  get any(): boolean {
    return this.#sockets().length > 0
  }

  has(socket: WebSocket): boolean {
    return this.#ctx.getTags(socket).includes(this.#channel.tag)
  }

  /** Takes the Worker's end of a socket; its first message is a filter. */
  accept(): Response {
    const { 0: client, 1: server } = new WebSocketPair()
    this.#ctx.acceptWebSocket(server, [this.#channel.tag])
    return new Response(null, { status: 101, webSocket: client })
  }

  /** Takes a socket's filter, and says so: from then on the socket gets all that passes. */
  subscribe(socket: WebSocket, message: string | ArrayBuffer): void {
    const text = typeof message === 'string' ? message : ''
    const filter = this.#channel.parse(text)
    const isShort = text.length <= MAX_ATTACHMENT_CHARS
    const id = isShort ? null : crypto.randomUUID()
    if (id !== null) {
      this.#ctx.storage.sql.exec('INSERT INTO subscriber (id, filter) VALUES (?, ?)', id, text)
    }
    socket.serializeAttachment({ id, filter: isShort ? filter : null } satisfies Kept<F>)
    socket.send(SUBSCRIBED)
  }

  send(items: readonly T[]): void {
    for (const socket of items.length === 0 ? [] : this.#sockets()) {
      const matches = this.#matcher(socket)
      for (const item of items.filter(matches)) {
        trySend(socket, this.#channel.frame(item))
      }
    }
  }

  /** Lets go of what was kept for a socket that has closed. */
  closed(socket: WebSocket): void {
    const id = this.#kept(socket)?.id ?? null
    if (id !== null) {
      this.#ctx.storage.sql.exec('DELETE FROM subscriber WHERE id = ?', id)
    }
  }

  #matcher(socket: WebSocket): (item: T) => boolean {
    const known = this.#matchers.get(socket)
    if (known !== undefined) {
      return known
    }
    const kept = this.#kept(socket)
    if (kept === null) {
      return () => false
    }
    const matches = this.#channel.matcher(kept.filter ?? this.#filterOfRow(kept.id ?? ''))
    this.#matchers.set(socket, matches)
    return matches
  }

  #filterOfRow(id: string): F {
    const { filter } = this.#ctx.storage.sql
      .exec<{ filter: string }>('SELECT filter FROM subscriber WHERE id = ?', id)
      .one()
    return this.#channel.parse(filter)
  }

  /** Null: it has not said yet what it wants. */
  #kept(socket: WebSocket): Kept<F> | null {
    return socket.deserializeAttachment() as Kept<F> | null
  }

  #sockets(): WebSocket[] {
    return this.#ctx.getWebSockets(this.#channel.tag)
  }

  /** Sockets that went while the object was being replaced told nobody. */
  #forgetGone(): void {
    const here = this.#sockets().flatMap((socket) => this.#kept(socket)?.id ?? [])
    this.#ctx.storage.sql.exec(
      'DELETE FROM subscriber WHERE id NOT IN (SELECT value FROM json_each(?))',
      JSON.stringify(here),
    )
  }
}

function trySend(socket: WebSocket, frame: string): void {
  try {
    socket.send(frame)
  } catch {
    // The socket has just gone; its client comes back.
  }
}
