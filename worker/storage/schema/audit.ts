import { primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { AuditActorKind, AuditOutcome } from '#core/wire/audit.ts'
import type { Json } from '#core/wire/common.ts'

const fields = () => text({ mode: 'json' }).$type<Record<string, Json>>()

/**
 * Who did what. Written by storage/audit in the transaction of each change, and by `durable/audit-outbox` for what objects own;
 * read and deleted by storage/audit. In the order of time within its scope, so that neither reading nor deleting needs an index.
 */
export const auditEntry = sqliteTable(
  'audit_entry',
  {
    /** The workspace; the account of what is about no workspace. */
    scope_id: text().notNull(),
    id: text().notNull(),
    occurred: text().notNull(),
    account_id: text().notNull(),
    workspace_id: text(),
    actor_kind: text().$type<AuditActorKind>().notNull(),
    actor_id: text(),
    actor_name: text(),
    key_id: text(),
    key_hint: text(),
    address: text(),
    user_agent: text(),
    operation: text().notNull(),
    outcome: text().$type<AuditOutcome>().notNull(),
    object_kind: text().notNull(),
    object_id: text(),
    object_name: text(),
    before: fields(),
    after: fields(),
    request_id: text(),
  },
  (table) => [primaryKey({ columns: [table.scope_id, table.id] })],
)
