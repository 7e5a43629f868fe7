import { primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { SavedSearchFilter } from '#core/wire/saved-search.ts'

/** Written and read by storage/saved-searches. */
export const savedSearch = sqliteTable(
  'saved_search',
  {
    workspace_id: text().notNull(),
    id: text().notNull(),
    created: text().notNull(),
    updated: text().notNull(),
    name: text().notNull(),
    filters: text({ mode: 'json' }).$type<SavedSearchFilter[]>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspace_id, table.id] }),
    uniqueIndex('saved_search_by_name').on(table.workspace_id, table.name),
  ],
)
