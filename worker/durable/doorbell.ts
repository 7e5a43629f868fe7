import type { DoorbellFrame } from '#core/wire/execution.ts'
import type { Micros } from '#core/time.ts'
import { admit, type AdmissionView } from '#domain/admission.ts'
import type { WaitingAgent } from '#storage/workers.ts'

/** Who opens a doorbell. */
export interface Visitor {
  agent_id: string
  /** Of the key that it came with: revoked, it takes the doorbell away; null for a run token. */
  key_id: string | null
  /** Its name as a worker; null: the Worker holds the doorbell for one that polls, whose polls tell that it is there. */
  name: string | null
  /** Ids of the queues that it serves; null is all. */
  queues: string[] | null
}

/** What a waiting agent's socket carries through hibernation. */
interface Waiter extends Visitor {
  opened_at: Micros
  /** When it was last rung without having claimed since. */
  rung_at: Micros | null
}

/** A ring that is not answered by a claim in this time goes to the next waiter; the silent one is rung again after its next claim. */
const RING_ANSWER_MICROS = 2_000_000

/**
 * An agent pings every 20 s. One that has missed three is gone, though nobody has ended its connection: a host that lost its
 * power or its network says nothing.
 */
const SILENT_MICROS = 75_000_000

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

  open(visitor: Visitor, now: Micros): WebSocket {
    const { 0: client, 1: server } = new WebSocketPair()
    this.#context.acceptWebSocket(
      server,
      visitor.key_id === null ? [visitor.agent_id] : [visitor.agent_id, keyTag(visitor.key_id)],
    )
    attach(server, { ...visitor, opened_at: now, rung_at: null })
    return client
  }

  /** The agents whose own doorbells are open: who shares a name is one. */
  waiting(): WaitingAgent[] {
    const queues = new Map<string, string[] | null>()
    for (const { waiter } of this.#open()) {
      if (waiter.name !== null) {
        const known = queues.get(waiter.name)
        const both = known === null || waiter.queues === null
        queues.set(
          waiter.name,
          both ? null : [...new Set([...(known ?? []), ...(waiter.queues ?? [])])],
        )
      }
    }
    return [...queues].map(([name, served]) => ({ name, queues: served }))
  }

  /** Whether anybody waits for runs of the queue. */
  serves(queueId: string): boolean {
    return this.#open().some(({ waiter }) => waiter.queues?.includes(queueId) ?? true)
  }

  /** Whether the agent waits at its own doorbell. */
  isHeldBy(agentId: string): boolean {
    return this.#open(agentId).some(({ waiter }) => waiter.name !== null)
  }

  /** Ends the connections over which nothing has come for too long. Tells whether there were any. */
  closeSilent(now: Micros): boolean {
    const silent = this.#open().filter(
      ({ socket, waiter }) => now - this.#heardAt(socket, waiter) > SILENT_MICROS,
    )
    for (const { socket } of silent) {
      socket.close(1001, 'no ping came for too long')
    }
    return silent.length > 0
  }

  /** Nobody is to wait here any longer. */
  closeAll(reason: string): void {
    for (const { socket } of this.#open()) {
      socket.close(1001, reason)
    }
  }

  /** These keys are revoked: who waits with them must come again, and is refused. */
  closeOfKeys(keyIds: readonly string[]): void {
    for (const keyId of keyIds) {
      for (const socket of this.#context.getWebSockets(keyTag(keyId))) {
        socket.close(1008, 'the key was revoked')
      }
    }
  }

  /** Those who were rung and did not claim are rung again with the next ring. */
  forgetRings(): void {
    for (const { socket, waiter } of this.#open()) {
      if (waiter.rung_at !== null) {
        attach(socket, { ...waiter, rung_at: null })
      }
    }
  }

  /** The agent has claimed: its ring, if there was one, is answered. */
  answered(agentId: string): void {
    for (const { socket, waiter } of this.#open(agentId)) {
      if (waiter.rung_at !== null) {
        attach(socket, { ...waiter, rung_at: null })
      }
    }
  }

  /** Rings as many fitting waiters as there are runs that may start now; those whose ring went unanswered are passed over. */
  ring(look: () => AdmissionView, now: Micros): void {
    this.version += 1
    this.due = null
    const waiters = this.#open()
    const rungAt = waiters.flatMap(({ waiter }) => waiter.rung_at ?? [])
    if (rungAt.length === waiters.length) {
      // Whoever was rung is waited for.
      const last = Math.max(...rungAt)
      this.due = last + RING_ANSWER_MICROS > now ? last + RING_ANSWER_MICROS : null
      return
    }
    // Looked at only when somebody may be rung: every change comes by here.
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

  #open(agentId?: string): { socket: WebSocket; waiter: Waiter }[] {
    return this.#context.getWebSockets(agentId).flatMap((socket) => {
      const waiter = waiterOf(socket)
      return waiter !== undefined && socket.readyState === WebSocket.OPEN
        ? [{ socket, waiter }]
        : []
    })
  }

  /** When something last came over it, as far as the runtime notes that: when it was opened, or its last ping. */
  #heardAt(socket: WebSocket, { opened_at }: Waiter): Micros {
    const pinged = this.#context.getWebSocketAutoResponseTimestamp(socket)
    return Math.max(opened_at, pinged === null ? 0 : pinged.getTime() * 1000)
  }
}

/** Apart from the ids of agents, which tag sockets as well. */
function keyTag(keyId: string): string {
  return `key ${keyId}`
}

/** The agent itself holds it, not the Worker for one that polls. */
export function isOfAgent(socket: WebSocket): boolean {
  return (waiterOf(socket)?.name ?? null) !== null
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
