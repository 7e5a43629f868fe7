import { globSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * Multiplies a row of the server's SQLite while the server is stopped: a million rows by requests would take longer than all
 * benches together. What is measured afterwards takes the real way.
 */
export function multiplyRow(
  state: string,
  source: {
    table: string
    id: string
    times: number
    set?: Record<string, string>
    /** The column of the id. */
    key?: string
  },
): void {
  const { table, id, times, set = {}, key = 'id' } = source
  const files = globSync(join(state, 'data/**/*.sqlite'))
  const found = files.find((file) => holds(file, table, key, id))
  if (found === undefined) {
    throw new Error(`no database of ${state} holds ${id} in ${table}`)
  }
  const database = new DatabaseSync(found)
  try {
    database.exec('PRAGMA synchronous = OFF')
    const columns = database
      .prepare(`SELECT name FROM pragma_table_xinfo('${table}') WHERE hidden = 0`)
      .all()
      .map(({ name }) => String(name))
    // The id's first digits are its time; its last ones lead to the run's home.
    const newId = `printf('%08x', n) || substr("${key}", 9)`
    const values = columns.map((name) => set[name] ?? (name === key ? newId : `"${name}"`))
    database.exec(`
      WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${times})
      INSERT INTO "${table}" (${columns.map((name) => `"${name}"`).join(', ')})
      SELECT ${values.join(', ')} FROM numbers CROSS JOIN (SELECT * FROM "${table}" WHERE "${key}" = '${id}')`)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    database.close()
  }
}

function holds(file: string, table: string, key: string, id: string): boolean {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return database.prepare(`SELECT 1 FROM "${table}" WHERE "${key}" = ?`).get(id) !== undefined
  } catch {
    // It has no such table.
    return false
  } finally {
    database.close()
  }
}
