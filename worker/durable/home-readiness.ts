import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { MAX_PAGE } from '#core/wire/query.ts'
import { readinessEvents } from '#domain/config-events.ts'
import { objectEvent } from '#domain/object-event.ts'
import { MISSED_HEARTBEATS } from '#domain/readiness.ts'
import { newId } from '#storage/new-id.ts'
import { findWorkPool } from '#storage/work-pools.ts'
import { listWorkQueues } from '#storage/work-queues.ts'
import { recordDoorbellsClosed, recordDoorbellsOpen } from '#storage/workers.ts'
import { emitEvents } from '../operations/emit-events.ts'
import type { Home } from './home.ts'
import { report } from '../operations/report.ts'

/** Whoever is served by polls ceases to be so by silence, which has to be looked for. */
const LOOK_MICROS = 60 * MICROS_PER_SECOND
/**
 * Doorbells tell when they are closed. Looked for are only those that were never closed and have fallen silent, and rings that
 * were lost: seldom, since each look wakes the home and costs a row. Who reads the pool meanwhile has the home look at once.
 */
const IDLE_LOOK_MICROS = 15 * 60 * MICROS_PER_SECOND

/** The alarm of a look was set before the one before it was over: that long it may come too early. */
const SLACK_MICROS = 10 * MICROS_PER_SECOND

/** The heartbeat that is shown of agents at doorbells. */
export const AGENT_INTERVAL_SECONDS = 10
/** A doorbell that is closed may be opened again: a blip of the network, or a new version of the API, is no news. */
const REOPEN_MICROS = AGENT_INTERVAL_SECONDS * MISSED_HEARTBEATS * MICROS_PER_SECOND

const TOLD = 'readiness'

/** Tells as events when the pool and its queues come to be served, and when they cease to be; and to the store, who has gone. */
export class HomeReadiness {
  readonly #home: Home
  /** The status of each that was told last. Kept, since the home sleeps between two polls. */
  #told: Record<string, string>
  #due: Micros | null
  /** The first alarm after a start is the one that woke the home: nobody remembers what it was for. */
  #isFirst = true
  #looking: Promise<void> | undefined
  #isWanted = false

  constructor(home: Home) {
    this.#home = home
    this.#told = JSON.parse(home.store.meta(TOLD) ?? '{}') as Record<string, string>
    this.#due = this.#nextLook()
  }

  /** When the home's alarm must call `onAlarm`; null: not at all. */
  get due(): Micros | null {
    return this.#due
  }

  /** Whether somebody waits for the queue's runs, or has polled it lately. */
  isServed(queueId: string): boolean {
    return this.#told[queueId] === 'READY' || this.#home.doorbell.serves(queueId)
  }

  /** The store has just been told that these are served. Never throws. */
  async seen(ids: readonly string[]): Promise<void> {
    if (ids.some((id) => this.#told[id] !== 'READY')) {
      await this.#look()
    }
  }

  /** An agent's doorbell was closed. */
  closed(): void {
    this.#lookWithin(REOPEN_MICROS)
  }

  /** A doorbell was opened, and may fall silent. */
  opened(): void {
    this.#lookWithin(IDLE_LOOK_MICROS)
  }

  /** The store does not know of all doorbells. */
  lookSoon(): void {
    this.#lookWithin(LOOK_MICROS)
  }

  /** Somebody reads who serves the pool: those that have fallen silent are no longer counted. Never throws. */
  async refresh(): Promise<void> {
    if (this.#home.doorbell.closeSilent(this.#home.now())) {
      await this.#look()
    }
  }

  /** Never throws. */
  async onAlarm(): Promise<void> {
    const isFirst = this.#isFirst
    this.#isFirst = false
    if (this.#due !== null && (this.#due <= this.#home.now() + SLACK_MICROS || isFirst)) {
      // Whoever waits at the doorbell and was rung in vain is rung with the next change.
      this.#home.doorbell.forgetRings()
      await this.#look()
    }
  }

  #lookWithin(micros: Micros): void {
    this.#due = Math.min(this.#due ?? Infinity, this.#home.now() + micros)
    this.#home.arm()
  }

  /** One look after the one that is going on covers all that is known at the time of the call. */
  async #look(): Promise<void> {
    this.#isWanted = true
    this.#looking ??= this.#lookOn().finally(() => {
      this.#looking = undefined
    })
    await this.#looking
  }

  async #lookOn(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false
      // Should the home die meanwhile. No sooner: the alarm that is set for it now stands, and would wake the home for nothing.
      this.#due = this.#nextLook() ?? this.#home.now() + LOOK_MICROS
      try {
        await this.#lookOnce(this.#home.now())
        this.#due = this.#nextLook()
      } catch (error) {
        this.#due = this.#home.now() + LOOK_MICROS
        report('nobody could be told whether a pool is served', error, {
          object: this.#home.name,
        })
      }
    }
    this.#home.arm()
  }

  async #lookOnce(now: Micros): Promise<void> {
    const workspace = this.#home.workspace()
    const config = this.#home.store.workPool()
    if (config === undefined) {
      this.#note({})
      return
    }
    const { id, name } = config.pool
    this.#home.doorbell.closeSilent(now)
    const waiting = this.#home.doorbell.waiting()
    const names = waiting.map((agent) => agent.name)
    await recordDoorbellsClosed(workspace, id, names, now - REOPEN_MICROS, now)
    if (waiting.length > 0) {
      await recordDoorbellsOpen(workspace, id, waiting, AGENT_INTERVAL_SECONDS, now)
    }
    const pool = (await findWorkPool(workspace, name, now))?.pool
    if (pool === undefined) {
      this.#note({})
      return
    }
    const ofPool = { work_pool_id: pool.id }
    const queues = await listWorkQueues(workspace, ofPool, { limit: MAX_PAGE, offset: 0 }, now)
    const events = readinessEvents(pool, queues, this.#told)
    if (events.length > 0) {
      await emitEvents(
        workspace,
        events.map((event) => objectEvent(event, newId(now), now)),
        now,
      )
    }
    this.#note(
      Object.fromEntries([pool, ...queues].map((each) => [each.id, each.status ?? 'NOT_READY'])),
    )
  }

  /** A row, so only what is new. */
  #note(told: Record<string, string>): void {
    const text = JSON.stringify(told)
    if (text !== JSON.stringify(this.#told)) {
      this.#home.store.setMeta(TOLD, text)
      this.#told = told
    }
  }

  /** Soon while something is served by polls alone; seldom while all of it is served at doorbells. */
  #nextLook(): Micros | null {
    const now = this.#home.now()
    const waiting = this.#home.doorbell.waiting()
    const served = (id: string) =>
      waiting.some(({ queues }) => queues === null || queues.includes(id))
    const poolId = this.#home.store.workPool()?.pool.id
    const ready = Object.keys(this.#told).filter((id) => this.#told[id] === 'READY')
    if (ready.some((id) => (id === poolId ? waiting.length === 0 : !served(id)))) {
      return now + LOOK_MICROS
    }
    return waiting.length > 0 ? now + IDLE_LOOK_MICROS : null
  }
}
