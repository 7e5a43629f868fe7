import { DatabaseSync } from 'node:sqlite'

/** The database of a running Prefect server, which is emptied between scenarios. */
export class PrefectDatabase {
  readonly #database: DatabaseSync
  readonly #kept = new Map<string, number>()

  /** What is there now, which the server made for itself as it started, stays. */
  constructor(file: string) {
    this.#database = new DatabaseSync(file, { timeout: 10_000 })
    this.#database.exec('PRAGMA foreign_keys = OFF')
    for (const table of this.#tables()) {
      const row = this.#database.prepare(`SELECT max(rowid) AS top FROM "${table}"`).get()
      this.#kept.set(table, Number(row?.['top'] ?? 0))
    }
  }

  clear(): void {
    this.#database.exec('BEGIN IMMEDIATE')
    for (const [table, top] of this.#kept) {
      this.#database.exec(`DELETE FROM "${table}" WHERE rowid > ${top}`)
    }
    this.#database.exec('COMMIT')
  }

  close(): void {
    this.#database.close()
  }

  #tables(): string[] {
    return this.#database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all()
      .map(({ name }) => String(name))
      .filter((name) => name !== 'alembic_version')
  }
}
