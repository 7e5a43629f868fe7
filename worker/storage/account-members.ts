import type { AccountMember } from '#core/wire/account.ts'
import { formatTimestamp } from '#core/time.ts'
import { audited, type AuditTrail } from '#domain/audit.ts'
import { recordsOf } from './audit.ts'

// The people of an account, in the control store. Each change is one transaction that leaves no account and no workspace
// without an owner.

const SELECT = `SELECT member.user_id AS id, member.created, user.name, user.email, member.role
  FROM account_member AS member JOIN user ON user.id = member.user_id WHERE member.account_id = ?1`

/** The account ?1 has another owner than ?2, or ?2 is none. */
const KEEPS_AN_OWNER = `(EXISTS (SELECT 1 FROM account_member AS other
    WHERE other.account_id = ?1 AND other.user_id <> ?2 AND other.role = 'owner')
  OR NOT EXISTS (SELECT 1 FROM account_member AS own
    WHERE own.account_id = ?1 AND own.user_id = ?2 AND own.role = 'owner'))`

/** The workspaces whose only owner among people is ?2. */
const ONLY_OWNED = `SELECT workspace.id, workspace.account_id, workspace.name
  FROM workspace_member AS own JOIN workspace ON workspace.id = own.workspace_id
  WHERE own.member_kind = 'user' AND own.member_id = ?2 AND own.role = 'owner' AND NOT EXISTS
    (SELECT 1 FROM workspace_member AS other WHERE other.workspace_id = own.workspace_id
      AND other.member_kind = 'user' AND other.member_id <> ?2 AND other.role = 'owner')`

/** Makes an owner of the account ?1 one of all its workspaces as well. */
const OWNS_ALL = `INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created)
  SELECT workspace.id, 'user', ?2, 'owner', ?3 FROM workspace WHERE workspace.account_id = ?1 AND EXISTS
    (SELECT 1 FROM account_member WHERE account_id = ?1 AND user_id = ?2 AND role = 'owner')
  ON CONFLICT DO UPDATE SET role = 'owner'`

export async function listAccountMembers(
  db: D1Database,
  accountId: string,
): Promise<AccountMember[]> {
  const { results } = await db
    .prepare(`${SELECT} ORDER BY user.name, user.id`)
    .bind(accountId)
    .all<AccountMember>()
  return results
}

export async function findAccountMember(
  db: D1Database,
  accountId: string,
  userId: string,
): Promise<AccountMember | undefined> {
  const row = await db
    .prepare(`${SELECT} AND member.user_id = ?2`)
    .bind(accountId, userId)
    .first<AccountMember>()
  return row ?? undefined
}

/** An owner of the account becomes one of its workspaces as well. False where the account would be left without an owner. */
export async function setAccountRole(
  db: D1Database,
  accountId: string,
  member: AccountMember,
  role: AccountMember['role'],
  trail: AuditTrail,
): Promise<boolean> {
  const [changed] = await db.batch([
    db
      .prepare(
        `UPDATE account_member SET role = ?3 WHERE account_id = ?1 AND user_id = ?2
         AND (?3 = 'owner' OR ${KEEPS_AN_OWNER})`,
      )
      .bind(accountId, member.id, role),
    ...recordsOf(db, trail, audited('account_member', member, { ...member, role })),
    db.prepare(OWNS_ALL).bind(accountId, member.id, formatTimestamp(trail.now)),
  ])
  return (changed?.meta.changes ?? 0) > 0
}

/** Makes a member an owner in place of another, who is an admin from then on. False where it is no such pair. */
export async function transferAccount(
  db: D1Database,
  accountId: string,
  from: string,
  member: AccountMember,
  trail: AuditTrail,
): Promise<boolean> {
  const to = member.id
  const [changed] = await db.batch([
    db
      .prepare(
        `UPDATE account_member SET role = 'owner' WHERE account_id = ?1 AND user_id = ?2 AND ?2 <> ?3 AND EXISTS
           (SELECT 1 FROM account_member WHERE account_id = ?1 AND user_id = ?3 AND role = 'owner')`,
      )
      .bind(accountId, to, from),
    ...recordsOf(db, trail, audited('account_member', member, { ...member, role: 'owner' })),
    db.prepare(OWNS_ALL).bind(accountId, to, formatTimestamp(trail.now)),
    db
      .prepare(
        `UPDATE account_member SET role = 'admin'
         WHERE account_id = ?1 AND user_id = ?2 AND role = 'owner' AND ?2 <> ?3 AND EXISTS
           (SELECT 1 FROM account_member WHERE account_id = ?1 AND user_id = ?3 AND role = 'owner')`,
      )
      .bind(accountId, from, to),
  ])
  return (changed?.meta.changes ?? 0) > 0
}

/**
 * Takes a person out of the account and of all its workspaces, with its keys there. False where the account or one of its
 * workspaces would be left without an owner.
 */
export async function removeAccountMember(
  db: D1Database,
  accountId: string,
  member: AccountMember,
  trail: AuditTrail,
): Promise<boolean> {
  const userId = member.id
  const isOut = `NOT EXISTS (SELECT 1 FROM account_member WHERE account_id = ?1 AND user_id = ?2)
    AND workspace_id IN (SELECT id FROM workspace WHERE account_id = ?1)`
  const [removed] = await db.batch([
    db
      .prepare(
        `DELETE FROM account_member WHERE account_id = ?1 AND user_id = ?2 AND ${KEEPS_AN_OWNER}
         AND NOT EXISTS (${ONLY_OWNED} AND workspace.account_id = ?1)`,
      )
      .bind(accountId, userId),
    ...recordsOf(db, trail, audited('account_member', member, null)),
    db
      .prepare(
        `DELETE FROM workspace_member WHERE member_kind = 'user' AND member_id = ?2 AND ${isOut}`,
      )
      .bind(accountId, userId),
    db
      .prepare(
        `UPDATE api_key SET revoked = ?3 WHERE owner_id = ?2 AND kind = 'personal' AND revoked IS NULL AND ${isOut}`,
      )
      .bind(accountId, userId, formatTimestamp(trail.now)),
  ])
  return (removed?.meta.changes ?? 0) > 0
}

/**
 * What would be without an owner if that person went: names of accounts and workspaces.
 * @param accountId null: anywhere
 */
export async function listOnlyOwned(
  db: D1Database,
  userId: string,
  accountId: string | null,
): Promise<{ accounts: string[]; workspaces: string[] }> {
  const [accounts, workspaces] = await db.batch<{ name: string }>([
    db
      .prepare(
        `SELECT account.name FROM account_member AS own JOIN account ON account.id = own.account_id
         WHERE own.user_id = ?2 AND own.role = 'owner' AND (?1 IS NULL OR own.account_id = ?1) AND NOT EXISTS
           (SELECT 1 FROM account_member AS other WHERE other.account_id = own.account_id
             AND other.user_id <> ?2 AND other.role = 'owner') ORDER BY account.name`,
      )
      .bind(accountId, userId),
    db
      .prepare(
        `${ONLY_OWNED} AND (?1 IS NULL OR workspace.account_id = ?1) ORDER BY workspace.name`,
      )
      .bind(accountId, userId),
  ])
  return {
    accounts: (accounts?.results ?? []).map(({ name }) => name),
    workspaces: (workspaces?.results ?? []).map(({ name }) => name),
  }
}

/** Takes away what a person is anywhere, with its keys and what was offered to its address. Its sessions go with its row. */
export async function forgetPerson(
  db: D1Database,
  person: { id: string; email: string },
): Promise<void> {
  await db.batch([
    db.prepare('DELETE FROM account_member WHERE user_id = ?').bind(person.id),
    db
      .prepare(`DELETE FROM workspace_member WHERE member_kind = 'user' AND member_id = ?`)
      .bind(person.id),
    db.prepare(`DELETE FROM api_key WHERE kind = 'personal' AND owner_id = ?`).bind(person.id),
    db.prepare('DELETE FROM invitation WHERE email = ?').bind(person.email.toLowerCase()),
  ])
}
