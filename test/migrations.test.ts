import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { generateSQLiteDrizzleJson, generateSQLiteMigration } from 'drizzle-kit/api'
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { expect, test } from 'vitest'

const folder = join(import.meta.dirname, '../migrations')
const schemas = join(import.meta.dirname, '../worker/storage/schema')
const modules: Record<string, unknown>[] = await Promise.all(
  (await readdir(schemas)).map(async (name) => await import(join(schemas, name))),
)
const schema: Record<string, unknown> = Object.assign({}, ...modules)
const tables = Object.values(schema).filter((table) => table instanceof SQLiteTable)

async function migrated(): Promise<DatabaseSync> {
  const database = new DatabaseSync(':memory:')
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted()
  for (const sql of await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))) {
    database.exec(sql)
  }
  return database
}

test('drizzle-kit has nothing to add to the migrations', async () => {
  const snapshots = (await readdir(join(folder, 'meta')))
    .filter((name) => name.endsWith('_snapshot.json'))
    .toSorted()
  const last = JSON.parse(await readFile(join(folder, 'meta', snapshots.at(-1) ?? ''), 'utf8'))
  expect(
    await generateSQLiteMigration(last, await generateSQLiteDrizzleJson(schema, last.id)),
  ).toEqual([])
})

test.for(tables.map((table) => ({ name: getTableConfig(table).name, table })))(
  'the migrations make $name as the schema has it',
  async ({ name, table }) => {
    const database = await migrated()
    const { columns, primaryKeys, indexes } = getTableConfig(table)
    const keys = new Set(primaryKeys.flatMap((key) => key.columns.map((column) => column.name)))
    expect(
      database
        .prepare(
          `SELECT name, upper(type) AS type, "notnull", pk > 0 AS key FROM pragma_table_info(?)
           ORDER BY name`,
        )
        .all(name),
    ).toEqual(
      // A column that was added later stands at the table's end, and in the schema where it belongs.
      columns
        .map((column) => ({
          name: column.name,
          type: column.getSQLType().toUpperCase(),
          notnull: column.notNull ? 1 : 0,
          key: column.primary || keys.has(column.name) ? 1 : 0,
        }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    )
    const made = database
      .prepare("SELECT name FROM pragma_index_list(?) WHERE origin = 'c'")
      .all(name)
    const unique = columns.filter(({ isUnique }) => isUnique).map(({ uniqueName }) => uniqueName)
    expect(new Set(made.map((index) => index['name']))).toEqual(
      new Set([...indexes.map((index) => index.config.name), ...unique]),
    )
  },
)

test.for(['flow_run', 'task_run', 'idempotency_key', 'home', 'api_key'])(
  '%s has no row id, which would be one more row to write',
  async (name) => {
    const database = await migrated()
    const row = database.prepare('SELECT sql FROM sqlite_master WHERE name = ?').get(name)
    expect(row?.['sql']).toMatch(/WITHOUT ROWID$/)
  },
)
