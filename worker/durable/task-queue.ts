import { DurableObject } from 'cloudflare:workers'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { TaskRun } from '#core/wire/task-run.ts'
import { taskSubscriberFrame, taskSubscribe, type TaskWorker } from '#core/wire/task-worker.ts'
import type { Bindings } from '#storage/workspace.ts'
import { eraseObject } from './erase.ts'
import { migrate } from './migrate.ts'
import { parseJson } from './parse-json.ts'

const TABLES = [
  // One row a scheduling, under the id of its state. `socket`: the subscriber that has it and has not yet said so.
  `CREATE TABLE task (
    state_id TEXT PRIMARY KEY, task_key TEXT NOT NULL, retry INTEGER NOT NULL, place INTEGER NOT NULL,
    socket TEXT, body TEXT NOT NULL
  ) WITHOUT ROWID`,
  'CREATE INDEX task_waiting ON task (task_key, retry DESC, place) WHERE socket IS NULL',
  `CREATE TABLE subscriber (
    id TEXT PRIMARY KEY, client_id TEXT NOT NULL, keys TEXT NOT NULL, since INTEGER NOT NULL
  ) WITHOUT ROWID`,
]

/** So many acknowledged schedulings are remembered, in memory, in case one of them is handed in a second time. */
const MAX_REMEMBERED = 10_000

/** As in Prefect: a breach of the protocol. */
const VIOLATION = 4001

interface Subscriber extends Record<string, SqlStorageValue> {
  id: string
  client_id: string
  /** JSON. */
  keys: string
}

/** Kept with a sleeping socket. */
interface Attachment {
  /** Of its subscriber. */
  id: string
  /** The state of the task run that it has and has not acknowledged. */
  has: string | null
}

/**
 * Deferred task runs that wait for a task worker, in the order in which they were scheduled, those that are tried again first; and
 * the workers' sockets, which it holds while it sleeps. A run is given to one worker; it goes back to the queue only when that
 * one's socket has ended without an acknowledgement.
 */
export class TaskQueue extends DurableObject<Bindings> {
  readonly #acknowledged = new Set<string>()
  /** When a subscriber was last given a run, so that all get their share. */
  readonly #served = new Map<string, number>()
  #turn = 0

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    migrate(ctx.storage.sql, ctx.storage, [TABLES])
    const open = new Set(ctx.getWebSockets().map((socket) => attachmentOf(socket)?.id))
    for (const { id } of this.#subscribers()) {
      if (!open.has(id)) {
        this.#forget(id)
      }
    }
  }

  /** Idempotent by the id of the task run's state. */
  enqueue(taskRun: TaskRun, now: Micros): void {
    const stateId = taskRun.state_id ?? ''
    if (this.#acknowledged.has(stateId)) {
      return
    }
    this.ctx.storage.sql.exec(
      'INSERT OR IGNORE INTO task (state_id, task_key, retry, place, body) VALUES (?, ?, ?, ?, ?)',
      stateId,
      taskRun.task_key,
      taskRun.state_name === 'AwaitingRetry' ? 1 : 0,
      now,
      JSON.stringify(taskRun),
    )
    this.#dispatch([taskRun.task_key])
  }

  /** The workers that listen now; with keys, those that serve one of them. */
  taskWorkers(keys: string[], now: Micros): TaskWorker[] {
    const workers = new Map<string, Set<string>>()
    for (const { client_id, keys: served } of this.#subscribers()) {
      const known = workers.get(client_id) ?? new Set()
      workers.set(client_id, known)
      for (const key of JSON.parse(served) as string[]) {
        known.add(key)
      }
    }
    return [...workers]
      .filter(([, served]) => keys.length === 0 || keys.some((key) => served.has(key)))
      .map(([identifier, served]) => ({
        identifier,
        task_keys: [...served].toSorted(),
        timestamp: formatTimestamp(now),
      }))
  }

  /** Takes the Worker's end of a task worker's socket; the Worker has checked the key. */
  override fetch(request: Request): Response {
    if (request.headers.get('Upgrade') !== 'websocket') {
      return new Response('expected a WebSocket', { status: 426 })
    }
    const { 0: client, 1: server } = new WebSocketPair()
    this.ctx.acceptWebSocket(server)
    return new Response(null, { status: 101, webSocket: client })
  }

  /** Its workspace was deleted. */
  async erase(): Promise<void> {
    await eraseObject(this.ctx)
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const subscriber = attachmentOf(socket)
    if (subscriber === undefined) {
      this.#subscribe(socket, parseJson(message))
      return
    }
    const frame = taskSubscriberFrame.safeParse(parseJson(message))
    if (!frame.success) {
      this.#end(socket, VIOLATION, "Protocol violation: expected 'ack' message")
    } else if (frame.data.type === 'quit') {
      this.#end(socket, 1000, '')
    } else {
      this.#acknowledge(socket, subscriber)
      this.#dispatchTo(socket)
    }
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    // 1005 and 1006 only report that there was no close frame; they can't be sent.
    this.#end(socket, code === 1005 || code === 1006 ? 1000 : code, reason)
  }

  override webSocketError(socket: WebSocket): void {
    this.#end(socket, 1011, 'The socket has failed')
  }

  #subscribe(socket: WebSocket, message: unknown): void {
    const subscribe = taskSubscribe.safeParse(message)
    if (!subscribe.success) {
      const field = subscribe.error.issues[0]?.path[0]
      const missing =
        field === 'keys' || field === 'client_id'
          ? `expected '${field}' in subscribe message`
          : "expected 'subscribe' message"
      socket.close(VIOLATION, `Protocol violation: ${missing}`)
      return
    }
    const { keys, client_id } = subscribe.data
    const id = crypto.randomUUID()
    socket.serializeAttachment({ id, has: null } satisfies Attachment)
    this.ctx.storage.sql.exec(
      'INSERT INTO subscriber (id, client_id, keys, since) VALUES (?, ?, ?, ?)',
      id,
      client_id,
      JSON.stringify(keys),
      Date.now(),
    )
    this.#dispatchTo(socket)
  }

  #acknowledge(socket: WebSocket, { id, has }: Attachment): void {
    if (has === null) {
      return
    }
    socket.serializeAttachment({ id, has: null } satisfies Attachment)
    this.ctx.storage.sql.exec('DELETE FROM task WHERE state_id = ?', has)
    this.#acknowledged.add(has)
    for (const oldest of this.#acknowledged) {
      if (this.#acknowledged.size <= MAX_REMEMBERED) {
        break
      }
      this.#acknowledged.delete(oldest)
    }
  }

  /** The subscriber is gone: what it has not acknowledged goes to the next one. */
  #end(socket: WebSocket, code: number, reason: string): void {
    const subscriber = attachmentOf(socket)
    try {
      socket.close(code, reason)
    } catch {
      // It is closed already.
    }
    if (subscriber !== undefined) {
      this.#dispatch(this.#forget(subscriber.id))
    }
  }

  /** Returns the keys of what went back to the queue. */
  #forget(subscriberId: string): string[] {
    const { sql } = this.ctx.storage
    this.#served.delete(subscriberId)
    sql.exec('DELETE FROM subscriber WHERE id = ?', subscriberId)
    return sql
      .exec<{ task_key: string }>(
        'UPDATE task SET socket = NULL, retry = 1 WHERE socket = ? RETURNING task_key',
        subscriberId,
      )
      .toArray()
      .map(({ task_key }) => task_key)
  }

  /** Gives what waits under these keys to subscribers that have nothing to acknowledge, the least recently served first. */
  #dispatch(keys: string[]): void {
    if (keys.length === 0) {
      return
    }
    const sockets = this.ctx
      .getWebSockets()
      .filter(
        (socket) => socket.readyState === WebSocket.OPEN && attachmentOf(socket)?.has === null,
      )
      .toSorted((a, b) => this.#servedAt(a) - this.#servedAt(b))
    for (const socket of sockets) {
      this.#dispatchTo(socket)
    }
  }

  #servedAt(socket: WebSocket): number {
    return this.#served.get(attachmentOf(socket)?.id ?? '') ?? 0
  }

  /** One run at a time: the next one follows the acknowledgement. */
  #dispatchTo(socket: WebSocket): void {
    const { sql } = this.ctx.storage
    const attachment = attachmentOf(socket)
    if (attachment === undefined || attachment.has !== null) {
      return
    }
    const { id } = attachment
    const [next] = sql
      .exec<{ state_id: string; body: string }>(
        `SELECT state_id, body FROM task WHERE state_id IN (
           SELECT (SELECT state_id FROM task WHERE task_key = key.value AND socket IS NULL
                   ORDER BY retry DESC, place LIMIT 1)
           FROM subscriber, json_each(subscriber.keys) key WHERE subscriber.id = ?)
         ORDER BY retry DESC, place LIMIT 1`,
        id,
      )
      .toArray()
    if (next === undefined) {
      return
    }
    try {
      socket.send(next.body)
    } catch {
      // The socket has just gone; its close event frees it.
      return
    }
    socket.serializeAttachment({ id, has: next.state_id } satisfies Attachment)
    sql.exec('UPDATE task SET socket = ? WHERE state_id = ?', id, next.state_id)
    this.#turn += 1
    this.#served.set(id, this.#turn)
  }

  #subscribers(): Subscriber[] {
    return this.ctx.storage.sql
      .exec<Subscriber>('SELECT id, client_id, keys FROM subscriber ORDER BY since')
      .toArray()
  }
}

/** Undefined before it has subscribed. */
function attachmentOf(socket: WebSocket): Attachment | undefined {
  return (socket.deserializeAttachment() as Attachment | null) ?? undefined
}
