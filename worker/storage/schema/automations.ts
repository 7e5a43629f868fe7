import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Action } from '#core/wire/automation-action.ts'
import type { Trigger } from '#core/wire/automation-trigger.ts'

const json = <T>() => text({ mode: 'json' }).$type<T>()

/**
 * Written by storage/automations; read there, and copied to the workspace's hub by operations/configure-hub, which takes
 * only a higher `version_number`. A workspace has few, so lists read them all and no index is paid for.
 */
export const automation = sqliteTable(
  'automation',
  {
    workspace_id: text().notNull(),
    id: text().notNull(),
    version_number: integer().notNull(),
    created: text().notNull(),
    updated: text().notNull(),
    name: text().notNull(),
    description: text().notNull(),
    enabled: integer({ mode: 'boolean' }).notNull(),
    tags: json<string[]>().notNull(),
    trigger: json<Trigger>().notNull(),
    actions: json<Action[]>().notNull(),
    actions_on_trigger: json<Action[]>().notNull(),
    actions_on_resolve: json<Action[]>().notNull(),
    /** The resource that it goes with, `prefect.deployment.<id>`. */
    owner_resource: text(),
    /** The deployments that its actions name, as resource ids. */
    related_resources: json<string[]>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspace_id, table.id] })],
)
