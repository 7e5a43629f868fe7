import { apiKeyHint } from '#core/api-key.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { PersonalKey } from '#core/wire/api-key.ts'
import { audited, type AuditTrail } from '#domain/audit.ts'
import { insertApiKeyStatement, type NewApiKey } from './access.ts'
import { API_KEY_COLUMNS, toApiKey, type ApiKeyRow } from './api-keys.ts'
import { recordsOf } from './audit.ts'
import type { WorkspaceRow } from './workspace.ts'

// The keys of a person, wherever they open. Takes the database: people belong to no workspace, and so do their keys.

type Row = ApiKeyRow & Pick<PersonalKey, 'workspace_id'>

const SELECT = `SELECT ${API_KEY_COLUMNS}, workspace_id FROM api_key WHERE owner_id = ? AND kind = 'personal'`

export async function listPersonalKeys(db: D1Database, userId: string): Promise<PersonalKey[]> {
  const { results } = await db.prepare(`${SELECT} ORDER BY id`).bind(userId).all<Row>()
  return results.map(toApiKey)
}

export async function findPersonalKey(
  db: D1Database,
  userId: string,
  id: string,
): Promise<PersonalKey | undefined> {
  const row = await db.prepare(`${SELECT} AND id = ?`).bind(userId, id).first<Row>()
  return row === null ? undefined : toApiKey(row)
}

/**
 * @param trails of the workspaces that the key opens, whose audit logs tell of it
 * @param replaced a key that goes out of use at that time, in the same transaction, unless it does earlier
 */
export async function insertPersonalKey(
  db: D1Database,
  key: NewApiKey & { owner_id: string },
  trails: readonly AuditTrail[],
  now: Micros,
  replaced?: { id: string; expires: string },
): Promise<void> {
  const { sql, values } = await insertApiKeyStatement(key, now)
  const { text, ...told } = { ...key, replaces: replaced?.id ?? null }
  const change = audited('api_key', null, { ...told, hint: apiKeyHint(text) })
  const statements = [
    db.prepare(sql).bind(...values),
    ...trails.flatMap((trail) => recordsOf(db, trail, change)),
  ]
  if (replaced !== undefined) {
    statements.push(
      db
        .prepare(
          `UPDATE api_key SET expires = min(coalesce(expires, ?1), ?1) WHERE owner_id = ?2 AND kind = 'personal' AND id = ?3`,
        )
        .bind(replaced.expires, key.owner_id, replaced.id),
    )
  }
  await db.batch(statements)
}

/** Ends a key's validity, once; Workers that have it cached follow within seconds. */
export async function revokePersonalKey(
  db: D1Database,
  key: PersonalKey,
  trails: readonly AuditTrail[],
  now: Micros,
): Promise<void> {
  const revoked = formatTimestamp(now)
  const change = audited('api_key', key, { ...key, revoked })
  await db.batch([
    db
      .prepare(
        `UPDATE api_key SET revoked = ? WHERE owner_id = ? AND kind = 'personal' AND id = ? AND revoked IS NULL`,
      )
      .bind(revoked, key.owner_id, key.id),
    ...trails.flatMap((trail) => recordsOf(db, trail, change)),
  ])
}

/** The workspaces that a person has a role in. */
export async function listWorkspaceRowsOf(db: D1Database, userId: string): Promise<WorkspaceRow[]> {
  const { results } = await db
    .prepare(
      `SELECT workspace.id, workspace.account_id, workspace.name, workspace.region,
         workspace.event_streams, workspace.log_shards, workspace.store
       FROM workspace_member AS member JOIN workspace ON workspace.id = member.workspace_id
       WHERE member.member_kind = 'user' AND member.member_id = ?`,
    )
    .bind(userId)
    .all<WorkspaceRow>()
  return results
}
