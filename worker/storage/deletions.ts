import type { Deletion } from '#core/wire/deletion.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { AuditTrail } from '#domain/audit.ts'
import type { PlainStatement } from './access.ts'

// How far the deletions of workspaces and accounts are, in the control store: what is left of them can be read there alone.

/** How long it can be read that a deletion is done. */
const KEPT_MICROS = 90 * 24 * 3_600_000_000

export interface NewDeletion {
  id: string
  account_id: string
  /** Null: the account. */
  workspace_id: string | null
  asked_by: string
  created: string
  /** What it was called, and who asks: for the account's audit log. */
  name: string
  trail: AuditTrail
}

export function insertDeletionStatement(deletion: NewDeletion): PlainStatement {
  return {
    sql: `INSERT OR IGNORE INTO deletion (id, created, account_id, workspace_id, asked_by, objects, rows)
       VALUES (?, ?, ?, ?, ?, 0, 0)`,
    values: [
      deletion.id,
      deletion.created,
      deletion.account_id,
      deletion.workspace_id,
      deletion.asked_by,
    ],
  }
}

/** Says how far it is. */
export async function noteDeletion(
  db: D1Database,
  id: string,
  state: Pick<Deletion, 'objects' | 'rows' | 'message' | 'finished'>,
): Promise<void> {
  await db
    .prepare('UPDATE deletion SET objects = ?, rows = ?, message = ?, finished = ? WHERE id = ?')
    .bind(state.objects, state.rows, state.message, state.finished, id)
    .run()
}

export async function findDeletion(db: D1Database, id: string): Promise<Deletion | undefined> {
  const row = await db
    .prepare(
      `SELECT id, account_id, workspace_id, CASE WHEN finished IS NULL THEN 'RUNNING' ELSE 'COMPLETED' END AS state,
         message, objects, rows, created, finished FROM deletion WHERE id = ?`,
    )
    .bind(id)
    .first<Deletion>()
  return row ?? undefined
}

/** Whether workspaces of the account are still being deleted by others. */
export async function areWorkspacesUnderWay(
  db: D1Database,
  { id, account_id: accountId }: Pick<NewDeletion, 'id' | 'account_id'>,
): Promise<boolean> {
  const row = await db
    .prepare(
      'SELECT 1 AS one FROM deletion WHERE account_id = ? AND id <> ? AND workspace_id IS NOT NULL AND finished IS NULL LIMIT 1',
    )
    .bind(accountId, id)
    .first()
  return row !== null
}

/** Lets go of what was done long ago. */
export async function forgetOldDeletions(db: D1Database, now: Micros): Promise<void> {
  await db
    .prepare('DELETE FROM deletion WHERE finished < ?')
    .bind(formatTimestamp(now - KEPT_MICROS))
    .run()
}
