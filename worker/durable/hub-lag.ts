import type { Micros } from '#core/time.ts'

/** Objects whose rows wait for the store, since when, and when they last said so. Empty while the store is well. */
export const LAG_TABLE =
  'CREATE TABLE lag (source TEXT PRIMARY KEY, since INTEGER NOT NULL, told INTEGER NOT NULL) WITHOUT ROWID'

/** Objects say it again with every try to flush, so that one that is gone is not believed for ever. */
const BELIEVED_MICROS = 120_000_000

/** Notes that rows of that object wait since then; null: none does. */
export function noteLag(sql: SqlStorage, source: string, since: Micros | null, now: Micros): void {
  if (since === null) {
    sql.exec('DELETE FROM lag WHERE source = ?', source)
  } else {
    sql.exec(
      'INSERT OR REPLACE INTO lag (source, since, told) VALUES (?, ?, ?)',
      source,
      since,
      now,
    )
  }
}

/** Since when the oldest row that is not in the store waits; null when none is known to. */
export function oldestLag(sql: SqlStorage, now: Micros): Micros | null {
  return sql
    .exec<{ since: number | null }>(
      'SELECT min(since) AS since FROM lag WHERE told > ?',
      now - BELIEVED_MICROS,
    )
    .one().since
}
