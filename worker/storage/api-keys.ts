import { apiKeyHint } from '#core/api-key.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { ApiKey } from '#core/wire/api-key.ts'
import { audited } from '#domain/audit.ts'
import { insertApiKeyStatement, type NewApiKey } from './access.ts'
import { recordsOf } from './audit.ts'
import type { Workspace } from './workspace.ts'

// The keys that are bound to a workspace. They lie in the control store, where the caller is looked for.

export const API_KEY_COLUMNS = `id, created, name, kind, hint, owner_id, scopes, work_pool_ids, created_by, expires, revoked, last_used`

export interface ApiKeyRow extends Omit<ApiKey, 'scopes' | 'work_pool_ids'> {
  scopes: string | null
  work_pool_ids: string | null
}

/** @param ownerId only those of that person or service account */
export async function listApiKeys(workspace: Workspace, ownerId?: string): Promise<ApiKey[]> {
  const { results } = await workspace.bindings.DB.prepare(
    `SELECT ${API_KEY_COLUMNS} FROM api_key WHERE workspace_id = ?1 AND (?2 IS NULL OR owner_id = ?2) ORDER BY id`,
  )
    .bind(workspace.id, ownerId ?? null)
    .all<ApiKeyRow>()
  return results.map(toApiKey)
}

export async function findApiKey(workspace: Workspace, id: string): Promise<ApiKey | undefined> {
  const row = await workspace.bindings.DB.prepare(
    `SELECT ${API_KEY_COLUMNS} FROM api_key WHERE workspace_id = ? AND id = ?`,
  )
    .bind(workspace.id, id)
    .first<ApiKeyRow>()
  return row === null ? undefined : toApiKey(row)
}

/** @param replaced a key that goes out of use at that time, in the same transaction, unless it does earlier */
export async function insertApiKey(
  workspace: Workspace,
  key: NewApiKey,
  now: Micros,
  replaced?: { id: string; expires: string },
): Promise<void> {
  const { DB } = workspace.bindings
  const { sql, values } = await insertApiKeyStatement(key, now)
  const { text, ...told } = { ...key, replaces: replaced?.id ?? null }
  const statements = [
    DB.prepare(sql).bind(...values),
    ...recordsOf(
      DB,
      workspace.trail,
      audited('api_key', null, { ...told, hint: apiKeyHint(text) }),
    ),
  ]
  if (replaced !== undefined) {
    statements.push(
      DB.prepare(
        `UPDATE api_key SET expires = min(coalesce(expires, ?1), ?1) WHERE workspace_id = ?2 AND id = ?3`,
      ).bind(replaced.expires, workspace.id, replaced.id),
    )
  }
  await DB.batch(statements)
}

/** Ends a key's validity, once; Workers that have it cached follow within seconds. */
export async function revokeApiKey(workspace: Workspace, id: string, now: Micros): Promise<void> {
  const { DB } = workspace.bindings
  const revoked = formatTimestamp(now)
  const before = workspace.trail && (await findApiKey(workspace, id))
  await DB.batch([
    DB.prepare(
      'UPDATE api_key SET revoked = ? WHERE workspace_id = ? AND id = ? AND revoked IS NULL',
    ).bind(revoked, workspace.id, id),
    ...recordsOf(DB, workspace.trail, audited('api_key', before, before && { ...before, revoked })),
  ])
}

export function toApiKey<R extends ApiKeyRow>({
  scopes,
  work_pool_ids,
  ...row
}: R): Omit<R, 'scopes' | 'work_pool_ids'> & Pick<ApiKey, 'scopes' | 'work_pool_ids'> {
  return {
    ...row,
    scopes: scopes === null ? null : (JSON.parse(scopes) as ApiKey['scopes']),
    work_pool_ids: work_pool_ids === null ? null : (JSON.parse(work_pool_ids) as string[]),
  }
}
