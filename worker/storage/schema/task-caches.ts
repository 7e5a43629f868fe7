import { primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { State } from '#core/wire/state.ts'

/** The newest COMPLETED state under a cache key that a client proposed to the server. Written and read by storage/task-caches. */
export const taskCache = sqliteTable(
  'task_cache',
  {
    workspace_id: text().notNull(),
    cache_key: text().notNull(),
    cache_expiration: text(),
    state: text({ mode: 'json' }).$type<State>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspace_id, table.cache_key] })],
)
