import { formatTimestamp, type Micros } from '#core/time.ts'
import type { Invitation, MyInvitation } from '#core/wire/member.ts'
import { audited, type AuditedChange, type TrailIn } from '#domain/audit.ts'
import { recordsOf } from './audit.ts'
import { newId } from './new-id.ts'
import type { Workspace } from './workspace.ts'

const COLUMNS = 'id, created, email, role, created_by, expires, accepted, revoked'
/** To the person ?1, who has proved the address, at the time ?2. */
const OPEN = `invitation.email = (SELECT email FROM user WHERE id = ?1 AND email_verified = 1)
  AND invitation.expires > ?2 AND invitation.accepted IS NULL AND invitation.revoked IS NULL`

export async function insertInvitation(
  workspace: Workspace,
  offered: Pick<Invitation, 'email' | 'role' | 'created_by' | 'expires'>,
  now: Micros,
): Promise<Invitation> {
  const made: Invitation = {
    id: newId(now),
    created: formatTimestamp(now),
    ...offered,
    email: offered.email.toLowerCase(),
    accepted: null,
    revoked: null,
  }
  const { DB } = workspace.bindings
  await DB.batch([
    DB.prepare(
      `INSERT INTO invitation (account_id, workspace_id, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)`,
    ).bind(
      workspace.account_id,
      workspace.id,
      made.id,
      made.created,
      made.email,
      made.role,
      made.created_by,
      made.expires,
    ),
    ...recordsOf(DB, workspace.trail, auditedInvitation(null, made)),
  ])
  return made
}

export async function listInvitations(workspace: Workspace): Promise<Invitation[]> {
  const { results } = await workspace.bindings.DB.prepare(
    `SELECT ${COLUMNS} FROM invitation WHERE workspace_id = ? ORDER BY id`,
  )
    .bind(workspace.id)
    .all<Invitation>()
  return results
}

/** False where the workspace has no such invitation that is open. */
export async function revokeInvitation(
  workspace: Workspace,
  id: string,
  now: Micros,
): Promise<boolean> {
  const { DB } = workspace.bindings
  const revoked = formatTimestamp(now)
  const before = workspace.trail && (await findInvitation(DB, id))
  const [done] = await DB.batch([
    DB.prepare(
      'UPDATE invitation SET revoked = ? WHERE workspace_id = ? AND id = ? AND accepted IS NULL AND revoked IS NULL',
    ).bind(revoked, workspace.id, id),
    ...recordsOf(
      DB,
      workspace.trail,
      auditedInvitation(before ?? null, before ? { ...before, revoked } : null),
    ),
  ])
  return (done?.meta.changes ?? 0) > 0
}

type Offered = Invitation & { workspace_id: string; account_id: string }

/** Of whichever workspace: whoever asks for it must look whether that is the right one. */
async function findInvitation(db: D1Database, id: string): Promise<Offered | undefined> {
  const row = await db
    .prepare(`SELECT account_id, workspace_id, ${COLUMNS} FROM invitation WHERE id = ?`)
    .bind(id)
    .first<Offered>()
  return row ?? undefined
}

function auditedInvitation(before: Invitation | null, after: Invitation | null): AuditedChange {
  return audited('invitation', before && named(before), after && named(after))
}

/** An invitation is known by the address that it is for. */
function named(invitation: Invitation): Invitation & { name: string } {
  return { ...invitation, name: invitation.email }
}

export async function listMyInvitations(
  db: D1Database,
  userId: string,
  now: Micros,
): Promise<MyInvitation[]> {
  const { results } = await db
    .prepare(
      `SELECT invitation.id, invitation.created, invitation.role, invitation.expires,
         account.name AS account_name, workspace.name AS workspace_name
       FROM invitation JOIN workspace ON workspace.id = invitation.workspace_id
       JOIN account ON account.id = invitation.account_id WHERE ${OPEN} ORDER BY invitation.id`,
    )
    .bind(userId, formatTimestamp(now))
    .all<MyInvitation>()
  return results
}

/** Gives the person the role, once; one that it has there stays. False where it has no such invitation that is open. */
export async function acceptInvitation(
  db: D1Database,
  userId: string,
  invitationId: string,
  trailIn: TrailIn | undefined,
  now: Micros,
): Promise<boolean> {
  const accepted = formatTimestamp(now)
  const values = [userId, accepted, invitationId]
  const before = trailIn && (await findInvitation(db, invitationId))
  const trail = before && trailIn?.(before.account_id, before.workspace_id)
  const [, , done] = await db.batch([
    db
      .prepare(
        `INSERT INTO account_member (account_id, user_id, role, created)
         SELECT account_id, ?1, 'member', ?2 FROM invitation WHERE ${OPEN} AND id = ?3 ON CONFLICT DO NOTHING`,
      )
      .bind(...values),
    db
      .prepare(
        `INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created)
         SELECT workspace_id, 'user', ?1, role, ?2 FROM invitation WHERE ${OPEN} AND id = ?3 ON CONFLICT DO NOTHING`,
      )
      .bind(...values),
    db.prepare(`UPDATE invitation SET accepted = ?2 WHERE ${OPEN} AND id = ?3`).bind(...values),
    ...recordsOf(
      db,
      trail,
      auditedInvitation(before ?? null, before ? { ...before, accepted } : null),
    ),
  ])
  return (done?.meta.changes ?? 0) > 0
}
