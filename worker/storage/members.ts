import type { Member } from '#core/wire/member.ts'
import { audited } from '#domain/audit.ts'
import { recordsOf } from './audit.ts'
import type { Workspace } from './workspace.ts'

// The people of a workspace.

const SELECT = `SELECT member.member_id AS id, member.created, user.name, user.email, member.role
  FROM workspace_member AS member JOIN user ON user.id = member.member_id
  WHERE member.workspace_id = ?1 AND member.member_kind = 'user'`

/** Another owner than ?2, or ?2 is none. */
const KEEPS_AN_OWNER = `(EXISTS (SELECT 1 FROM workspace_member AS other WHERE other.workspace_id = ?1
    AND other.member_kind = 'user' AND other.member_id <> ?2 AND other.role = 'owner')
  OR NOT EXISTS (SELECT 1 FROM workspace_member AS own WHERE own.workspace_id = ?1
    AND own.member_kind = 'user' AND own.member_id = ?2 AND own.role = 'owner'))`

export async function listMembers(workspace: Workspace): Promise<Member[]> {
  const { results } = await workspace.bindings.DB.prepare(`${SELECT} ORDER BY user.name, user.id`)
    .bind(workspace.id)
    .all<Member>()
  return results
}

export async function findMember(workspace: Workspace, id: string): Promise<Member | undefined> {
  const row = await workspace.bindings.DB.prepare(`${SELECT} AND member.member_id = ?2`)
    .bind(workspace.id, id)
    .first<Member>()
  return row ?? undefined
}

/** False where the workspace would be left without an owner. */
export async function setMemberRole(
  workspace: Workspace,
  id: string,
  role: Member['role'],
): Promise<boolean> {
  const { DB } = workspace.bindings
  const before = workspace.trail && (await findMember(workspace, id))
  const [changed] = await DB.batch([
    DB.prepare(
      `UPDATE workspace_member SET role = ?3 WHERE workspace_id = ?1 AND member_kind = 'user' AND member_id = ?2
       AND (?3 = 'owner' OR ${KEEPS_AN_OWNER})`,
    ).bind(workspace.id, id, role),
    ...recordsOf(DB, workspace.trail, audited('member', before, before && { ...before, role })),
  ])
  return (changed?.meta.changes ?? 0) > 0
}

/**
 * Takes a person out of the workspace, and out of its account where that was the last role of a plain member. False where the
 * workspace would be left without an owner.
 */
export async function removeMember(workspace: Workspace, id: string): Promise<boolean> {
  const { DB } = workspace.bindings
  const before = workspace.trail && (await findMember(workspace, id))
  const [removed] = await DB.batch([
    DB.prepare(
      `DELETE FROM workspace_member WHERE workspace_id = ?1 AND member_kind = 'user' AND member_id = ?2 AND ${KEEPS_AN_OWNER}`,
    ).bind(workspace.id, id),
    ...recordsOf(DB, workspace.trail, audited('member', before, null)),
    DB.prepare(
      `DELETE FROM account_member WHERE account_id = ?1 AND user_id = ?2 AND role = 'member' AND NOT EXISTS
         (SELECT 1 FROM workspace_member AS member JOIN workspace ON workspace.id = member.workspace_id
          WHERE workspace.account_id = ?1 AND member.member_kind = 'user' AND member.member_id = ?2)`,
    ).bind(workspace.account_id, id),
  ])
  return (removed?.meta.changes ?? 0) > 0
}
