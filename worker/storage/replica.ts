import { getTableConfig, type SQLiteTable } from 'drizzle-orm/sqlite-core'

/**
 * Writes copies of rows that an object owns into the store: one statement with one JSON parameter. A row is taken only when
 * its `seq` is newer, so that a flush may be repeated and may come late; a row not taken costs nothing.
 * @param json an array of rows as `replicaRow` makes them
 */
export async function upsertReplicas(
  database: D1Database,
  table: SQLiteTable,
  json: string,
): Promise<void> {
  await database.prepare(statement(table)).bind(json).run()
}

const statements = new Map<SQLiteTable, string>()

function statement(table: SQLiteTable): string {
  const known = statements.get(table)
  if (known !== undefined) {
    return known
  }
  const { name, columns, primaryKeys } = getTableConfig(table)
  const names = columns.map((column) => column.name)
  const key = primaryKeys.flatMap((primaryKey) => primaryKey.columns.map((column) => column.name))
  const text = `INSERT INTO ${name} (${names.join(', ')})
    SELECT ${names.map((column) => `value ->> '${column}'`).join(', ')} FROM json_each(?1) WHERE true
    ON CONFLICT (${key.join(', ')}) DO UPDATE SET
    ${names
      .filter((column) => !key.includes(column))
      .map((column) => `${column} = excluded.${column}`)
      .join(', ')}
    WHERE excluded.seq > ${name}.seq`
  statements.set(table, text)
  return text
}

/** A row with its columns as SQLite holds them: JSON as text, booleans as numbers. */
export function replicaRow(
  table: SQLiteTable,
  row: Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(
    getTableConfig(table).columns.map((column) => {
      const value = row[column.name] ?? null
      return [column.name, value === null ? null : column.mapToDriverValue(value)]
    }),
  )
}
