import { and, asc, count, desc, eq, type SQL } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { Json } from '#core/wire/common.ts'
import type { VariableFilter, VariablesQuery } from '#core/wire/query.ts'
import type { Variable } from '#core/wire/variable.ts'
import { variableCondition } from '#domain/filter.ts'
import { toSql } from './condition.ts'
import { newId } from './new-id.ts'
import { variable } from './schema/variables.ts'
import type { Workspace } from './workspace.ts'

/** A variable whose value is the text of its JSON. */
export interface StoredVariable extends Omit<Variable, 'value'> {
  value: string
}

const columns = {
  id: variable.id,
  created: variable.created,
  updated: variable.updated,
  name: variable.name,
  value: variable.value,
  tags: variable.tags,
}

/** The id last, so that rows of equal rank keep one order from page to page. */
const ORDERS: Record<NonNullable<VariablesQuery['sort']>, SQL[]> = {
  NAME_ASC: [asc(variable.name), asc(variable.id)],
  NAME_DESC: [desc(variable.name), desc(variable.id)],
  CREATED_DESC: [desc(variable.created), desc(variable.id)],
  UPDATED_DESC: [desc(variable.updated), desc(variable.id)],
}

/** What names one variable. */
export type VariableKey = { id: string } | { name: string }

/** For templates and hydration, which take the value as it is parsed. */
export async function findVariableByName(
  workspace: Workspace,
  name: string,
): Promise<Variable | undefined> {
  const [found] = await listVariablesByNames(workspace, [name])
  return found
}

export async function listVariablesByNames(
  workspace: Workspace,
  names: readonly string[],
): Promise<Variable[]> {
  const filter = { name: { any_: [...names] } }
  const rows = await workspace.store
    .select(columns)
    .from(variable)
    .where(toSql(variableCondition(workspace.id, filter)))
  return rows.map((row) => ({ ...row, value: JSON.parse(row.value) as Json }))
}

export async function findStoredVariable(
  workspace: Workspace,
  key: VariableKey,
): Promise<StoredVariable | undefined> {
  const [row] = await workspace.store
    .select(columns)
    .from(variable)
    .where(and(eq(variable.workspace_id, workspace.id), named(key)))
  return row
}

/** Makes a variable; undefined when the workspace has one of that name. */
export async function insertVariable(
  workspace: Workspace,
  body: Pick<StoredVariable, 'name' | 'value' | 'tags'>,
  now: Micros,
): Promise<StoredVariable | undefined> {
  const created = formatTimestamp(now)
  const [row] = await workspace.store
    .insert(variable)
    .values({ ...body, id: newId(now), workspace_id: workspace.id, created, updated: created })
    .onConflictDoNothing()
    .returning(columns)
  return row
}

/** @returns the variable as it is now; undefined when the workspace has none of that key */
export async function updateVariable(
  workspace: Workspace,
  key: VariableKey,
  fields: Partial<Pick<StoredVariable, 'name' | 'value' | 'tags'>>,
  now: Micros,
): Promise<StoredVariable | undefined> {
  const [row] = await workspace.store
    .update(variable)
    .set({ ...fields, updated: formatTimestamp(now) })
    .where(and(eq(variable.workspace_id, workspace.id), named(key)))
    .returning(columns)
  return row
}

/** @returns the variable that was there */
export async function removeVariable(
  workspace: Workspace,
  key: VariableKey,
): Promise<StoredVariable | undefined> {
  const [row] = await workspace.store
    .delete(variable)
    .where(and(eq(variable.workspace_id, workspace.id), named(key)))
    .returning(columns)
  return row
}

export async function listStoredVariables(
  workspace: Workspace,
  filter: VariableFilter | null | undefined,
  sort: NonNullable<VariablesQuery['sort']>,
  slice: { limit: number; offset: number },
): Promise<StoredVariable[]> {
  return await workspace.store
    .select(columns)
    .from(variable)
    .where(toSql(variableCondition(workspace.id, filter)))
    .orderBy(...ORDERS[sort])
    .limit(slice.limit)
    .offset(slice.offset)
}

export async function countVariables(
  workspace: Workspace,
  filter: VariableFilter | null | undefined,
): Promise<number> {
  const [row] = await workspace.store
    .select({ count: count() })
    .from(variable)
    .where(toSql(variableCondition(workspace.id, filter)))
  return row?.count ?? 0
}

function named(key: VariableKey): SQL {
  return 'id' in key ? eq(variable.id, key.id) : eq(variable.name, key.name)
}
