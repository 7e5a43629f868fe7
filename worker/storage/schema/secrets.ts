import { primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/**
 * The keys that a workspace's secrets are sealed with, each wrapped by a key that is made of HEADGATE_SECRET. The latest that is
 * not retired seals; the others still open. Written and read by storage/workspace-keys.
 */
export const workspaceKey = sqliteTable(
  'workspace_key',
  {
    workspace_id: text().notNull(),
    id: text().notNull(),
    created: text().notNull(),
    /** The key, encrypted. */
    wrapped: text().notNull(),
    /** The fingerprint of the key that wraps it. */
    wrapped_by: text().notNull(),
    /** Since when it seals nothing. */
    retired: text(),
  },
  (table) => [primaryKey({ columns: [table.workspace_id, table.id] })],
)
