import { and, asc, count, desc, eq, or, sql, type SQL } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { Automation, AutomationFilter, AutomationSort } from '#core/wire/automation.ts'
import { automationCondition } from '#domain/automation-filter.ts'
import { nextVersion, type Statement } from './commit.ts'
import { toSql } from './condition.ts'
import { automation } from './schema/automations.ts'
import type { Workspace } from './workspace.ts'

/** An automation with what the check of concurrent changes needs. What the hub keeps of it, too. */
export interface StoredAutomation {
  version_number: number
  automation: Automation
}

export type AutomationFields = Omit<Automation, 'id' | 'created' | 'updated'> & {
  related_resources: string[]
}

const columns = {
  id: automation.id,
  created: automation.created,
  updated: automation.updated,
  name: automation.name,
  description: automation.description,
  enabled: automation.enabled,
  tags: automation.tags,
  trigger: automation.trigger,
  actions: automation.actions,
  actions_on_trigger: automation.actions_on_trigger,
  actions_on_resolve: automation.actions_on_resolve,
}

/** The id last, so that rows of equal rank keep one order from page to page. */
const ORDERS: Record<AutomationSort, SQL[]> = {
  NAME_ASC: [asc(automation.name), asc(automation.id)],
  NAME_DESC: [desc(automation.name), desc(automation.id)],
  CREATED_DESC: [desc(automation.created), desc(automation.id)],
  UPDATED_DESC: [desc(automation.updated), desc(automation.id)],
}

export async function findAutomation(
  workspace: Workspace,
  id: string,
): Promise<StoredAutomation | undefined> {
  const [row] = await workspace.store
    .select({ automation: columns, version_number: automation.version_number })
    .from(automation)
    .where(and(eq(automation.workspace_id, workspace.id), eq(automation.id, id)))
  return row
}

export async function listAutomations(
  workspace: Workspace,
  filter: AutomationFilter | null | undefined,
  sort: AutomationSort,
  slice: { limit: number; offset: number },
): Promise<Automation[]> {
  return await workspace.store
    .select(columns)
    .from(automation)
    .where(
      and(
        eq(automation.workspace_id, workspace.id),
        toSql(automationCondition(workspace.id, filter)),
      ),
    )
    .orderBy(...ORDERS[sort])
    .limit(slice.limit)
    .offset(slice.offset)
}

export async function countAutomations(
  workspace: Workspace,
  filter: AutomationFilter | null | undefined,
): Promise<number> {
  const [row] = await workspace.store
    .select({ count: count() })
    .from(automation)
    .where(
      and(
        eq(automation.workspace_id, workspace.id),
        toSql(automationCondition(workspace.id, filter)),
      ),
    )
  return row?.count ?? 0
}

/** Those that a resource owns, and those whose actions name it. */
export async function listAutomationsRelatedTo(
  workspace: Workspace,
  resourceId: string,
): Promise<Automation[]> {
  return await workspace.store
    .select(columns)
    .from(automation)
    .where(
      and(
        eq(automation.workspace_id, workspace.id),
        or(
          eq(automation.owner_resource, resourceId),
          sql`EXISTS (SELECT 1 FROM json_each(${automation.related_resources}) WHERE value = ${resourceId})`,
        ),
      ),
    )
    .orderBy(asc(automation.id))
}

/** Those that a resource owns and that were made by then. */
export async function listAutomationsOwnedBy(
  workspace: Workspace,
  resourceId: string,
  by: Micros,
): Promise<Automation[]> {
  return await workspace.store
    .select(columns)
    .from(automation)
    .where(
      and(
        eq(automation.workspace_id, workspace.id),
        eq(automation.owner_resource, resourceId),
        sql`${automation.created} <= ${formatTimestamp(by)}`,
      ),
    )
}

export function insertAutomation(
  workspace: Workspace,
  id: string,
  fields: AutomationFields & { owner_resource: string | null },
  now: Micros,
): Statement {
  const created = formatTimestamp(now)
  return workspace.store.insert(automation).values({
    ...fields,
    workspace_id: workspace.id,
    id,
    version_number: 1,
    created,
    updated: created,
  })
}

/** @param expected the version at which the automation was read: if it has moved on, the batch fails as stale */
export function updateAutomation(
  workspace: Workspace,
  id: string,
  expected: number,
  fields: Partial<AutomationFields>,
  now: Micros,
): Statement {
  return workspace.store
    .update(automation)
    .set({
      ...fields,
      updated: formatTimestamp(now),
      version_number: nextVersion(automation.version_number, expected),
    })
    .where(and(eq(automation.workspace_id, workspace.id), eq(automation.id, id)))
}

export function removeAutomation(workspace: Workspace, id: string): Statement {
  return workspace.store
    .delete(automation)
    .where(and(eq(automation.workspace_id, workspace.id), eq(automation.id, id)))
}
