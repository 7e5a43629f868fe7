import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { DomainError } from '#domain/errors.ts'
import {
  COUNTED,
  dayOf,
  exhausted,
  isWorthTelling,
  minus,
  monthOf,
  NOTHING,
  quotaEvent,
  roomFor,
  type Counts,
  type Quota,
  type Standing,
} from '#domain/usage.ts'
import { PLANS } from '#domain/plans.ts'
import { briefly } from '#storage/briefly.ts'
import { tellUsage } from '#storage/usage.ts'
import type { Workspace } from '#storage/workspace.ts'
import { emitEvents } from '../operations/emit-events.ts'
import { objectContext } from '../operations/object-context.ts'
import { report } from '../operations/report.ts'
import { jobsStub } from '../operations/stubs.ts'

/** The table of an object that counts what is used: one row, rewritten when it has told its counts. */
export const USAGE_TABLE =
  'CREATE TABLE usage (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL)'

/** Who is told that a quota is used up may learn that the plan was changed this much later. */
const ASK_AGAIN: Micros = 10 * MICROS_PER_SECOND
/** After a failure to reach the store. */
const RETRY: Micros = 30 * MICROS_PER_SECOND

interface Kept {
  /** What the object has counted in all, where no other row of it says so. */
  counts: Counts
  told: Counts
  told_at: Micros
  standing: Standing | null
  /** The months in which it was said that a quota was used up. */
  said: Partial<Record<Quota, string>>
}

interface Surroundings {
  sql: SqlStorage
  workspace(): Workspace
  /** The object's name within its workspace. */
  source(): string
  /** All that the object has ever counted. */
  counts(): Counts
  now(): Micros
  waitUntil(promise: Promise<unknown>): void
}

/**
 * Tells the control store now and then what its object has counted, and knows from its answers how the account stands. It tells
 * sums, never differences: nothing is added twice or lost, whatever dies on the way.
 */
export class UsageTeller {
  readonly #deps: Surroundings
  #kept: Kept
  #askedAt: Micros = 0
  #failedAt: Micros = 0
  #telling: Promise<void> | undefined

  constructor(surroundings: Surroundings) {
    this.#deps = surroundings
    const [row] = surroundings.sql.exec<{ value: string }>('SELECT value FROM usage').toArray()
    this.#kept =
      row === undefined
        ? { counts: NOTHING, told: NOTHING, told_at: 0, standing: null, said: {} }
        : (JSON.parse(row.value) as Kept)
  }

  /** What the object had counted when that was last written down here. */
  get counted(): Counts {
    return this.#kept.counts
  }

  /** How long things are kept: by the plan, or while that is not known by the one that asks for no payment. */
  get days(): { event_days: number; log_days: number } {
    return this.#kept.standing?.limits ?? PLANS.self_hosted
  }

  /** How much more there may be in this month. */
  room(quota: Quota): number {
    const untold = minus(this.#deps.counts(), this.#kept.told)[quota]
    return roomFor(quota, this.#kept.standing ?? undefined, untold, this.#deps.now())
  }

  /** Asks the store where that much would not fit by what is known: a plan may have been changed. Waits a moment only. */
  async ask(quota: Quota, wanted: number): Promise<void> {
    const now = this.#deps.now()
    if (this.room(quota) < wanted && now - this.#askedAt >= ASK_AGAIN) {
      this.#askedAt = now
      await briefly(this.#deps.workspace(), this.tell()).catch(() => undefined)
    }
  }

  /** @throws DomainError when there is no room for that much */
  require(quota: Quota, wanted: number): void {
    const { standing } = this.#kept
    if (standing !== null && this.room(quota) < wanted) {
      this.say(quota)
      throw new DomainError('exhausted', exhausted(quota, standing, this.#deps.now()))
    }
  }

  /** Tells everybody that a quota is used up, once in a month. @returns the sentence; undefined while it is not */
  say(quota: Quota): string | undefined {
    const { standing, said } = this.#kept
    if (standing === null) {
      return undefined
    }
    const now = this.#deps.now()
    if (said[quota] !== monthOf(now)) {
      this.#save({ ...this.#kept, said: { ...said, [quota]: monthOf(now) } })
      const workspace = this.#deps.workspace()
      const event = quotaEvent(quota, workspace, standing, now)
      this.#deps.waitUntil(
        emitEvents(workspace, [event], now).catch((error: unknown) =>
          report('that a quota is used up was not told', error, { workspace_id: workspace.id }),
        ),
      )
    }
    return exhausted(quota, standing, now)
  }

  /** Call it after counts have changed: tells them when that is worth it. */
  changed(): void {
    const now = this.#deps.now()
    const untold = minus(this.#deps.counts(), this.#kept.told)
    if (
      this.#telling === undefined &&
      now - this.#failedAt >= RETRY &&
      isWorthTelling(untold, this.#kept.told_at, now)
    ) {
      this.#deps.waitUntil(this.tell())
    }
  }

  /** Writes down what was counted, in the transaction of what is counted. */
  keepCounts(): void {
    this.#save({ ...this.#kept, counts: this.#deps.counts() })
  }

  /** Somebody reads what is used: tells what was not told yet. */
  async tellRest(): Promise<void> {
    const untold = minus(this.#deps.counts(), this.#kept.told)
    if (COUNTED.some((kind) => untold[kind] !== 0)) {
      await this.tell()
    }
  }

  /** Tells all that was counted by now. Never throws: it is told with what comes later. */
  async tell(): Promise<void> {
    while (this.#telling !== undefined) {
      await this.#telling
    }
    this.#telling = this.#tell().finally(() => {
      this.#telling = undefined
    })
    await this.#telling
  }

  async #tell(): Promise<void> {
    const now = this.#deps.now()
    const counts = this.#deps.counts()
    try {
      const workspace = this.#deps.workspace()
      const standing = await tellUsage(workspace, this.#deps.source(), counts, now)
      if (standing === undefined) {
        this.#failedAt = now
        return
      }
      const isNewDay = dayOf(this.#kept.told_at) !== dayOf(now)
      this.#askedAt = now
      this.#save({
        ...this.#kept,
        counts: this.#deps.counts(),
        told: counts,
        told_at: now,
        standing,
      })
      if (isNewDay) {
        // What is kept too long is looked for once a day where anything happens.
        await jobsStub(workspace).expectRetention(objectContext(workspace))
      }
    } catch (error) {
      this.#failedAt = now
      report('usage was not told; it will be with what comes later', error, {
        object: this.#deps.source(),
      })
    }
  }

  #save(kept: Kept): void {
    this.#kept = kept
    this.#deps.sql.exec(
      `INSERT INTO usage (one, value) VALUES (1, ?)
       ON CONFLICT (one) DO UPDATE SET value = excluded.value`,
      JSON.stringify(kept),
    )
  }
}
