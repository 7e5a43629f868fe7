import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

// What is used, in the control store: told by homes, streams and log shards now and then (storage/usage), so that no run costs a
// row of these.

const counts = {
  flow_runs: integer().notNull(),
  task_runs: integer().notNull(),
  events: integer().notNull(),
  log_bytes: integer().notNull(),
}

/** What each object of a workspace has told in all, so that telling it twice adds it once. Written and read by storage/usage. */
export const usageSource = sqliteTable(
  'usage_source',
  {
    workspace_id: text().notNull(),
    /** The object's name within the workspace: `home:…`, `events:0`, `logs:0`. */
    source: text().notNull(),
    ...counts,
  },
  (table) => [primaryKey({ columns: [table.workspace_id, table.source] })],
)

/** By workspace and day. Written and read by storage/usage. */
export const usageDay = sqliteTable(
  'usage_day',
  { workspace_id: text().notNull(), day: text().notNull(), ...counts },
  (table) => [primaryKey({ columns: [table.workspace_id, table.day] })],
)

/** By account and month: what quotas are compared with. A deleted workspace stays counted. Written and read by storage/usage. */
export const usageMonth = sqliteTable(
  'usage_month',
  { account_id: text().notNull(), month: text().notNull(), ...counts },
  (table) => [primaryKey({ columns: [table.account_id, table.month] })],
)
