import { DurableObject } from 'cloudflare:workers'
import type { Micros } from '#core/time.ts'
import type { Log, LogCreate } from '#core/wire/log.ts'
import type { LogsQuery } from '#core/wire/query.ts'
import {
  chunksOfRanks,
  compare,
  compareLines,
  demands,
  endOf,
  lineMatcher,
  startOf,
} from '#domain/log-query.ts'
import type { Bindings } from '#storage/workspace.ts'
import { workspaceOf, type ObjectContext } from '../operations/object-context.ts'
import { eventHubStub } from '../operations/stubs.ts'
import { CONTEXT_TABLE, ContextStore } from './context-store.ts'
import { LOG_TABLES, LogStore, toLog, type Chunk, type StoredLine } from './log-shard-store.ts'
import { migrate } from './migrate.ts'

/** The feed hears of a run's new lines at most this often. */
const ANNOUNCE_MS = 250

/** Keeps the logs of the flow runs whose ids hash to it. */
export class LogShard extends DurableObject<Bindings> {
  readonly #context: ContextStore
  readonly #store: LogStore
  /** When the feed last heard of a run's lines; in memory, since a signal that is lost with it costs a reader one poll. */
  readonly #announced = new Map<string, number>()
  readonly #waiting = new Set<string>()
  #alarmSet = false

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    migrate(ctx.storage.sql, ctx.storage, [[CONTEXT_TABLE, ...LOG_TABLES]])
    this.#context = new ContextStore(ctx.storage.sql)
    this.#store = new LogStore(ctx.storage)
  }

  /** Keeps the lines; idempotent for a batch that is sent again within ten minutes. */
  append(context: ObjectContext, logs: LogCreate[], now: Micros): void {
    this.#context.keep(context)
    const runs = Map.groupBy(logs, (log) => log.flow_run_id ?? '')
    for (const [flowRunId, batch] of runs) {
      if (this.#store.append(flowRunId, batch, now) && flowRunId !== '') {
        this.#announce(flowRunId)
      }
    }
    this.#armAlarm()
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

  deleteFlowRun(context: ObjectContext, flowRunId: string): void {
    this.#context.keep(context)
    this.#store.remove(flowRunId)
  }

  /** Tells the feed what `append` held back. Never throws. */
  override alarm(): void {
    this.#alarmSet = false
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const flowRunId of waiting) {
      this.#announce(flowRunId)
    }
    this.#armAlarm()
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
    const hub = eventHubStub(workspaceOf(this.env, context))
    // Nobody waits for the feed, and a signal that does not arrive is followed by that of the next lines.
    this.ctx.waitUntil(hub.publishLogs(flowRunId).catch(() => undefined))
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

  #armAlarm(): void {
    if (this.#waiting.size > 0 && !this.#alarmSet) {
      this.#alarmSet = true
      this.ctx.waitUntil(this.ctx.storage.setAlarm(Date.now() + ANNOUNCE_MS))
    }
  }
}

function byPlace(a: StoredLine, b: StoredLine): number {
  return compareLines(
    [a.timestamp, a.flow_run_id ?? '', a.index],
    [b.timestamp, b.flow_run_id ?? '', b.index],
  )
}
