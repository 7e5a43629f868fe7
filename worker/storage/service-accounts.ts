import { formatTimestamp, type Micros } from '#core/time.ts'
import type { ServiceAccount, ServiceAccountCreate } from '#core/wire/api-key.ts'
import { audited } from '#domain/audit.ts'
import { recordsOf } from './audit.ts'
import { newId } from './new-id.ts'
import type { Workspace } from './workspace.ts'

// A service account belongs to the account; a workspace sees those that have a role in it.

const SELECT = `SELECT service_account.id, service_account.created, service_account.updated, service_account.name,
    workspace_member.role, service_account.created_by
  FROM workspace_member JOIN service_account ON service_account.id = workspace_member.member_id
  WHERE workspace_member.workspace_id = ? AND workspace_member.member_kind = 'service_account'`

export async function listServiceAccounts(workspace: Workspace): Promise<ServiceAccount[]> {
  const { results } = await workspace.bindings.DB.prepare(`${SELECT} ORDER BY service_account.name`)
    .bind(workspace.id)
    .all<ServiceAccount>()
  return results
}

export async function findServiceAccount(
  workspace: Workspace,
  id: string,
): Promise<ServiceAccount | undefined> {
  const row = await workspace.bindings.DB.prepare(`${SELECT} AND service_account.id = ?`)
    .bind(workspace.id, id)
    .first<ServiceAccount>()
  return row ?? undefined
}

/** Makes one with a role in the workspace; undefined where the workspace has one of that name. */
export async function insertServiceAccount(
  workspace: Workspace,
  { name, role }: ServiceAccountCreate,
  createdBy: string,
  now: Micros,
): Promise<string | undefined> {
  const { DB } = workspace.bindings
  const id = newId(now)
  const time = formatTimestamp(now)
  const [inserted] = await DB.batch([
    DB.prepare(
      `INSERT INTO service_account (id, created, updated, account_id, name, created_by)
       SELECT ?1, ?2, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (${NAMED})`,
    ).bind(id, time, workspace.account_id, name, createdBy, workspace.id),
    ...recordsOf(DB, workspace.trail, audited('service_account', null, { id, name, role })),
    DB.prepare(
      `INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created)
       SELECT ?, 'service_account', id, ?, ? FROM service_account WHERE id = ?`,
    ).bind(workspace.id, role, time, id),
  ])
  return inserted?.meta.changes === 0 ? undefined : id
}

/** Whether workspace ?6 has one of the name ?4 that is not ?1. */
const NAMED = `SELECT 1 FROM workspace_member AS member JOIN service_account AS other ON other.id = member.member_id
  WHERE member.workspace_id = ?6 AND member.member_kind = 'service_account' AND other.name = ?4 AND other.id <> ?1`

/** False where the workspace has another one of that name. */
export async function updateServiceAccount(
  workspace: Workspace,
  before: ServiceAccount,
  { name, role }: Pick<ServiceAccount, 'name' | 'role'>,
  now: Micros,
): Promise<boolean> {
  const { id } = before
  const { DB } = workspace.bindings
  const time = formatTimestamp(now)
  const [named] = await DB.batch([
    DB.prepare(
      `UPDATE service_account SET name = ?4, updated = ?2
       WHERE id = ?1 AND account_id = ?3 AND ?5 = ?5 AND NOT EXISTS (${NAMED})`,
    ).bind(id, time, workspace.account_id, name, '', workspace.id),
    ...recordsOf(
      DB,
      workspace.trail,
      audited('service_account', before, { ...before, name, role }),
    ),
    DB.prepare(
      `UPDATE workspace_member SET role = ?1 WHERE workspace_id = ?2 AND member_kind = 'service_account' AND member_id = ?3
       AND EXISTS (SELECT 1 FROM service_account WHERE id = ?3 AND name = ?4)`,
    ).bind(role, workspace.id, id, name),
  ])
  return named?.meta.changes !== 0
}

/** Takes its role in the workspace and its keys of the workspace; the last role takes the account as well. */
export async function removeServiceAccount(
  workspace: Workspace,
  account: ServiceAccount,
  now: Micros,
): Promise<void> {
  const { DB } = workspace.bindings
  const { id } = account
  await DB.batch([
    DB.prepare(
      `DELETE FROM workspace_member WHERE workspace_id = ? AND member_kind = 'service_account' AND member_id = ?`,
    ).bind(workspace.id, id),
    ...recordsOf(DB, workspace.trail, audited('service_account', account, null)),
    DB.prepare(
      `UPDATE api_key SET revoked = ? WHERE workspace_id = ? AND owner_id = ? AND revoked IS NULL`,
    ).bind(formatTimestamp(now), workspace.id, id),
    DB.prepare(
      `DELETE FROM service_account WHERE id = ?1 AND account_id = ?2 AND NOT EXISTS
         (SELECT 1 FROM workspace_member WHERE member_kind = 'service_account' AND member_id = ?1)`,
    ).bind(id, workspace.account_id),
  ])
}
