import { apiKeyHint } from '#core/api-key.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { WorkspaceRow } from './workspace.ts'

// The control store: who is calling. Takes the database, since there is no workspace before the caller is known.

export interface Access {
  key: { id: string; name: string; expires: string | null; revoked: string | null }
  workspace: WorkspaceRow
}

export interface NewApiKey {
  id: string
  workspace_id: string
  name: string
  /** The key's text; only its hash is stored. */
  text: string
  expires: string | null
}

/** SHA-256 of a key, hexadecimal: what is stored of it and what it is looked up by. */
export async function hashApiKey(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** A statement of SQL with the values of its question marks. */
export interface PlainStatement {
  sql: string
  values: (string | number | null)[]
}

export async function insertApiKeyStatement(key: NewApiKey, now: Micros): Promise<PlainStatement> {
  return {
    sql: `INSERT INTO api_key (hash, id, created, workspace_id, name, hint, expires, revoked)
       VALUES (?, ?, ?, ?, ?, ?, ?, NULL)`,
    values: [
      await hashApiKey(key.text),
      key.id,
      formatTimestamp(now),
      key.workspace_id,
      key.name,
      apiKeyHint(key.text),
      key.expires,
    ],
  }
}

const WORKSPACE_COLUMNS = `workspace.id, workspace.account_id, workspace.name, workspace.region,
  workspace.event_streams, workspace.log_shards, workspace.store`

/** The key with that hash and its workspace, whether or not it has expired or been revoked. */
export async function findAccess(db: D1Database, hash: string): Promise<Access | undefined> {
  const row = await db
    .prepare(
      `SELECT ${WORKSPACE_COLUMNS}, api_key.id AS key_id, api_key.name AS key_name, api_key.expires, api_key.revoked
       FROM api_key JOIN workspace ON workspace.id = api_key.workspace_id WHERE api_key.hash = ?`,
    )
    .bind(hash)
    .first<
      WorkspaceRow & {
        key_id: string
        key_name: string
        expires: string | null
        revoked: string | null
      }
    >()
  if (row === null) {
    return undefined
  }
  const { key_id, key_name, expires, revoked, ...workspace } = row
  return { key: { id: key_id, name: key_name, expires, revoked }, workspace }
}

export async function findWorkspaceRow(
  db: D1Database,
  id: string,
): Promise<WorkspaceRow | undefined> {
  const row = await db
    .prepare(`SELECT ${WORKSPACE_COLUMNS} FROM workspace WHERE id = ?`)
    .bind(id)
    .first<WorkspaceRow>()
  return row ?? undefined
}

/** Ends a key's validity; workers that have it cached follow within seconds. */
export async function revokeApiKey(db: D1Database, id: string, now: Micros): Promise<void> {
  await db
    .prepare('UPDATE api_key SET revoked = ? WHERE id = ? AND revoked IS NULL')
    .bind(formatTimestamp(now), id)
    .run()
}
