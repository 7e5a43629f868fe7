import { and, asc, count, desc, eq, gt, sql, type SQL } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { Json } from '#core/wire/common.ts'
import type { VariableFilter, VariablesQuery } from '#core/wire/query.ts'
import type { Variable } from '#core/wire/variable.ts'
import { audited } from '#domain/audit.ts'
import { DomainError } from '#domain/errors.ts'
import { variableCondition } from '#domain/filter.ts'
import { MASKED_VALUE, valueAfter } from '#domain/variable.ts'
import { runRecorded } from './audit.ts'
import { toSql } from './condition.ts'
import { newId } from './new-id.ts'
import { variable } from './schema/variables.ts'
import { openSeal, presentSeal, resealEach } from './sealed-text.ts'
import type { Workspace } from './workspace.ts'

/** A variable whose value is the text of its JSON; of a secret one what stands for it, unless that was asked for. */
export interface StoredVariable extends Omit<Variable, 'value'> {
  value: string
}

/** As it is kept. */
interface Row extends Omit<StoredVariable, 'secret'> {
  secret: boolean | null
}

const columns = {
  id: variable.id,
  created: variable.created,
  updated: variable.updated,
  name: variable.name,
  value: variable.value,
  tags: variable.tags,
  secret: variable.secret,
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
  return rows.map((row) => shown(toStored(row)))
}

/** @param secrets whether the value of a secret one is told */
export async function findStoredVariable(
  workspace: Workspace,
  key: VariableKey,
  secrets: boolean,
): Promise<StoredVariable | undefined> {
  const row = await findRow(workspace, key)
  if (row?.secret === true && secrets) {
    const seal = await openSeal(workspace)
    return { ...row, secret: true, value: await seal.unseal(row.id, row.value) }
  }
  return row && toStored(row)
}

async function findRow(workspace: Workspace, key: VariableKey): Promise<Row | undefined> {
  const [row] = await workspace.store
    .select(columns)
    .from(variable)
    .where(and(eq(variable.workspace_id, workspace.id), named(key)))
  return row
}

function toStored({ secret, value, ...fields }: Row): StoredVariable {
  return secret === true ? { ...fields, secret, value: MASKED_VALUE } : { ...fields, value }
}

/** Makes a variable; undefined when the workspace has one of that name. */
export async function insertVariable(
  workspace: Workspace,
  { secret = false, ...body }: Pick<StoredVariable, 'name' | 'value' | 'tags' | 'secret'>,
  now: Micros,
): Promise<StoredVariable | undefined> {
  const created = formatTimestamp(now)
  const made = { ...body, id: newId(now), created, updated: created, secret: secret || null }
  const value = secret ? await (await openSeal(workspace)).seal(made.id, body.value) : body.value
  const [row] = await runRecorded(
    workspace,
    workspace.store
      .insert(variable)
      .values({ ...made, value, workspace_id: workspace.id })
      .onConflictDoNothing()
      .returning(columns),
    audited('variable', null, shown(toStored(made))),
  )
  return row && toStored(row)
}

/** Somebody else may change the same variable, but not so often. */
const ATTEMPTS = 5

/**
 * @returns the variable as it is now; undefined when the workspace has none of that key
 * @throws DomainError `invalid` where a secret value would be laid open
 */
export async function updateVariable(
  workspace: Workspace,
  key: VariableKey,
  { value, secret, ...fields }: Partial<Pick<StoredVariable, 'name' | 'value' | 'tags' | 'secret'>>,
  now: Micros,
): Promise<StoredVariable | undefined> {
  const asked = {
    ...(value === undefined ? {} : { value }),
    ...(secret === undefined ? {} : { secret }),
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const before = await findRow(workspace, key)
    if (before === undefined) {
      return undefined
    }
    const written = await valueToWrite(workspace, before, asked)
    const after = { ...before, ...fields, ...written }
    const [row] = await runRecorded(
      workspace,
      workspace.store
        .update(variable)
        .set({ ...fields, ...written, updated: formatTimestamp(now) })
        .where(
          and(
            eq(variable.workspace_id, workspace.id),
            eq(variable.id, before.id),
            // What was judged is still so: a value that was sealed meanwhile would be laid open, or lost.
            sql`${variable.secret} IS ${before.secret === true ? 1 : null}`,
            written.secret === true ? eq(variable.value, before.value) : undefined,
          ),
        )
        .returning(columns),
      audited('variable', shown(toStored(before)), shown(toStored(after))),
    )
    if (row !== undefined) {
      return toStored(row)
    }
  }
  throw new DomainError('conflict', 'This variable is being changed by others; try again.')
}

async function valueToWrite(
  workspace: Workspace,
  before: Row,
  asked: { value?: string; secret?: boolean },
): Promise<Partial<Pick<Row, 'value' | 'secret'>>> {
  const after = valueAfter(before, asked)
  if (after === 'as it was') {
    return {}
  }
  const { value, secret } = after === 'sealed' ? { value: before.value, secret: true } : after
  return secret
    ? { secret, value: await (await openSeal(workspace)).seal(before.id, value) }
    : { secret: null, value }
}

/** @returns the variable that was there */
export async function removeVariable(
  workspace: Workspace,
  key: VariableKey,
): Promise<StoredVariable | undefined> {
  const before = workspace.trail && (await findStoredVariable(workspace, key, false))
  const [row] = await runRecorded(
    workspace,
    workspace.store
      .delete(variable)
      .where(and(eq(variable.workspace_id, workspace.id), named(key)))
      .returning(columns),
    audited('variable', before && shown(before), null),
  )
  return row && toStored(row)
}

function shown({ value, ...fields }: StoredVariable): Variable {
  return { ...fields, value: JSON.parse(value) as Json }
}

export async function listStoredVariables(
  workspace: Workspace,
  filter: VariableFilter | null | undefined,
  sort: NonNullable<VariablesQuery['sort']>,
  slice: { limit: number; offset: number },
): Promise<StoredVariable[]> {
  const rows = await workspace.store
    .select(columns)
    .from(variable)
    .where(toSql(variableCondition(workspace.id, filter)))
    .orderBy(...ORDERS[sort])
    .limit(slice.limit)
    .offset(slice.offset)
  return rows.map(toStored)
}

/**
 * Seals secret variables anew that are sealed by another key than the workspace's present one, in the order of their ids.
 * @returns how many, how many can't be opened, and the last of them; null when there were fewer than the limit
 */
export async function resealVariables(
  workspace: Workspace,
  after: string,
  limit: number,
): Promise<{ sealed: number; locked: number; last: string | null }> {
  const present = await presentSeal(workspace)
  const rows = await workspace.store
    .select({ id: variable.id, text: variable.value })
    .from(variable)
    .where(
      and(
        eq(variable.workspace_id, workspace.id),
        gt(variable.id, after),
        eq(variable.secret, true),
        sql`substr(${variable.value}, 1, ${present.length}) <> ${present}`,
      ),
    )
    .orderBy(asc(variable.id))
    .limit(limit)
  const locked = await resealEach(
    workspace,
    rows,
    async ({ id, text }, value) =>
      await workspace.store
        .update(variable)
        .set({ value })
        .where(
          and(
            eq(variable.workspace_id, workspace.id),
            eq(variable.id, id),
            eq(variable.value, text),
          ),
        ),
  )
  const last = rows.length < limit ? null : (rows.at(-1)?.id ?? null)
  return { sealed: rows.length - locked, locked, last }
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
