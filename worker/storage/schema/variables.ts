import { integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** Written and read by storage/variables. */
export const variable = sqliteTable(
  'variable',
  {
    workspace_id: text().notNull(),
    id: text().notNull(),
    created: text().notNull(),
    updated: text().notNull(),
    name: text().notNull(),
    /** The JSON as it was sent: a parsed value has lost how its numbers were written. Sealed where it is secret. */
    value: text().notNull(),
    /** True, or null. */
    secret: integer({ mode: 'boolean' }),
    tags: text({ mode: 'json' }).$type<string[]>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspace_id, table.id] }),
    uniqueIndex('variable_by_name').on(table.workspace_id, table.name),
  ],
)
