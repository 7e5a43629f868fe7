import { DurableObject } from 'cloudflare:workers'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { Log, LogCreate } from '#core/wire/log.ts'
import { logFilter, type LogFilter, type LogsQuery } from '#core/wire/query.ts'
import {
  chunksOfRanks,
  compare,
  compareLines,
  demands,
  endOf,
  lineMatcher,
  startOf,
} from '#domain/log-query.ts'
import { monthOf, NOTHING } from '#domain/usage.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { workspaceOf, type ObjectContext } from '../operations/object-context.ts'
import { eventHubStub, logShardNumber } from '../operations/stubs.ts'
import { CONTEXT_TABLE, ContextStore } from './context-store.ts'
import { eraseObject } from './erase.ts'
import {
  LOG_ARRIVAL_TABLES,
  LOG_TABLES,
  LogStore,
  toLog,
  toStoredLines,
  type Appended,
  type Chunk,
  type StoredLine,
} from './log-shard-store.ts'
import { migrate } from './migrate.ts'
import { SUBSCRIBER_TABLE, Subscribers } from './subscribers.ts'
import { USAGE_TABLE, UsageTeller } from './usage-teller.ts'

/** The feed hears of a run's new lines at most this often. */
const ANNOUNCE_MS = 250
const DAY_MS = 24 * 3_600_000
const SWEEP_EVERY_MS = DAY_MS
/** What was counted is written down this often, and so before the object sleeps: it sleeps after ten idle seconds. */
const KEEP_COUNT_MS = 5000
/** WARNING, as Python's logging has it. */
const WARNING = 30
/** Of a page of lines that are read run by run: a chunk is at most one and a half MB, and rarely above 64 KB. */
const PAGE_CHUNKS = 8
/** Between two steps of letting go of old lines. */
const SWEEP_PAUSE_MS = 1000

/** Keeps the logs of the flow runs whose ids hash to it. */
export class LogShard extends DurableObject<Bindings> {
  readonly #context: ContextStore
  readonly #store: LogStore
  /** When the feed last heard of a run's lines; in memory, since a signal that is lost with it costs a reader one poll. */
  readonly #announced = new Map<string, number>()
  readonly #waiting = new Set<string>()
  readonly #subscribers: Subscribers<LogFilter, StoredLine>
  readonly #usage: UsageTeller
  /** How many bytes of lines have been kept, ever; and when that was written down last. */
  #bytes: number
  #countKeptMs = 0
  #sweepMs: number | null = null
  #alarmMs: number | null = null

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    migrate(ctx.storage.sql, ctx.storage, [
      [CONTEXT_TABLE, ...LOG_TABLES],
      [...LOG_ARRIVAL_TABLES, SUBSCRIBER_TABLE],
      USAGE_TABLE,
    ])
    this.#context = new ContextStore(ctx.storage.sql)
    this.#store = new LogStore(ctx.storage)
    this.#usage = new UsageTeller({
      sql: ctx.storage.sql,
      workspace: () => this.#workspace(),
      source: () => `logs:${logShardNumber(this.#workspace(), ctx.id)}`,
      counts: () => ({ ...NOTHING, log_bytes: this.#bytes }),
      now: () => Date.now() * 1000,
      waitUntil: (promise) => {
        ctx.waitUntil(promise)
      },
    })
    this.#bytes = this.#usage.counted.log_bytes
    this.#subscribers = new Subscribers<LogFilter, StoredLine>(ctx, {
      tag: 'logs',
      parse: (text) => logFilter.parse(JSON.parse(text)),
      matcher: lineMatcher,
      frame: (line) => JSON.stringify({ type: 'log', log: toLog(line) }),
    })
    void ctx.blockConcurrencyWhile(async () => {
      // An alarm that is set may stand for the next sweep, whose time is kept nowhere else.
      this.#alarmMs = await ctx.storage.getAlarm()
      this.#sweepMs = this.#alarmMs
    })
  }

  /**
   * Keeps the lines; idempotent for a batch that is sent again within ten minutes. Once the account has used up its logs they are
   * let go of, which a line of each run says.
   */
  append(context: ObjectContext, logs: LogCreate[], now: Micros): void {
    this.#context.keep(context)
    const runs = Map.groupBy(logs, (log) => log.flow_run_id ?? '')
    for (const [flowRunId, batch] of runs) {
      if (this.#usage.room('log_bytes') <= 0) {
        this.#letGo(flowRunId, now)
        continue
      }
      const appended = this.#store.append(flowRunId, batch, now)
      if (appended !== undefined) {
        this.#bytes += appended.bytes
        this.#tell(flowRunId, appended, batch, now)
      }
    }
    this.#keepCount()
    this.#usage.changed()
    this.#sweepMs ??= Date.now() + SWEEP_EVERY_MS
    this.#arm()
  }

  /** Somebody reads what the workspace has used. */
  async tellUsage(context: ObjectContext): Promise<void> {
    this.#context.keep(context)
    await this.#usage.tellRest()
  }

  /** Says in the run's log that what follows is not kept. */
  #letGo(flowRunId: string, now: Micros): void {
    this.ctx.waitUntil(this.#usage.ask('log_bytes', 1))
    const message = this.#usage.say('log_bytes')
    if (message === undefined) {
      return
    }
    const line: LogCreate = {
      name: 'headgate',
      level: WARNING,
      message: `Lines from here on are not kept. ${message}`,
      timestamp: formatTimestamp(now),
      flow_run_id: flowRunId === '' ? null : flowRunId,
    }
    const appended = this.#store.appendOnce(flowRunId, `exhausted ${monthOf(now)}`, line, now)
    if (appended !== undefined) {
      this.#tell(flowRunId, appended, [line], now)
    }
  }

  #tell(flowRunId: string, { first }: Appended, lines: LogCreate[], now: Micros): void {
    if (this.#subscribers.any) {
      this.#subscribers.send(toStoredLines(flowRunId, first, lines, now))
    }
    if (flowRunId !== '') {
      this.#announce(flowRunId)
    }
  }

  /** A row for each batch of lines would be too dear: what comes shortly after it waits for the alarm. */
  #keepCount(): void {
    if (Date.now() - this.#countKeptMs >= KEEP_COUNT_MS && this.#isUncounted) {
      this.#countKeptMs = Date.now()
      this.#usage.keepCounts()
    }
  }

  get #isUncounted(): boolean {
    return this.#usage.counted.log_bytes !== this.#bytes
  }

  /** Takes the Worker's end of a socket that wants lines as they come; the Worker has checked the key. */
  override fetch(request: Request): Response {
    return request.headers.get('Upgrade') === 'websocket'
      ? this.#subscribers.accept()
      : new Response('expected a WebSocket', { status: 426 })
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#subscribers.subscribe(socket, message)
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    this.#subscribers.closed(socket)
    // 1005 and 1006 only report that there was no close frame; they can't be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code, reason)
  }

  /** A page of this shard's lines that pass the filter, in the order (time, flow run, line), or its exact reverse. */
  filter(context: ObjectContext, query: LogsQuery): Log[] {
    this.#context.keep(context)
    const descending = query.sort === 'TIMESTAMP_DESC'
    const limit = query.limit ?? 200
    const offset = query.offset ?? 0
    const wanted = demands(query.logs)
    const chunks = this.#store
      .chunks(wanted.flowRunIds)
      .filter(
        (chunk) =>
          chunk.most_level >= wanted.leastLevel &&
          chunk.least_level <= wanted.mostLevel &&
          (wanted.after === undefined || chunk.last >= wanted.after) &&
          (wanted.before === undefined || chunk.first <= wanted.before),
      )
    const lines = wanted.exact
      ? this.#byRank(chunks, offset, limit, descending)
      : this.#bySearch(chunks, query, offset + limit, descending).slice(offset, offset + limit)
    return lines.map(toLog)
  }

  /**
   * Some lines, run by run, after a place: that of the last chunk that was read.
   * @returns where the next begin; null: there are none
   */
  linesAfter(
    context: ObjectContext,
    flowRunId: string,
    position: number,
  ): { logs: Log[]; next: [flowRunId: string, position: number] | null } {
    this.#context.keep(context)
    const chunks = this.#store.chunksAfter(flowRunId, position, PAGE_CHUNKS)
    const last = chunks.length < PAGE_CHUNKS ? undefined : chunks.at(-1)
    return {
      logs: chunks.flatMap((chunk) => this.#store.lines(chunk).map(toLog)),
      next: last === undefined ? null : [last.flow_run_id, last.position],
    }
  }

  deleteFlowRun(context: ObjectContext, flowRunId: string): void {
    this.#context.keep(context)
    this.#store.remove(flowRunId)
  }

  deleteFlowRuns(context: ObjectContext, flowRunIds: string[]): void {
    for (const id of flowRunIds) {
      this.deleteFlowRun(context, id)
    }
  }

  /** Its workspace was deleted. */
  async erase(): Promise<void> {
    await eraseObject(this.ctx)
  }

  /** Tells the feed what `append` held back, and lets go of old lines. Never throws. */
  override alarm(): void {
    this.#alarmMs = null
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    this.#keepCount()
    for (const flowRunId of waiting) {
      this.#announce(flowRunId)
    }
    if (this.#sweepMs !== null && this.#sweepMs <= Date.now()) {
      this.sweep()
    }
    this.#arm()
  }

  /** Lets go of some lines that are older than logs are kept. */
  sweep(): void {
    const now = Date.now()
    const more = this.#store.sweep(now - this.#usage.days.log_days * DAY_MS)
    this.#sweepMs = more
      ? now + SWEEP_PAUSE_MS
      : this.#store.holdsLines()
        ? now + SWEEP_EVERY_MS
        : null
  }

  /** Without conditions on lines, all chunks before the page are counted, not read. */
  #byRank(chunks: Chunk[], offset: number, limit: number, descending: boolean): StoredLine[] {
    const total = chunks.reduce((sum, chunk) => sum + chunk.count, 0)
    const from = descending ? Math.max(0, total - offset - limit) : offset
    const to = descending ? Math.max(0, total - offset) : offset + limit
    if (to <= from) {
      return []
    }
    const page = chunksOfRanks(chunks, from, to)
    const lines = page.chunks.flatMap((chunk) => this.#store.lines(chunk)).toSorted(byPlace)
    const rows = lines.slice(page.skip, page.skip + to - from)
    return descending ? rows.toReversed() : rows
  }

  /** The first `enough` lines that match; stops reading once no later chunk can hold an earlier line. */
  #bySearch(chunks: Chunk[], query: LogsQuery, enough: number, descending: boolean): StoredLine[] {
    const matches = lineMatcher(query.logs)
    const ordered = descending
      ? chunks.toSorted((a, b) => compareLines(endOf(b), endOf(a)))
      : chunks.toSorted((a, b) => compareLines(startOf(a), startOf(b)))
    const order = descending ? (a: StoredLine, b: StoredLine) => byPlace(b, a) : byPlace
    let found: StoredLine[] = []
    for (const chunk of ordered) {
      const last = found[enough - 1]
      const edge = descending ? chunk.last : chunk.first
      if (last !== undefined && compare(last.timestamp, edge) * (descending ? -1 : 1) < 0) {
        return found
      }
      found.push(...this.#store.lines(chunk).filter(matches))
      if (found.length >= enough) {
        found = found.toSorted(order).slice(0, enough)
      }
    }
    return found.toSorted(order)
  }

  #announce(flowRunId: string): void {
    const context = this.#context.read()
    const now = Date.now()
    if (context === undefined) {
      return
    }
    if (now - (this.#announced.get(flowRunId) ?? 0) < ANNOUNCE_MS) {
      this.#waiting.add(flowRunId)
      return
    }
    this.#forgetOld(now)
    this.#announced.set(flowRunId, now)
    this.#waiting.delete(flowRunId)
    const hub = eventHubStub(this.#workspace())
    // Nobody waits for the feed, and a signal that does not arrive is followed by that of the next lines.
    this.ctx.waitUntil(hub.publishLogs(flowRunId).catch(() => undefined))
  }

  #workspace(): Workspace {
    const context = this.#context.read()
    if (context === undefined) {
      throw new Error('the shard has lines, but was never told of its workspace')
    }
    return workspaceOf(this.env, context)
  }

  #forgetOld(now: number): void {
    if (this.#announced.size > 1000) {
      for (const [id, time] of this.#announced) {
        if (now - time >= ANNOUNCE_MS) {
          this.#announced.delete(id)
        }
      }
    }
  }

  /** Sets the one alarm to what comes first; a row written, so only when that has changed. */
  #arm(): void {
    const announce = this.#waiting.size > 0 ? Date.now() + ANNOUNCE_MS : Infinity
    const count = this.#isUncounted ? this.#countKeptMs + KEEP_COUNT_MS : Infinity
    const next = Math.min(announce, count, this.#sweepMs ?? Infinity)
    if (next === Infinity || (this.#alarmMs !== null && this.#alarmMs <= next)) {
      return
    }
    this.#alarmMs = next
    this.ctx.waitUntil(this.ctx.storage.setAlarm(next))
  }
}

function byPlace(a: StoredLine, b: StoredLine): number {
  return compareLines(
    [a.timestamp, a.flow_run_id ?? '', a.index],
    [b.timestamp, b.flow_run_id ?? '', b.index],
  )
}
