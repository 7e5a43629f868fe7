import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { MAX_PAGE } from '#core/wire/query.ts'
import { readinessEvents } from '#domain/config-events.ts'
import { objectEvent } from '#domain/object-event.ts'
import { newId } from '#storage/new-id.ts'
import { findWorkPool } from '#storage/work-pools.ts'
import { listWorkQueues } from '#storage/work-queues.ts'
import { emitEvents } from '../operations/emit-events.ts'
import type { Home } from './home.ts'
import { report } from './report.ts'

/** A queue that nobody has polled for a minute is not ready; so it is looked at as often while one is. */
const LOOK_MICROS = 60 * MICROS_PER_SECOND
/** By then the store has the poll that is being noted. */
const SOON_MICROS = 5 * MICROS_PER_SECOND
const TOLD = 'readiness'

/** Tells as events when the pool and its queues come to be served, and when they cease to be. */
export class HomeReadiness {
  readonly #home: Home
  /** The status of each that was told last. Kept, since the home sleeps between two polls. */
  #told: Record<string, string>
  #due: Micros | null
  /** The first alarm after a start is the one that woke the home: nobody remembers what it was for. */
  #isFirst = true

  constructor(home: Home) {
    this.#home = home
    this.#told = JSON.parse(home.store.meta(TOLD) ?? '{}') as Record<string, string>
    this.#due = this.#isAnyReady() ? home.now() + LOOK_MICROS : null
  }

  /** When the home's alarm must call `onAlarm`; null: not at all. */
  get due(): Micros | null {
    return this.#due
  }

  /** Somebody asks for runs of these queues. */
  seen(queueIds: readonly string[]): void {
    if (queueIds.some((id) => this.#told[id] !== 'READY')) {
      this.#due = Math.min(this.#due ?? Infinity, this.#home.now() + SOON_MICROS)
      this.#home.arm()
    }
  }

  /** Never throws. */
  async onAlarm(): Promise<void> {
    const now = this.#home.now()
    const isFirst = this.#isFirst
    this.#isFirst = false
    if (this.#due === null || (this.#due > now && !isFirst)) {
      return
    }
    this.#due = now + LOOK_MICROS
    try {
      await this.#look(now)
    } catch (error) {
      report('nobody could be told whether a pool is served', error)
    }
  }

  async #look(now: Micros): Promise<void> {
    const workspace = this.#home.workspace()
    const name = this.#home.store.workPool()?.pool.name
    const pool = name === undefined ? undefined : (await findWorkPool(workspace, name, now))?.pool
    if (pool === undefined) {
      this.#due = null
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
      Object.fromEntries([pool, ...queues].map(({ id, status }) => [id, status ?? 'NOT_READY'])),
    )
    if (!this.#isAnyReady()) {
      this.#due = null
    }
  }

  /** A row, so only what is new. */
  #note(told: Record<string, string>): void {
    const text = JSON.stringify(told)
    if (text !== JSON.stringify(this.#told)) {
      this.#home.store.setMeta(TOLD, text)
      this.#told = told
    }
  }

  #isAnyReady(): boolean {
    return Object.values(this.#told).includes('READY')
  }
}
