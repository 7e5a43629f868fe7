import { DurableObject } from 'cloudflare:workers'
import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import {
  ConcurrencyBook,
  type Acquired,
  type LimitFields,
  type LimitView,
  type Request,
} from '#domain/concurrency-book.ts'
import { audited } from '#domain/audit.ts'
import type { Lease, Limit } from '#domain/concurrency.ts'
import { newId } from '#storage/new-id.ts'
import type { Bindings } from '#storage/workspace.ts'
import type { AskedBy } from '../operations/object-context.ts'
import { AUDIT_OUTBOX_TABLE, AuditOutbox } from './audit-outbox.ts'
import { eraseObject } from './erase.ts'
import { migrate } from './migrate.ts'
import { report } from '../operations/report.ts'

const TABLES = [
  'CREATE TABLE limits (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID',
  // In the order in which they were made, since ids are of their time.
  'CREATE TABLE lease (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID',
]

/** A lease found to have ended that long ago tells of an outage of the control plane, since the alarm stands at the first end. */
const OUTAGE_MICROS = 20 * MICROS_PER_SECOND
/** After an outage holders get the time of Prefect's usual lease. */
const AFTER_OUTAGE_SECONDS = 300

type LimitName = Pick<LimitView, 'id' | 'name'>

/** A limit with the task runs that hold it. */
export interface LimitWithHolders extends LimitView {
  task_run_ids: string[]
}

/**
 * Owns the workspace's limits but for those of deployments, which their homes own. A slot that is held is a row, its lease; all
 * rows are in memory too, so that an acquisition is one row written and none read.
 */
export class ConcurrencyLimits extends DurableObject<Bindings> {
  readonly #book: ConcurrencyBook
  readonly #audit: AuditOutbox
  #armedFor: Micros | null = null

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    migrate(ctx.storage.sql, ctx.storage, [TABLES, AUDIT_OUTBOX_TABLE])
    this.#audit = new AuditOutbox(ctx, env)
    this.#book = new ConcurrencyBook(this.#read<Limit>('limits'), this.#read<Lease>('lease'))
    void ctx.blockConcurrencyWhile(async () => {
      // An alarm that is set already may be the one that wakes the object: to set it again would cancel it.
      const alarm = await ctx.storage.getAlarm()
      this.#armedFor = alarm === null ? null : alarm * 1000
      this.#arm()
    })
  }

  /** The names that have limits: what code asks for under any other name costs it, and us, nothing. */
  names(): string[] {
    return this.#book.names()
  }

  /** Null: the name is taken. */
  async create(
    fields: LimitFields,
    now: Micros,
    asked: AskedBy | null = null,
  ): Promise<LimitWithHolders | null> {
    return await this.#change(asked, () => {
      const made = this.#write(now, () =>
        this.#withHolders(this.#book.create(fields, newId(now), now)),
      )
      return { result: made, before: null, after: made }
    })
  }

  find(idOrName: string, now: Micros): LimitWithHolders | null {
    return this.#write(now, () => this.#withHolders(this.#book.find(idOrName, now) ?? null))
  }

  /** By name. */
  list(now: Micros): LimitWithHolders[] {
    return this.#write(now, () =>
      this.#book
        .list(now)
        .map((limit) => ({ ...limit, task_run_ids: this.#book.taskRunIds(limit.id) })),
    )
  }

  /** Null: there is no such limit. */
  async update(
    idOrName: string,
    changes: Partial<LimitFields>,
    now: Micros,
    asked: AskedBy | null = null,
  ): Promise<LimitWithHolders | null | 'taken'> {
    return await this.#change<LimitWithHolders | null | 'taken'>(asked, () => {
      const before = this.find(idOrName, now)
      const result = this.#write(now, () => {
        const updated = this.#book.update(idOrName, changes, now)
        return updated === null ? 'taken' : this.#withHolders(updated ?? null)
      })
      return result === 'taken'
        ? { result, before: null, after: null }
        : { result, before, after: result }
    })
  }

  /** Null: there is no such limit. */
  async remove(
    idOrName: string,
    now: Micros,
    asked: AskedBy | null = null,
  ): Promise<LimitView | null> {
    return await this.#change(asked, () => {
      const removed = this.#write(now, () => this.#book.remove(idOrName) ?? null)
      return { result: removed, before: removed, after: null }
    })
  }

  /** Frees all slots of a limit and gives one to each of these task runs. @returns whether there is such a limit */
  async reset(
    idOrName: string,
    taskRunIds: string[],
    now: Micros,
    asked: AskedBy | null = null,
  ): Promise<boolean> {
    return await this.#change(asked, () => {
      const held = this.find(idOrName, now)
      const result = this.#write(now, () =>
        this.#book.reset(idOrName, taskRunIds, () => newId(now), now),
      )
      const [before, after] = [held?.task_run_ids ?? [], taskRunIds].map(
        (holders) => held && { id: held.id, name: held.name, held_by: holders },
      )
      return { result, before: before ?? null, after: after ?? null }
    })
  }

  /** All or nothing over all names. With a lease, its id comes back. */
  acquire(
    request: Omit<Request, 'lease'> & { lease?: Omit<NonNullable<Request['lease']>, 'id'> },
    now: Micros,
  ): { lease_id: string; acquired: Acquired } {
    const id = newId(now)
    const { lease, ...rest } = request
    return this.#write(now, () => ({
      lease_id: id,
      acquired: this.#book.acquire(
        { ...rest, ...(lease === undefined ? {} : { lease: { ...lease, id } }) },
        Math.random(),
        now,
      ),
    }))
  }

  decrement(
    names: string[],
    slots: number,
    occupancySeconds: number | null,
    now: Micros,
  ): LimitView[] {
    return this.#write(now, () => this.#book.decrement(names, slots, occupancySeconds, now))
  }

  /** @returns whether the lease is there */
  renew(id: string, seconds: number, now: Micros): boolean {
    return this.#write(now, () => this.#book.renew(id, seconds, now))
  }

  /** Who holds slots now. */
  leases(now: Micros): Lease[] {
    return this.#write(now, () => this.#book.leases())
  }

  /** Idempotent: a lease that is gone holds nothing. */
  release(id: string, now: Micros): void {
    this.#write(now, () => {
      this.#book.release(id, now)
    })
  }

  /** Frees what somebody holds of these limits, whatever its leases are. */
  releaseHolder(names: string[], holderId: string, now: Micros): LimitView[] {
    return this.#write(now, () => this.#book.releaseHolder(names, holderId, now))
  }

  /** Its workspace was deleted. */
  async erase(): Promise<void> {
    await eraseObject(this.ctx)
  }

  /** Frees what has run out, and sends what the store has not taken. Never throws. */
  override async alarm(): Promise<void> {
    this.#armedFor = null
    try {
      this.#write(Date.now() * 1000, () => {
        // All that the alarm is for happens before each operation.
      })
    } catch (error) {
      report('leases that have run out were not freed', error)
    }
    await this.#audit.onAlarm()
    this.#arm()
  }

  /** Changes a limit and writes down who asked for it, in one turn; nothing is written of what is not there. */
  async #change<T>(
    asked: AskedBy | null,
    operate: () => { result: T; before: LimitName | null; after: LimitName | null },
  ): Promise<T> {
    const { result, before, after } = operate()
    if (asked !== null && (before ?? after) !== null) {
      this.#audit.add(asked, audited('concurrency_limit', before, after))
      this.#arm()
      await this.#audit.sent()
    }
    return result
  }

  /** Lets go of what has run out, carries out an operation and keeps what it changed: one transaction. */
  #write<T>(now: Micros, operate: () => T): T {
    const expiry = this.#book.nextExpiry()
    if (expiry !== null && now - expiry > OUTAGE_MICROS) {
      this.#book.extend(AFTER_OUTAGE_SECONDS, now)
    }
    this.#book.expire(now)
    const result = operate()
    const changes = this.#book.takeChanges()
    for (const limit of changes.limits) {
      this.#put('limits', limit)
    }
    for (const lease of changes.leases) {
      this.#put('lease', lease)
    }
    for (const id of changes.removed_limits) {
      this.ctx.storage.sql.exec('DELETE FROM limits WHERE id = ?', id)
    }
    for (const id of changes.removed_leases) {
      this.ctx.storage.sql.exec('DELETE FROM lease WHERE id = ?', id)
    }
    this.#arm()
    return result
  }

  #withHolders(limit: LimitView | null): LimitWithHolders | null {
    return limit === null ? null : { ...limit, task_run_ids: this.#book.taskRunIds(limit.id) }
  }

  /** The one alarm stands at the first end of a lease, or before it: a renewal moves it only when it rings. */
  #arm(): void {
    const times = [this.#book.nextExpiry(), this.#audit.due].filter((time) => time !== null)
    const at = times.length === 0 ? null : Math.min(...times)
    if (at !== null && (this.#armedFor === null || at < this.#armedFor)) {
      this.#armedFor = at
      void this.ctx.storage.setAlarm(Math.ceil(at / 1000))
    }
  }

  #read<T>(table: 'limits' | 'lease'): T[] {
    return this.ctx.storage.sql
      .exec<{ body: string }>(`SELECT body FROM ${table} ORDER BY id`)
      .toArray()
      .map(({ body }) => JSON.parse(body) as T)
  }

  #put(table: 'limits' | 'lease', row: { id: string }): void {
    this.ctx.storage.sql.exec(
      `INSERT OR REPLACE INTO ${table} (id, body) VALUES (?, ?)`,
      row.id,
      JSON.stringify(row),
    )
  }
}
