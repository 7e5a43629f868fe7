import { apiKeyHint } from '#core/api-key.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { KeyKind, Permission } from '#domain/permissions.ts'
import type { WorkspaceRow } from './workspace.ts'

// The control store: who is calling. Takes the database, since there is no workspace before the caller is known.

export interface Access {
  key: {
    id: string
    name: string
    hint: string
    kind: KeyKind
    /** Null: it is bound to none. */
    workspace_id: string | null
    owner_id: string | null
    owner_name: string | null
    scopes: string[] | null
    /** The ids of the pools that it serves; null: all. */
    work_pool_ids: string[] | null
    expires: string | null
    revoked: string | null
    last_used: string | null
  }
  /** Its owner's role in the workspace; null for keys that nobody owns, and for owners who have none there. */
  role: string | null
  /** Undefined: a key that is not bound to one, and an address that names none or none of its owner's. */
  workspace: WorkspaceRow | undefined
}

export interface NewApiKey {
  id: string
  kind: KeyKind
  /** Null: good for every workspace that its owner has a role in. */
  workspace_id: string | null
  owner_id: string | null
  name: string
  /** The key's text; only its hash is stored. */
  text: string
  scopes: readonly Permission[] | null
  work_pool_ids: readonly string[] | null
  created_by: string | null
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
    sql: `INSERT INTO api_key
       (hash, id, created, kind, workspace_id, owner_id, name, hint, scopes, work_pool_ids, created_by, expires)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    values: [
      await hashApiKey(key.text),
      key.id,
      formatTimestamp(now),
      key.kind,
      key.workspace_id,
      key.owner_id,
      key.name,
      apiKeyHint(key.text),
      key.scopes === null ? null : JSON.stringify(key.scopes),
      key.work_pool_ids === null ? null : JSON.stringify(key.work_pool_ids),
      key.created_by,
      key.expires,
    ],
  }
}

const WORKSPACE_COLUMNS = `workspace.id, workspace.account_id, workspace.name, workspace.region,
  workspace.event_streams, workspace.log_shards, workspace.store`

/** What names a key and the address that it is used at, for a cache. */
export function accessId(hash: string, address: string | undefined): string {
  return address === undefined ? hash : `${hash} ${address}`
}

interface AccessRow extends Nullable<WorkspaceRow> {
  key_id: string
  key_name: string
  hint: string
  kind: KeyKind
  bound_to: string | null
  owner_id: string | null
  owner_name: string | null
  scopes: string | null
  work_pool_ids: string | null
  expires: string | null
  revoked: string | null
  last_used: string | null
  role: string | null
}
type Nullable<T> = { [K in keyof T]: T[K] | null }

/**
 * The key with that hash and the workspace that it opens: its own, or for one that is bound to none that of the address, where
 * its owner has a role; without an address the owner's only one. Whether or not the key has expired or been revoked.
 * @param id of `accessId`
 */
export async function findAccess(db: D1Database, id: string): Promise<Access | undefined> {
  const [hash, address = null] = id.split(' ')
  const row = await db
    .prepare(
      `SELECT ${WORKSPACE_COLUMNS}, member.role, api_key.id AS key_id, api_key.name AS key_name, api_key.hint, api_key.kind,
         CASE api_key.kind WHEN 'personal' THEN (SELECT name FROM user WHERE user.id = api_key.owner_id)
           ELSE (SELECT name FROM service_account WHERE service_account.id = api_key.owner_id) END AS owner_name,
         api_key.workspace_id AS bound_to, api_key.owner_id, api_key.scopes, api_key.work_pool_ids, api_key.expires, api_key.revoked, api_key.last_used
       FROM api_key
       LEFT JOIN workspace_member AS member
         ON api_key.owner_id IS NOT NULL AND member.member_id = api_key.owner_id
         AND member.member_kind = CASE api_key.kind WHEN 'personal' THEN 'user' ELSE 'service_account' END
         AND (member.workspace_id = coalesce(api_key.workspace_id, ?2)
           OR (coalesce(api_key.workspace_id, ?2) IS NULL AND (SELECT count(*) FROM workspace_member AS one
             WHERE one.member_kind = member.member_kind AND one.member_id = member.member_id) = 1))
       LEFT JOIN workspace ON workspace.id = coalesce(api_key.workspace_id, member.workspace_id)
       WHERE api_key.hash = ?1`,
    )
    .bind(hash, address)
    .first<AccessRow>()
  if (row === null) {
    return undefined
  }
  const { id: workspaceId, account_id, name, region, event_streams, log_shards, store } = row
  return {
    key: {
      id: row.key_id,
      name: row.key_name,
      hint: row.hint,
      kind: row.kind,
      workspace_id: row.bound_to,
      owner_id: row.owner_id,
      owner_name: row.owner_name,
      scopes: parseList(row.scopes),
      work_pool_ids: parseList(row.work_pool_ids),
      expires: row.expires,
      revoked: row.revoked,
      last_used: row.last_used,
    },
    role: row.role,
    workspace:
      workspaceId === null
        ? undefined
        : ({
            id: workspaceId,
            account_id,
            name,
            region,
            event_streams,
            log_shards,
            store,
          } as WorkspaceRow),
  }
}

function parseList(text: string | null): string[] | null {
  return text === null ? null : (JSON.parse(text) as string[])
}

/** Notes that a key is in use. */
export async function noteKeyUse(db: D1Database, id: string, now: Micros): Promise<void> {
  await db
    .prepare('UPDATE api_key SET last_used = ? WHERE id = ?')
    .bind(formatTimestamp(now), id)
    .run()
}

/** A person's role in a workspace. */
export interface Membership {
  role: string
  workspace: WorkspaceRow
}

/**
 * What a person is in the workspace of an address, or without one in the only workspace that it has a role in.
 * @param id of `accessId`, with the person's id
 */
export async function findMembership(db: D1Database, id: string): Promise<Membership | undefined> {
  const [userId, address = null] = id.split(' ')
  const row = await db
    .prepare(
      `SELECT ${WORKSPACE_COLUMNS}, member.role FROM workspace_member AS member
       JOIN workspace ON workspace.id = member.workspace_id
       WHERE member.member_kind = 'user' AND member.member_id = ?1
         AND (member.workspace_id = ?2 OR (?2 IS NULL AND
           (SELECT count(*) FROM workspace_member WHERE member_kind = 'user' AND member_id = ?1) = 1))`,
    )
    .bind(userId, address)
    .first<WorkspaceRow & { role: string }>()
  if (row === null) {
    return undefined
  }
  const { role, ...workspace } = row
  return { role, workspace }
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
