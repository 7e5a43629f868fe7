import type { DoorbellFrame } from '#core/wire/execution.ts'
import type { Micros } from '#core/time.ts'
import { admit, type AdmissionView } from '#domain/admission.ts'

/** What a waiting agent's socket carries through hibernation. */
interface Waiter {
  agent_id: string
  /** Ids of the queues that it serves; null is all. */
  queues: string[] | null
  /** When it was last rung without having claimed since. */
  rung_at: Micros | null
}

/** A ring that is not answered by a claim in this time goes to the next waiter; the silent one is rung again after its next claim. */
const RING_ANSWER_MICROS = 2_000_000

/** A client says `ping`, the runtime answers without waking the object. */
const PING = 'ping'
const PONG = 'pong'

/** Agents wait at the home's doorbell: WebSockets that the object accepts with hibernation, so that waiting costs nothing. */
export class Doorbell {
  readonly #context: DurableObjectState
  /** Counts the changes after which a claim may find something. */
  version: number
  /** When unanswered rings must be looked at again; null: none are open. */
  due: Micros | null = null

  constructor(context: DurableObjectState, version: number) {
    this.#context = context
    this.version = version
    context.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG))
  }

  open(agentId: string, queues: string[] | null): { client: WebSocket; server: WebSocket } {
    const { 0: client, 1: server } = new WebSocketPair()
    this.#context.acceptWebSocket(server, [agentId])
    attach(server, { agent_id: agentId, queues, rung_at: null })
    return { client, server }
  }

  /** The agent has claimed: its ring, if there was one, is answered. */
  answered(agentId: string): void {
    for (const socket of this.#context.getWebSockets(agentId)) {
      const waiter = waiterOf(socket)
      if (waiter?.rung_at !== null && waiter !== undefined) {
        attach(socket, { ...waiter, rung_at: null })
      }
    }
  }

  /** Rings as many fitting waiters as there are runs that may start now; those whose ring went unanswered are passed over. */
  ring(look: () => AdmissionView): void {
    this.version += 1
    this.due = null
    const waiters = this.#context
      .getWebSockets()
      .map((socket) => ({ socket, waiter: waiterOf(socket) }))
      .filter((entry): entry is { socket: WebSocket; waiter: Waiter } => entry.waiter !== undefined)
    if (waiters.length === 0) {
      return
    }
    // Looked at only when somebody waits: every change comes by here.
    const view = look()
    let expected = waiters.filter(({ waiter }) => isAwaited(waiter, view.now)).length
    for (const { socket, waiter } of waiters) {
      if (waiter.rung_at !== null) {
        continue
      }
      const only = waiter.queues === null ? undefined : new Set(waiter.queues)
      if (admit(view, expected + 1, only).admitted.length <= expected) {
        continue
      }
      attach(socket, { ...waiter, rung_at: view.now })
      send(socket, { type: 'work', version: this.version })
      expected += 1
    }
    this.due = expected > 0 ? view.now + RING_ANSWER_MICROS : null
  }

  /** Tells an agent that something concerns a run that it holds. */
  callBack(agentId: string): void {
    for (const socket of this.#context.getWebSockets(agentId)) {
      send(socket, { type: 'renew' })
    }
  }
}

function isAwaited(waiter: Waiter, now: Micros): boolean {
  return waiter.rung_at !== null && now - waiter.rung_at < RING_ANSWER_MICROS
}

function waiterOf(socket: WebSocket): Waiter | undefined {
  return (socket.deserializeAttachment() as Waiter | null) ?? undefined
}

function attach(socket: WebSocket, waiter: Waiter): void {
  socket.serializeAttachment(waiter)
}

function send(socket: WebSocket, frame: DoorbellFrame): void {
  try {
    socket.send(JSON.stringify(frame))
  } catch {
    // The socket is closing; its agent comes back and claims.
  }
}
