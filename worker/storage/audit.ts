import { and, desc, getTableColumns, lt, sql, type SQL } from 'drizzle-orm'
import { drizzle, type DrizzleD1Database } from 'drizzle-orm/d1'
import { parseTimestamp, type Micros } from '#core/time.ts'
import type { AuditEntry, AuditFilter } from '#core/wire/audit.ts'
import { toAuditEntry, type AuditedChange, type AuditTrail } from '#domain/audit.ts'
import { auditCondition } from '#domain/audit-filter.ts'
import { firstIdOf } from '#domain/retention.ts'
import type { PlainStatement } from './access.ts'
import type { Statement } from './commit.ts'
import { toSql } from './condition.ts'
import { newId } from './new-id.ts'
import { auditEntry } from './schema/audit.ts'
import type { Workspace } from './workspace.ts'

const { scope_id: _scope, ...columns } = getTableColumns(auditEntry)
const COLUMNS = Object.keys(getTableColumns(auditEntry)) as (keyof typeof auditEntry.$inferSelect)[]

/**
 * The record of a change, to stand right behind the statement that makes it in the same batch: neither is there without the other.
 * Where that statement changes no row there is no record. Empty without a trail: nobody has asked for the change.
 */
export function records(workspace: Workspace, change: AuditedChange): Statement[] {
  const { trail, store } = workspace
  if (trail === undefined) {
    return []
  }
  const entry = toAuditEntry(newId(trail.now), trail, change)
  const values = valuesOf(entry).map((value) => sql`${value}`)
  return [
    store.insert(auditEntry).select(sql`SELECT ${sql.join(values, sql`, `)} WHERE changes() > 0`),
  ]
}

/** Runs a statement that stands alone, with its record. @returns its rows */
export async function runRecorded<S extends Statement>(
  workspace: Workspace,
  statement: S,
  change: AuditedChange,
): Promise<S['_']['result']> {
  const [result] = await workspace.store.batch([statement, ...records(workspace, change)])
  return result
}

/** The same for statements that are texts. */
export function recordStatements(
  trail: AuditTrail | undefined,
  change: AuditedChange,
): PlainStatement[] {
  return trail === undefined
    ? []
    : [
        {
          sql: `INSERT INTO audit_entry (${COLUMNS.map((name) => `"${name}"`).join(', ')})
            SELECT ${COLUMNS.map(() => '?').join(', ')} WHERE changes() > 0`,
          values: valuesOf(toAuditEntry(newId(trail.now), trail, change)),
        },
      ]
}

/** The same for statements that D1 has prepared. */
export function recordsOf(
  db: D1Database,
  trail: AuditTrail | undefined,
  change: AuditedChange,
): D1PreparedStatement[] {
  return recordStatements(trail, change).map(({ sql: text, values }) =>
    db.prepare(text).bind(...values),
  )
}

/** Stores entries that an object has written down; one that is there already stays as it is. */
export async function insertAuditEntries(
  db: D1Database,
  entries: readonly AuditEntry[],
): Promise<void> {
  const names = COLUMNS.map((name) => `"${name}"`)
  const fields = COLUMNS.map((name) => `value ->> '$.${name}'`)
  await db
    .prepare(
      `INSERT INTO audit_entry (${names.join(', ')}) SELECT ${fields.join(', ')} FROM json_each(?) WHERE true
       ON CONFLICT DO NOTHING`,
    )
    .bind(JSON.stringify(entries.map(rowOf)))
    .run()
}

/** Where a page ended. */
export interface AuditPosition {
  key: string
  id: string
}

/** The newest first. */
export async function listAuditEntries(
  workspace: Workspace,
  filter: AuditFilter | null | undefined,
  page: { limit: number; after: AuditPosition | undefined },
): Promise<AuditEntry[]> {
  return await list(workspace.store, workspace.id, filter, page)
}

/** What is about the account and about no workspace of it. Takes the database, since no workspace has it. */
export async function listAccountAuditEntries(
  db: D1Database,
  accountId: string,
  filter: AuditFilter | null | undefined,
  page: { limit: number; after: AuditPosition | undefined },
): Promise<AuditEntry[]> {
  return await list(drizzle(db), accountId, filter, page)
}

async function list(
  store: DrizzleD1Database,
  scopeId: string,
  filter: AuditFilter | null | undefined,
  { limit, after }: { limit: number; after: AuditPosition | undefined },
): Promise<AuditEntry[]> {
  return await store
    .select(columns)
    .from(auditEntry)
    .where(
      and(
        toSql(auditCondition(scopeId, filter)),
        // Ids are of the time of the entry: the table's own order bounds what is read.
        ...idsWithin(filter),
        after === undefined ? undefined : lt(auditEntry.id, after.id),
      ),
    )
    .orderBy(desc(auditEntry.id))
    .limit(limit)
}

function idsWithin(filter: AuditFilter | null | undefined): SQL[] {
  const since =
    filter?.operator === 'or_' ? undefined : parseTimestamp(filter?.occurred?.after_ ?? '')
  return since === undefined ? [] : [sql`${auditEntry.id} >= ${firstIdOf(since)}`]
}

/**
 * Deletes entries that were written before a time, the oldest first.
 * @param scopeId a workspace, or an account for what is about no workspace
 * @returns how many; fewer than the limit: no more are left
 */
export async function deleteOldAuditEntries(
  db: D1Database,
  scopeId: string,
  before: Micros,
  limit: number,
): Promise<number> {
  const { meta } = await db
    .prepare(
      `DELETE FROM audit_entry WHERE scope_id = ?1 AND id IN
        (SELECT id FROM audit_entry WHERE scope_id = ?1 AND id < ?2 ORDER BY id LIMIT ?3)`,
    )
    .bind(scopeId, firstIdOf(before), limit)
    .run()
  return meta.changes
}

/** An entry of now, for what is in no batch. */
export function newAuditEntry(
  trail: AuditTrail,
  change: AuditedChange,
  outcome: AuditEntry['outcome'] = 'done',
): AuditEntry {
  return toAuditEntry(newId(trail.now), trail, change, outcome)
}

function rowOf(entry: AuditEntry): typeof auditEntry.$inferSelect {
  return { scope_id: entry.workspace_id ?? entry.account_id, ...entry }
}

function valuesOf(entry: AuditEntry): (string | null)[] {
  const row = rowOf(entry)
  return COLUMNS.map((name) => {
    const value = row[name]
    return typeof value === 'object' && value !== null ? JSON.stringify(value) : value
  })
}
