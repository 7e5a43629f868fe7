import { sql } from 'drizzle-orm'
import { index, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** Written and read by storage/artifacts; they outlive their runs, as in Prefect. */
export const artifact = sqliteTable(
  'artifact',
  {
    workspace_id: text().notNull(),
    id: text().notNull(),
    created: text().notNull(),
    updated: text().notNull(),
    key: text(),
    type: text(),
    description: text(),
    /** The JSON as it was sent. */
    data: text(),
    metadata_: text({ mode: 'json' }).$type<Record<string, string>>(),
    flow_run_id: text(),
    task_run_id: text(),
  },
  (table) => [
    primaryKey({ columns: [table.workspace_id, table.id] }),
    index('artifact_by_key')
      .on(table.workspace_id, table.key)
      .where(sql`key IS NOT NULL`),
    index('artifact_by_flow_run')
      .on(table.workspace_id, table.flow_run_id)
      .where(sql`flow_run_id IS NOT NULL`),
    index('artifact_by_task_run')
      .on(table.workspace_id, table.task_run_id)
      .where(sql`task_run_id IS NOT NULL`),
  ],
)

/** Which artifact is the newest of a key; what it holds is read there. Written and read by storage/artifacts. */
export const artifactCollection = sqliteTable(
  'artifact_collection',
  {
    workspace_id: text().notNull(),
    key: text().notNull(),
    id: text().notNull(),
    created: text().notNull(),
    updated: text().notNull(),
    latest_id: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspace_id, table.key] })],
)
