import * as z from 'zod'
import { formatTimestamp, type Micros } from '#core/time.ts'
import { eventFilter, type EventFilter } from '#core/wire/event-filter.ts'
import type { Workspace } from '#storage/workspace.ts'
import { occurredSpan } from '#domain/event-filter.ts'
import type { Place } from '#domain/event-query.ts'
import { emitEvents } from '../operations/emit-events.ts'
import { searchEvents } from '../operations/search-events.ts'
import { eventHubStub } from '../operations/stubs.ts'
import { subscribe } from '../operations/subscription.ts'
import type { Api } from './endpoint.ts'
import { EventIntake } from './event-intake.ts'
import { mayTell } from './run-reach.ts'
import { closeSocket, sendFrame, socketRoute, type Connection } from './socket.ts'
import { holdOpen, readFilter } from './subscriber.ts'

const tag = 'Events'
/** How far back a new subscriber is told of events, as in Prefect. */
const BACKFILL_MICROS = 15 * 60 * 1_000_000
const BACKFILL_PAGE = 250

export function addEventSocketRoutes(api: Api): void {
  socketRoute(
    api,
    {
      path: '/events/in',
      tag,
      summary:
        'A WebSocket that takes events, one per frame; what was sent before its close is kept',
    },
    takeEvents,
  )
  socketRoute(
    api,
    {
      path: '/events/out',
      tag,
      summary:
        'A WebSocket that sends events as they come: after `{"type":"filter","filter":…}`, `{"type":"event","event":…}`',
    },
    sendEvents,
  )
}

async function takeEvents({ workspace, caller, socket, inbox }: Connection): Promise<void> {
  const intake = new EventIntake(
    async (events) => {
      const now = Date.now() * 1000
      const asker = { workspace, caller, now }
      const may = await Promise.all(events.map((event) => mayTell(asker, event)))
      // What is not the caller's to tell is passed over, as what is no event.
      const told = events.filter((_, index) => may[index])
      await emitEvents(workspace, told, now)
    },
    () => {
      closeSocket(socket, 1011, 'Events can not be kept now; connect again')
    },
  )
  inbox.forward((message) => {
    intake.add(message)
  })
  const { code, reason } = await inbox.closed
  // The client's process ends with the answer to its close.
  await intake.settled()
  closeSocket(socket, code, reason)
}

const filterFrame = z.object({
  type: z.literal('filter'),
  filter: eventFilter,
  /** Whether it wants events of the last minutes first. */
  backfill: z.boolean().nullish(),
})

async function sendEvents(connection: Connection): Promise<void> {
  const { workspace, socket } = connection
  const frame = await readFilter(connection, filterFrame)
  if (frame === undefined) {
    return
  }
  const now = Date.now() * 1000
  const { since, until } = frame.filter.occurred ?? {}
  const filter = {
    ...frame.filter,
    occurred: { since: backfillSince(since, now), ...(until === undefined ? {} : { until }) },
  }
  const delivery = new Delivery(socket)
  // First the events that come, so that none is missed between them and those that were.
  const hub = await subscribe(eventHubStub(workspace), '/events', filter, (text) => {
    delivery.deliver(text)
  })
  holdOpen(connection, [hub])
  if (frame.backfill !== false) {
    await backfill(workspace, filter, now, delivery)
  }
  delivery.goLive()
}

async function backfill(
  workspace: Workspace,
  filter: EventFilter,
  now: Micros,
  delivery: Delivery,
): Promise<void> {
  const question = { filter, span: occurredSpan(filter, now), order: 'ASC' as const }
  let after: Place | null = null
  do {
    const page = await searchEvents(workspace, question, after, BACKFILL_PAGE)
    for (const event of page.events) {
      delivery.backfill(event.id, JSON.stringify({ type: 'event', event }))
    }
    after = page.next
  } while (after !== null && delivery.isOpen)
}

/** Sends old events first, then those that came meanwhile, and no event twice. */
class Delivery {
  readonly #socket: WebSocket
  readonly #backfilled = new Set<string>()
  #held: string[] | null = []

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  backfill(id: string, text: string): void {
    this.#backfilled.add(id)
    sendFrame(this.#socket, text)
  }

  deliver(text: string): void {
    if (this.#held !== null) {
      this.#held.push(text)
    } else if (this.#backfilled.size === 0 || !this.#backfilled.delete(idOf(text))) {
      sendFrame(this.#socket, text)
    }
  }

  goLive(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const text of held) {
      this.deliver(text)
    }
  }
}

function idOf(text: string): string {
  return (JSON.parse(text) as { event: { id: string } }).event.id
}

function backfillSince(since: string | undefined, now: Micros): string {
  const earliest = formatTimestamp(now - BACKFILL_MICROS)
  return since === undefined || since < earliest ? earliest : since
}
