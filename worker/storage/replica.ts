import { getTableConfig, type SQLiteTable } from 'drizzle-orm/sqlite-core'

/**
 * Writes copies of rows that an object owns into the store: one statement with one JSON parameter. A row is taken only when
 * its `seq` is newer, so that a flush may be repeated and may come late; a row not taken costs nothing.
 *
 * Each index whose columns a statement sets is one more row written, changed or not. So the first statement leaves those
 * columns alone and takes the rows in which they are as they were; only where some are left, another one takes the rest.
 * @param json an array of `count` rows as `replicaRow` makes them
 */
export async function upsertReplicas(
  database: D1Database,
  table: SQLiteTable,
  json: string,
  count: number,
): Promise<void> {
  const { common, rest } = statementsOf(table)
  const { meta } = await database.prepare(common).bind(json).run()
  if (meta.changes < count) {
    const second = await database.prepare(rest).bind(json).run()
    if (meta.changes + second.meta.changes < count && (await areErased(database, json))) {
      throw new WorkspaceErased()
    }
  }
}

/** The workspace of the rows was deleted. */
export class WorkspaceErased extends Error {
  override readonly name = 'WorkspaceErased'
}

/** A row of a workspace that was deleted stays away, however late it comes. */
const OF_NO_ERASED = `NOT EXISTS
  (SELECT 1 FROM erased_workspace AS erased WHERE erased.workspace_id = value ->> 'workspace_id')`

/** All rows are of one workspace. */
async function areErased(database: D1Database, json: string): Promise<boolean> {
  const row = await database
    .prepare(
      `SELECT 1 AS one FROM erased_workspace WHERE workspace_id = json_extract(?, '$[0].workspace_id')`,
    )
    .bind(json)
    .first()
  return row !== null
}

interface Upserts {
  common: string
  rest: string
}
const statements = new Map<SQLiteTable, Upserts>()

function statementsOf(table: SQLiteTable): Upserts {
  const known = statements.get(table)
  if (known !== undefined) {
    return known
  }
  const { name, columns, primaryKeys, indexes } = getTableConfig(table)
  const names = columns.map((column) => column.name)
  const key = primaryKeys.flatMap((primaryKey) => primaryKey.columns.map((column) => column.name))
  const others = names.filter((column) => !key.includes(column))
  const indexed = new Set(
    indexes.flatMap(({ config }) =>
      config.columns.flatMap((column) => ('name' in column ? [column.name] : [])),
    ),
  )
  const upsert = (set: string[], same: string[]) => `INSERT INTO ${name} (${names.join(', ')})
    SELECT ${names.map((column) => `value ->> '${column}'`).join(', ')} FROM json_each(?1) WHERE ${OF_NO_ERASED}
    ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${set.map((column) => `${column} = excluded.${column}`).join(', ')}
    WHERE ${[`excluded.seq > ${name}.seq`, ...same.map((column) => `excluded.${column} IS ${name}.${column}`)].join(' AND ')}`
  const texts = {
    common: upsert(
      others.filter((column) => !indexed.has(column)),
      others.filter((column) => indexed.has(column)),
    ),
    rest: upsert(others, []),
  }
  statements.set(table, texts)
  return texts
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
