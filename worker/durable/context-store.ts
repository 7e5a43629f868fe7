import type { ObjectContext } from '../operations/object-context.ts'

/** The table of an object's own context: one row. Written by `ContextStore`, read there. */
export const CONTEXT_TABLE =
  'CREATE TABLE context (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL)'

/** Keeps what a caller said of the object's workspace, for alarms, which have no caller. */
export class ContextStore {
  readonly #sql: SqlStorage
  #text: string | undefined

  constructor(sql: SqlStorage) {
    this.#sql = sql
    this.#text = sql.exec<{ value: string }>('SELECT value FROM context').toArray()[0]?.value
  }

  /** Writes only what is new, since a row written is paid for. */
  keep(context: ObjectContext): void {
    const text = JSON.stringify(context)
    if (text !== this.#text) {
      this.#sql.exec('INSERT OR REPLACE INTO context (one, value) VALUES (1, ?)', text)
      this.#text = text
    }
  }

  /** Undefined before the first call that brought one. */
  read(): ObjectContext | undefined {
    return this.#text === undefined ? undefined : (JSON.parse(this.#text) as ObjectContext)
  }
}
