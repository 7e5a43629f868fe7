import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { AuditEntry } from '#core/wire/audit.ts'
import type { AuditedChange } from '#domain/audit.ts'
import { insertAuditEntries, newAuditEntry } from '#storage/audit.ts'
import { databaseOf, type Bindings } from '#storage/workspace.ts'
import type { AskedBy } from '../operations/object-context.ts'
import { report } from '../operations/report.ts'

/** Entries of the audit log that the store may not have; a row goes when it has. */
export const AUDIT_OUTBOX_TABLE =
  'CREATE TABLE audit_outbox (id TEXT PRIMARY KEY, store TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID'

/** Entries that go in one statement: each has 32 KB at most. */
const AT_ONCE = 50
/** Whoever asked waits this long for the store; then it is answered anyway, since the entry is safe in the object. */
const CLIENT_WAIT_MS = 1000
/** When the alarm looks after what was added, should the object die before it is sent. */
const ALARM_MICROS = 5 * MICROS_PER_SECOND
const LONGEST_WAIT_MICROS = 300 * MICROS_PER_SECOND

interface Kept extends Record<string, SqlStorageValue> {
  id: string
  store: string
  body: string
}

/**
 * The audit log of what an object owns: an entry is written in the turn of the change, which is one transaction, and is sent to
 * the store until that has it, once by its id.
 */
export class AuditOutbox {
  readonly #state: DurableObjectState
  readonly #bindings: Bindings
  #due: Micros | null
  #failures = 0
  /** Somebody has waited in vain, and nothing has been taken since: nobody waits again. */
  #isSilent = false
  #sending: Promise<void> | undefined

  constructor(state: DurableObjectState, bindings: Bindings) {
    this.#state = state
    this.#bindings = bindings
    this.#due = this.#read(1).length === 0 ? null : Date.now() * 1000
  }

  /** When the object's alarm must call `onAlarm`; null: not at all. */
  get due(): Micros | null {
    return this.#due
  }

  /** Writes down a change in whose turn it is called. Null: nobody asked for it whom the log tells of. */
  add(asked: AskedBy | null, change: AuditedChange): void {
    if (asked === null) {
      return
    }
    const entry = newAuditEntry(asked.trail, change)
    this.#state.storage.sql.exec(
      'INSERT INTO audit_outbox (id, store, body) VALUES (?, ?, ?)',
      entry.id,
      asked.store,
      JSON.stringify(entry),
    )
    this.#due ??= Date.now() * 1000 + ALARM_MICROS
  }

  /** Waits until all that was added is in the store, a second at most. Never throws. */
  async sent(): Promise<void> {
    if (this.#due === null || this.#isSilent) {
      return
    }
    const sending = this.#send()
    this.#state.waitUntil(sending)
    let timer: ReturnType<typeof setTimeout> | null = null
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#isSilent = true
        resolve()
      }, CLIENT_WAIT_MS)
    })
    try {
      await Promise.race([sending, timeout])
    } finally {
      // A timer that goes on would keep the object awake, and billed.
      clearTimeout(timer)
    }
  }

  /** Sends when it is time. Never throws. */
  async onAlarm(): Promise<void> {
    if (this.#due !== null && this.#due <= Date.now() * 1000) {
      await this.#send()
    }
  }

  /** One send after the one that is going on covers what was added since. */
  async #send(): Promise<void> {
    await this.#sending
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
    await this.#sending
  }

  async #sendAll(): Promise<void> {
    try {
      for (let rows = this.#read(AT_ONCE); rows.length > 0; rows = this.#read(AT_ONCE)) {
        // One page after another.
        // oxlint-disable-next-line no-await-in-loop
        await this.#sendRows(rows)
      }
      this.#failures = 0
      this.#isSilent = false
      this.#due = null
    } catch (error) {
      report('entries of the audit log wait for the store', error)
      this.#failures += 1
      this.#isSilent = true
      const wait = Math.min(MICROS_PER_SECOND * 2 ** this.#failures, LONGEST_WAIT_MICROS)
      this.#due = Date.now() * 1000 + wait
    }
  }

  async #sendRows(rows: readonly Kept[]): Promise<void> {
    const { sql } = this.#state.storage
    for (const [store, own] of Map.groupBy(rows, (row) => row.store)) {
      const entries = own.map(({ body }) => JSON.parse(body) as AuditEntry)
      // oxlint-disable-next-line no-await-in-loop -- a workspace has one
      await insertAuditEntries(databaseOf(this.#bindings, store), entries)
      sql.exec(
        'DELETE FROM audit_outbox WHERE id IN (SELECT value FROM json_each(?))',
        JSON.stringify(own.map(({ id }) => id)),
      )
    }
  }

  #read(limit: number): Kept[] {
    return this.#state.storage.sql
      .exec<Kept>('SELECT id, store, body FROM audit_outbox ORDER BY id LIMIT ?', limit)
      .toArray()
  }
}
