import type { ObjectContext } from '../operations/object-context.ts'

/** The table of an object's own context: one row. Written by `ContextStore`, read there. */
export const CONTEXT_TABLE =
  'CREATE TABLE context (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL)'

/** Keeps what a caller said of the object's workspace, for alarms, which have no caller. */
export class ContextStore<C extends ObjectContext = ObjectContext> {
  readonly #sql: SqlStorage
  #text: string | undefined
  #value: C | undefined

  constructor(sql: SqlStorage) {
    this.#sql = sql
    this.#text = sql.exec<{ value: string }>('SELECT value FROM context').toArray()[0]?.value
    this.#value = this.#text === undefined ? undefined : (JSON.parse(this.#text) as C)
  }

  /** Writes only what is new, since a row written is paid for. */
  keep(context: C): void {
    const text = JSON.stringify(context)
    if (text !== this.#text) {
      this.#sql.exec('INSERT OR REPLACE INTO context (one, value) VALUES (1, ?)', text)
      this.#text = text
      this.#value = context
    }
  }

  /** Undefined before the first call that brought one. */
  read(): C | undefined {
    return this.#value
  }
}
