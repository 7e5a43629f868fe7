/**
 * Brings an object's tables up to date: runs the steps that have not run yet, in order, each in one transaction with the
 * note that it has run. A step is one or more statements; a step that has shipped is never edited, only followed by others.
 * It is synchronous, so a constructor that calls it (inside `blockConcurrencyWhile` or not) lets no request in between.
 */
export function migrate(
  sql: SqlStorage,
  storage: DurableObjectStorage,
  steps: readonly (string | readonly string[])[],
): void {
  // `PRAGMA user_version` is refused in an object's SQLite, so the version is a table.
  sql.exec('CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY)')
  const done = sql
    .exec<{ version: number | null }>('SELECT max(version) AS version FROM migration')
    .one().version
  for (const [index, step] of steps.entries()) {
    const version = index + 1
    if (version <= (done ?? 0)) {
      continue
    }
    storage.transactionSync(() => {
      for (const statement of typeof step === 'string' ? [step] : step) {
        sql.exec(statement)
      }
      sql.exec('INSERT INTO migration (version) VALUES (?)', version)
    })
  }
}
