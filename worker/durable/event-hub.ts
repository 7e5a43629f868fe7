import { DurableObject } from 'cloudflare:workers'
import type { Micros } from '#core/time.ts'
import { eventFilter, type EventFilter } from '#core/wire/event-filter.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import type { AutomationExplanation } from '#core/wire/automation.ts'
import { feedSubscribe, type FeedFrame } from '#core/wire/feed.ts'
import type { FlowRunRow } from '#core/wire/flow-run.ts'
import type { TaskRun } from '#core/wire/task-run.ts'
import { liveMatcher } from '#domain/event-filter.ts'
import { FeedLog, isTopic, toFrames, type Change, type VersionedChange } from '#domain/feed-log.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { workspaceOf, type ObjectContext } from '../operations/object-context.ts'
import { CONTEXT_TABLE, ContextStore } from './context-store.ts'
import { eraseObject } from './erase.ts'
import type { NumberedEvent } from './event-log.ts'
import { INTAKE_TABLE, takeEvents } from './hub-intake.ts'
import { LAG_TABLE, noteLag, oldestLag } from './hub-lag.ts'
import { HUB_AUTOMATION_TABLES, HubAutomations, type AutomationChange } from './hub-automations.ts'
import { migrate } from './migrate.ts'
import { SUBSCRIBER_TABLE, Subscribers } from './subscribers.ts'
import { LONGEST_SLEEP_MS } from './longest-sleep.ts'

const TABLES = [
  'CREATE TABLE version (one INTEGER PRIMARY KEY CHECK (one = 1), reserved INTEGER NOT NULL)',
]

/** Versions are reserved in blocks, so that they only rise, over restarts too, and a change costs no row. */
const VERSION_BLOCK = 1_000_000
/** Changes that come closer together than this are sent together. */
const GATHER_MS = 100

/** Kept with a sleeping socket. */
interface Subscription {
  topics: string[]
}

/** The feed's sockets, among those that the hub holds. */
const FEED = 'feed'

/**
 * Gives every change of the workspace a version and pushes it to the feed's sockets; takes the events of all streams and judges
 * them by the automations, and sends them to those who want them. It holds their sockets while it sleeps.
 */
export class EventHub extends DurableObject<Bindings> {
  readonly #context: ContextStore
  readonly #subscribers: Subscribers<EventFilter, ReceivedEvent>
  readonly #automations: HubAutomations
  readonly #log: FeedLog
  #reserved = 0
  #unsent: VersionedChange[] = []
  #lastSent = 0
  #alarmMs: number | null = null

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    migrate(ctx.storage.sql, ctx.storage, [
      TABLES,
      [CONTEXT_TABLE, INTAKE_TABLE, SUBSCRIBER_TABLE],
      HUB_AUTOMATION_TABLES,
      [LAG_TABLE],
    ])
    this.#context = new ContextStore(ctx.storage.sql)
    this.#subscribers = new Subscribers<EventFilter, ReceivedEvent>(ctx, {
      tag: 'events',
      parse: (text) => eventFilter.parse(JSON.parse(text)),
      matcher: liveMatcher,
      frame: (event) => JSON.stringify({ type: 'event', event }),
    })
    this.#automations = new HubAutomations({
      storage: ctx.storage,
      workspace: () => this.#workspace(),
      waitUntil: (promise) => {
        ctx.waitUntil(promise)
      },
      changed: () => {
        this.#arm()
      },
    })
    this.#log = new FeedLog(this.#reserveVersions())
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'))
    void ctx.blockConcurrencyWhile(async () => {
      // An alarm that is set already may be the one that wakes the object: to set it again would cancel it.
      this.#alarmMs = await ctx.storage.getAlarm()
      this.#arm()
    })
  }

  /** The version of the newest change. Whoever reads it before a list, and subscribes with it, misses nothing. */
  version(): number {
    return this.#log.version
  }

  publishFlowRuns(rows: FlowRunRow[]): void {
    this.#publish(rows.map((row) => ({ kind: 'flow_run', id: row.id, row })))
  }

  publishFlowRunsDeleted(ids: string[]): void {
    this.#publish(ids.map((id) => ({ kind: 'flow_run_deleted', id })))
  }

  publishTaskRuns(flowRunId: string, taskRuns: TaskRun[]): void {
    this.#publish(
      taskRuns.map((row) => ({ kind: 'task_run', id: row.id, flow_run_id: flowRunId, row })),
    )
  }

  publishLogs(flowRunId: string): void {
    this.#publish([{ kind: 'logs', id: flowRunId }])
  }

  /**
   * Takes events of one stream, in the order of their numbers; each is judged once, however often it is sent.
   * @returns up to which number the stream's events are taken
   */
  publishEvents(context: ObjectContext, stream: number, events: NumberedEvent[]): number {
    this.#context.keep(context)
    const { taken, fresh } = takeEvents(this.ctx.storage, stream, events, (event) => {
      this.#automations.judgeEvent(event)
    })
    this.#automations.endBatch()
    this.#subscribers.send(fresh)
    this.#arm()
    return taken
  }

  /** Rows of that object wait for the store since then; null: none does. */
  noteLag(source: string, since: Micros | null): void {
    noteLag(this.ctx.storage.sql, source, since, Date.now() * 1000)
  }

  /** Since when the oldest row that is not in the store waits; null when none is known to. */
  lagsSince(): Micros | null {
    return oldestLag(this.ctx.storage.sql, Date.now() * 1000)
  }

  /** Notes, durably, that automations are being changed in the store. */
  expectAutomations(context: ObjectContext, ids: string[]): void {
    this.#context.keep(context)
    this.#automations.expectChange(ids)
    this.#arm()
  }

  /** Takes automations that are newer than what is here; idempotent by their versions. */
  applyAutomations(context: ObjectContext, changes: AutomationChange[]): void {
    this.#context.keep(context)
    this.#automations.apply(changes)
    this.#arm()
  }

  /** Why an automation fired or did not. */
  explainAutomation(context: ObjectContext, id: string): AutomationExplanation {
    this.#context.keep(context)
    return this.#automations.explain(id)
  }

  /**
   * Takes the Worker's end of a subscriber's socket, of the feed or of `/events`; the Worker has checked the key. Its first
   * message says what it wants.
   */
  override fetch(request: Request): Response {
    if (request.headers.get('Upgrade') !== 'websocket') {
      return new Response('expected a WebSocket', { status: 426 })
    }
    if (new URL(request.url).pathname === '/events') {
      return this.#subscribers.accept()
    }
    const { 0: client, 1: server } = new WebSocketPair()
    this.ctx.acceptWebSocket(server, [FEED])
    return new Response(null, { status: 101, webSocket: client })
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    if (this.#subscribers.has(socket)) {
      this.#subscribers.subscribe(socket, message)
      return
    }
    const subscribe = feedSubscribe.safeParse(parseJson(message))
    if (!subscribe.success) {
      socket.close(1008, 'Expected a subscribe message')
      return
    }
    const { topics, since } = subscribe.data
    const unknown = topics.find((topic) => !isTopic(topic))
    if (unknown !== undefined) {
      socket.close(1008, `Unknown topic '${unknown.slice(0, 60)}'`)
      return
    }
    // What is held back belongs to the time before this subscription.
    this.#sendUnsent()
    socket.serializeAttachment({ topics } satisfies Subscription)
    const { version } = this.#log
    if (typeof since === 'number') {
      const missed = this.#log.since(since)
      send(socket, missed === undefined ? [{ type: 'reset', version }] : toFrames(missed, topics))
    }
    send(socket, [{ type: 'subscribed', version }])
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    if (this.#subscribers.has(socket)) {
      this.#subscribers.closed(socket)
    }
    // 1005 and 1006 only report that there was no close frame; they can't be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code, reason)
  }

  /** Its workspace was deleted. */
  async erase(): Promise<void> {
    await eraseObject(this.ctx)
  }

  /** Sends what a burst left over, and does what automations ask for. Never throws. */
  override async alarm(): Promise<void> {
    this.#alarmMs = null
    this.#sendUnsent()
    await this.#automations.onAlarm()
    this.#arm()
  }

  #publish(changes: Change[]): void {
    const now = Date.now()
    if (this.#log.version + 1 >= this.#reserved) {
      this.#reserveVersions()
    }
    const added = this.#log.add(changes, now)
    if (this.ctx.getWebSockets(FEED).length === 0) {
      return
    }
    this.#unsent.push(...added)
    if (now - this.#lastSent >= GATHER_MS) {
      this.#sendUnsent()
    } else {
      this.#arm()
    }
  }

  #sendUnsent(): void {
    const changes = this.#unsent
    if (changes.length === 0) {
      return
    }
    this.#unsent = []
    this.#lastSent = Date.now()
    for (const socket of this.ctx.getWebSockets(FEED)) {
      const subscription = socket.deserializeAttachment() as Subscription | null
      if (subscription !== null) {
        send(socket, toFrames(changes, subscription.topics))
      }
    }
  }

  /** Sets the one alarm to what is due first. */
  #arm(): void {
    const feed = this.#unsent.length === 0 ? null : this.#lastSent + GATHER_MS
    const dues = [feed, this.#automations.due].filter((due) => due !== null)
    const now = Date.now()
    const due = Math.min(Math.max(now, Math.min(...dues)), now + LONGEST_SLEEP_MS)
    if (dues.length > 0 && (this.#alarmMs === null || due < this.#alarmMs)) {
      this.#alarmMs = due
      this.ctx.waitUntil(this.ctx.storage.setAlarm(due))
    }
  }

  #workspace(): Workspace {
    const context = this.#context.read()
    if (context === undefined) {
      throw new Error('the hub was never told of its workspace')
    }
    return workspaceOf(this.env, context)
  }

  /** Moves the reservation on by a block; returns where the block begins. */
  #reserveVersions(): number {
    const { sql } = this.ctx.storage
    const row = sql.exec<{ reserved: number }>('SELECT reserved FROM version').toArray()[0]
    const begin = row?.reserved ?? 0
    this.#reserved = begin + VERSION_BLOCK
    sql.exec('INSERT OR REPLACE INTO version (one, reserved) VALUES (1, ?)', this.#reserved)
    return begin
  }
}

function send(socket: WebSocket, frames: FeedFrame[]): void {
  try {
    for (const frame of frames) {
      socket.send(JSON.stringify(frame))
    }
  } catch {
    // The socket has just gone; its client will come back with `since`.
  }
}

function parseJson(message: string | ArrayBuffer): unknown {
  try {
    return typeof message === 'string' ? JSON.parse(message) : undefined
  } catch {
    return undefined
  }
}
