import { getTableConfig, type SQLiteTable } from 'drizzle-orm/sqlite-core'
import { audited, type AuditedChange } from '#domain/audit.ts'
import { account, accountMember, apiKey, enrolment, home, invitation } from './schema/access.ts'
import { serviceAccount, workspace, workspaceMember } from './schema/access.ts'
import { artifact, artifactCollection } from './schema/artifacts.ts'
import { auditEntry } from './schema/audit.ts'
import { automation } from './schema/automations.ts'
import { blockDocument, blockSchema, blockType, configuration } from './schema/blocks.ts'
import { deployment, flow, workPool } from './schema/config.ts'
import { erasedWorkspace } from './schema/deletions.ts'
import { setupLink } from './schema/people.ts'
import { flowRun, idempotencyKey, taskRun } from './schema/runs.ts'
import { savedSearch } from './schema/saved-searches.ts'
import { workspaceKey } from './schema/secrets.ts'
import { taskCache } from './schema/task-caches.ts'
import { usageDay, usageMonth, usageSource } from './schema/usage.ts'
import { variable } from './schema/variables.ts'
import type { PlainStatement } from './access.ts'
import { recordStatements } from './audit.ts'
import { insertDeletionStatement, type NewDeletion } from './deletions.ts'
import type { Bindings, Workspace } from './workspace.ts'

// Deletes all rows of a workspace or an account. A table that has a `workspace_id` or an `account_id` stands in one of these
// lists, or goes with the rows that it belongs to.

/** Those of a workspace, in the order in which they are deleted: the homes, by which its objects are found, last. */
export const WORKSPACE_TABLES: readonly SQLiteTable[] = [
  workspaceKey,
  blockDocument,
  variable,
  taskRun,
  flowRun,
  idempotencyKey,
  taskCache,
  artifact,
  artifactCollection,
  automation,
  savedSearch,
  configuration,
  blockSchema,
  blockType,
  deployment,
  flow,
  workPool,
  workspaceMember,
  invitation,
  enrolment,
  apiKey,
  usageSource,
  usageDay,
  auditEntry,
  home,
]

/** Those of an account, once its workspaces are gone. */
export const ACCOUNT_TABLES: readonly SQLiteTable[] = [
  accountMember,
  serviceAccount,
  invitation,
  setupLink,
  usageMonth,
  auditEntry,
]

/** An owner's column, the nearer one first: audit entries of a workspace name its account as well. */
const OWNERS = {
  workspace: ['scope_id', 'workspace_id'],
  account: ['scope_id', 'account_id'],
} as const
export type OwnerKind = keyof typeof OWNERS

/**
 * Ends all access to workspaces, and keeps their rows from being written again, in one transaction: keys, roles and invitations
 * go, and the workspaces themselves; with the account, that as well. Repeatable.
 * @returns false, and nothing is done, where the account has more workspaces than these
 */
export async function endAccess(
  bindings: Bindings,
  deletion: NewDeletion,
  workspaces: readonly Workspace[],
): Promise<boolean> {
  const ids = JSON.stringify(workspaces.map(({ id }) => id))
  const entomb: PlainStatement = {
    sql: `INSERT OR IGNORE INTO ${nameOf(erasedWorkspace)} (workspace_id, since) SELECT value, ? FROM json_each(?)`,
    values: [deletion.created, ids],
  }
  const { DB } = bindings
  for (const store of new Set(workspaces.map(({ database }) => database))) {
    if (store !== DB) {
      await store
        .prepare(entomb.sql)
        .bind(...entomb.values)
        .run()
    }
  }
  const statements = [
    insertDeletionStatement(deletion),
    entomb,
    ...leaveStatements(ids, deletion.account_id),
    ...referring(workspace).map((table) => ({
      sql: `DELETE FROM ${nameOf(table)} WHERE workspace_id IN ${THESE}`,
      values: [ids],
    })),
    { sql: `DELETE FROM workspace WHERE id IN ${THESE}`, values: [ids] },
    ...recordStatements(deletion.trail, deletedAs(deletion)),
    ...(deletion.workspace_id === null ? accountStatements(deletion.account_id) : []),
  ]
  try {
    await DB.batch(statements.map(({ sql, values }) => DB.prepare(sql).bind(...values)))
    return true
  } catch (error) {
    if (deletion.workspace_id === null && /FOREIGN KEY constraint failed/.test(String(error))) {
      return false
    }
    throw error
  }
}

/**
 * Deletes some rows that an owner has in a table; what belongs to them goes with them.
 * @returns how many; fewer than the limit: there are no more
 */
export async function eraseRows(
  database: D1Database,
  table: SQLiteTable,
  owner: { kind: OwnerKind; id: string },
  limit: number,
): Promise<number> {
  const column = ownerColumn(table, owner.kind)
  const keys = keysOf(table)
    .filter((name) => name !== column)
    .join(', ')
  const { meta } = await database
    .prepare(
      `DELETE FROM ${nameOf(table)} WHERE ${column} = ?1
       AND (${keys}) IN (SELECT ${keys} FROM ${nameOf(table)} WHERE ${column} = ?1 LIMIT ?2)`,
    )
    .bind(owner.id, limit)
    .run()
  return meta.changes
}

/** The workspaces of a JSON array. */
const THESE = '(SELECT value FROM json_each(?1))'

/** The members of that kind of the workspaces ?1 that have no other place in the account ?2. */
const alone = (
  kind: 'user' | 'service_account',
): string => `SELECT here.member_id FROM workspace_member AS here
    WHERE here.member_kind = '${kind}' AND here.workspace_id IN ${THESE} AND NOT EXISTS
      (SELECT 1 FROM workspace_member AS other JOIN workspace ON workspace.id = other.workspace_id
       WHERE workspace.account_id = ?2 AND other.member_kind = here.member_kind
         AND other.member_id = here.member_id AND other.workspace_id NOT IN ${THESE})`

/** Who has no other place in the account than these workspaces is out of it: service accounts and plain members. */
function leaveStatements(ids: string, accountId: string): PlainStatement[] {
  const values = [ids, accountId]
  return [
    {
      sql: `DELETE FROM api_key WHERE owner_id IN (${alone('service_account')}) AND kind = 'service_account'`,
      values,
    },
    {
      sql: `DELETE FROM service_account WHERE account_id = ?2 AND id IN (${alone('service_account')})`,
      values,
    },
    {
      sql: `DELETE FROM account_member WHERE account_id = ?2 AND role = 'member' AND user_id IN (${alone('user')})`,
      values,
    },
  ]
}

function deletedAs({ account_id, workspace_id, name }: NewDeletion): AuditedChange {
  return workspace_id === null
    ? audited('account', { id: account_id, name }, null)
    : audited('workspace', { id: workspace_id, name }, null)
}

function accountStatements(accountId: string): PlainStatement[] {
  return [
    ...referring(account).map((table) => ({
      sql: `DELETE FROM ${nameOf(table)} WHERE account_id = ?`,
      values: [accountId],
    })),
    { sql: 'DELETE FROM account WHERE id = ?', values: [accountId] },
  ]
}

/** The tables whose rows must not outlive a row of that one. */
function referring(to: SQLiteTable): SQLiteTable[] {
  return [...new Set([...WORKSPACE_TABLES, ...ACCOUNT_TABLES])].filter((table) =>
    getTableConfig(table).foreignKeys.some((key) => key.reference().foreignTable === to),
  )
}

function ownerColumn(table: SQLiteTable, kind: OwnerKind): string {
  const names = new Set(getTableConfig(table).columns.map((column) => column.name))
  const owner = OWNERS[kind].find((name) => names.has(name))
  if (owner === undefined) {
    throw new Error(`${nameOf(table)} has no column that says which ${kind} a row is of`)
  }
  return owner
}

function keysOf(table: SQLiteTable): string[] {
  const { columns, primaryKeys } = getTableConfig(table)
  return [
    ...columns.filter((column) => column.primary),
    ...primaryKeys.flatMap((key) => key.columns),
  ].map((column) => column.name)
}

function nameOf(table: SQLiteTable): string {
  return getTableConfig(table).name
}
