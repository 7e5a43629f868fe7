import type { RetentionRest } from '../operations/retention.ts'

/** When to look next for what has been kept long enough, and what the look under way has left: at most one row. */
export const RETENTION_TABLE =
  'CREATE TABLE retention (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL, "left" TEXT)'

export class RetentionStore {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Undefined: nobody looks. Times in milliseconds. */
  read(): { at: number; left: RetentionRest | null } | undefined {
    const [row] = this.#sql
      .exec<{ at: number; left: string | null }>('SELECT at, "left" FROM retention')
      .toArray()
    return row === undefined
      ? undefined
      : { at: row.at, left: row.left === null ? null : (JSON.parse(row.left) as RetentionRest) }
  }

  write(at: number, left: RetentionRest | null): void {
    this.#sql.exec(
      `INSERT INTO retention (one, at, "left") VALUES (1, ?, ?)
       ON CONFLICT (one) DO UPDATE SET at = excluded.at, "left" = excluded."left"`,
      at,
      left === null ? null : JSON.stringify(left),
    )
  }

  clear(): void {
    this.#sql.exec('DELETE FROM retention')
  }
}
