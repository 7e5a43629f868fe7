import { integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

// The control store: who may do what, and where each workspace's data lies. Read at every request (through a short cache).

/** Written by operations/create-workspace; read by nothing hot. */
export const account = sqliteTable('account', {
  id: text().primaryKey(),
  created: text().notNull(),
  updated: text().notNull(),
  name: text().notNull(),
})

/** Written by operations/create-workspace; read by http/auth at each request. */
export const workspace = sqliteTable(
  'workspace',
  {
    id: text().primaryKey(),
    created: text().notNull(),
    updated: text().notNull(),
    account_id: text()
      .notNull()
      .references(() => account.id),
    name: text().notNull(),
    /** The name of the D1 binding that holds this workspace's rows. */
    store: text().notNull(),
    /** Where its objects are made: a location hint or null. Fixed at creation, since objects never move. */
    region: text(),
    /** How many event streams and log shards its flow runs are spread over. May grow, never shrink. */
    event_streams: integer().notNull(),
    log_shards: integer().notNull(),
  },
  (table) => [uniqueIndex('workspace_by_name').on(table.account_id, table.name)],
)

/** Written by storage/access; read by http/auth. Only the hash of a key is stored. */
export const apiKey = sqliteTable('api_key', {
  /** SHA-256 of the key, hexadecimal. */
  hash: text().primaryKey(),
  id: text().notNull(),
  created: text().notNull(),
  workspace_id: text()
    .notNull()
    .references(() => workspace.id),
  name: text().notNull(),
  /** The prefix and the last four characters, to recognise a key by. */
  hint: text().notNull(),
  expires: text(),
  revoked: text(),
})

/**
 * The homes of a workspace's flow runs. Written when a work pool or a workspace is made, never deleted and never reused;
 * read to decide whether an id names a home at all.
 */
export const home = sqliteTable(
  'home',
  {
    workspace_id: text().notNull(),
    key: text().notNull(),
    created: text().notNull(),
    /** Null for the homes of runs without a pool. */
    work_pool_id: text(),
  },
  (table) => [primaryKey({ columns: [table.workspace_id, table.key] })],
)
