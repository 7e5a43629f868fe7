import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/**
 * What is being deleted whole, and what was: all that is left of it. In the control store. Written by storage/deletions for
 * durable/deletion, which does the work; read there.
 */
export const deletion = sqliteTable(
  'deletion',
  {
    /** All of it random: it opens the row to whoever was told it. */
    id: text().primaryKey(),
    created: text().notNull(),
    account_id: text().notNull(),
    /** Null: the whole account. */
    workspace_id: text(),
    /** The id of the person or the key that asked for it. */
    asked_by: text().notNull(),
    objects: integer().notNull(),
    rows: integer().notNull(),
    /** Why it waits. */
    message: text(),
    finished: text(),
  },
  (table) => [index('deletion_by_account').on(table.account_id)],
)

/**
 * Workspaces whose rows nobody may write any more: what comes late must not bring any back. In the control store and in the
 * workspace's own. Written by storage/erase-workspace; read by storage/replica. Never deleted: ids are not used again.
 */
export const erasedWorkspace = sqliteTable('erased_workspace', {
  workspace_id: text().primaryKey(),
  since: text().notNull(),
})
