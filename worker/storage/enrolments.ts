import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { ApiKey } from '#core/wire/api-key.ts'
import type { Enrolment } from '#core/wire/enrolment.ts'
import { audited, type AuditTrail } from '#domain/audit.ts'
import { API_KEY_COLUMNS, toApiKey, type ApiKeyRow } from './api-keys.ts'
import { recordsOf } from './audit.ts'
import type { Workspace } from './workspace.ts'

// What lets agents in, and the keys that it makes. They lie in the control store, where the caller is looked for.

const COLUMNS = `id, created, name, hint, work_pool_ids, created_by, expires, max_uses, uses, key_seconds, revoked`
type Row = Omit<Enrolment, 'work_pool_ids'> & { work_pool_ids: string }

/** What an agent has made itself. */
export interface AgentKey {
  id: string
  hash: string
  hint: string
}

export async function listEnrolments(workspace: Workspace): Promise<Enrolment[]> {
  const { results } = await workspace.bindings.DB.prepare(
    `SELECT ${COLUMNS} FROM enrolment WHERE workspace_id = ? ORDER BY id`,
  )
    .bind(workspace.id)
    .all<Row>()
  return results.map(toEnrolment)
}

export async function findEnrolment(
  workspace: Workspace,
  id: string,
): Promise<Enrolment | undefined> {
  const row = await workspace.bindings.DB.prepare(
    `SELECT ${COLUMNS} FROM enrolment WHERE workspace_id = ? AND id = ?`,
  )
    .bind(workspace.id, id)
    .first<Row>()
  return row === null ? undefined : toEnrolment(row)
}

/** @param hash of its token */
export async function insertEnrolment(
  workspace: Workspace,
  enrolment: Enrolment,
  hash: string,
): Promise<void> {
  const { DB } = workspace.bindings
  const row = { ...enrolment, work_pool_ids: JSON.stringify(enrolment.work_pool_ids) }
  const { id, created, name, hint, work_pool_ids, created_by, expires, ...rest } = row
  await DB.batch([
    DB.prepare(
      `INSERT INTO enrolment (hash, workspace_id, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).bind(
      hash,
      workspace.id,
      id,
      created,
      name,
      hint,
      work_pool_ids,
      created_by,
      expires,
      rest.max_uses,
      rest.uses,
      rest.key_seconds,
      rest.revoked,
    ),
    ...recordsOf(DB, workspace.trail, audited('enrolment', null, enrolment)),
  ])
}

/** Ends an enrolment, once. The keys that it has made serve on. */
export async function revokeEnrolment(
  workspace: Workspace,
  before: Enrolment,
  now: Micros,
): Promise<void> {
  const { DB } = workspace.bindings
  const revoked = formatTimestamp(now)
  await DB.batch([
    DB.prepare(
      'UPDATE enrolment SET revoked = ? WHERE workspace_id = ? AND id = ? AND revoked IS NULL',
    ).bind(revoked, workspace.id, before.id),
    ...recordsOf(DB, workspace.trail, audited('enrolment', before, { ...before, revoked })),
  ])
}

/** The ids of keys that came of an enrolment and may still serve. */
export async function listKeyIdsOfEnrolment(workspace: Workspace, id: string): Promise<string[]> {
  const { results } = await workspace.bindings.DB.prepare(
    'SELECT id FROM api_key WHERE workspace_id = ? AND enrolment_id = ? AND revoked IS NULL ORDER BY id',
  )
    .bind(workspace.id, id)
    .all<{ id: string }>()
  return results.map((row) => row.id)
}

/** An enrolment by its token's hash, good or not, and whose it is. Takes the database: nobody is known yet. */
export async function findEnrolmentByHash(
  db: D1Database,
  hash: string,
): Promise<{ enrolment: Enrolment; workspace_id: string; account_id: string } | undefined> {
  const columns = COLUMNS.split(', ').map((column) => `enrolment.${column}`)
  const row = await db
    .prepare(
      `SELECT ${columns.join(', ')}, workspace.id AS workspace_id, workspace.account_id FROM enrolment
       JOIN workspace ON workspace.id = enrolment.workspace_id WHERE enrolment.hash = ?`,
    )
    .bind(hash)
    .first<Row & { workspace_id: string; account_id: string }>()
  if (row === null) {
    return undefined
  }
  const { workspace_id, account_id, ...enrolment } = row
  return { enrolment: toEnrolment(enrolment), workspace_id, account_id }
}

/**
 * Makes an agent's key out of one use of an enrolment, where that is still good; in one transaction, so that of many who come at
 * once no more get in than it has uses. A key that is there already takes no use.
 * @param enrolment as it was found by its token
 * @returns the key of that hash; undefined where there is none, since the enrolment is not good
 */
export async function useEnrolment(
  db: D1Database,
  { enrolment, workspace_id }: { enrolment: Enrolment; workspace_id: string },
  key: AgentKey & { name: string },
  trail: AuditTrail | undefined,
  now: Micros,
): Promise<ApiKey | undefined> {
  const time = formatTimestamp(now)
  const expires = formatTimestamp(now + enrolment.key_seconds * MICROS_PER_SECOND)
  const made = { id: key.id, name: key.name, kind: 'agent', hint: key.hint, expires }
  await db.batch([
    db
      .prepare(
        `INSERT INTO api_key (hash, id, created, kind, workspace_id, name, hint, work_pool_ids, created_by, enrolment_id, expires)
         SELECT ?1, ?2, ?3, 'agent', workspace_id, ?4, ?5, work_pool_ids, 'enrolment ' || id, id, ?6 FROM enrolment
         WHERE workspace_id = ?7 AND id = ?8 AND revoked IS NULL AND expires > ?3 AND uses < max_uses
         ON CONFLICT DO NOTHING`,
      )
      .bind(key.hash, key.id, time, key.name, key.hint, expires, workspace_id, enrolment.id),
    db
      .prepare(
        'UPDATE enrolment SET uses = uses + 1 WHERE workspace_id = ? AND id = ? AND changes() > 0',
      )
      .bind(workspace_id, enrolment.id),
    ...recordsOf(db, trail, audited('api_key', null, made)),
  ])
  return await findKeyByHash(db, workspace_id, key.hash)
}

/**
 * Puts a key in the place of an agent's present one, which serves beside it until a time. With the same key again nothing is done.
 * @returns the key of that hash; undefined where somebody else has it
 */
export async function replaceAgentKey(
  workspace: Workspace,
  old: ApiKey,
  key: AgentKey,
  until: Micros,
  now: Micros,
): Promise<ApiKey | undefined> {
  const { DB } = workspace.bindings
  await DB.batch([
    DB.prepare(
      `INSERT INTO api_key (hash, id, created, kind, workspace_id, name, hint, work_pool_ids, created_by, enrolment_id, expires)
       SELECT ?1, ?2, ?3, kind, workspace_id, name, ?4, work_pool_ids, 'key ' || id, enrolment_id, ?5 FROM api_key
       WHERE workspace_id = ?6 AND id = ?7 AND kind = 'agent' AND revoked IS NULL
       ON CONFLICT DO NOTHING`,
    ).bind(
      key.hash,
      key.id,
      formatTimestamp(now),
      key.hint,
      expiryAfter(old, now),
      workspace.id,
      old.id,
    ),
    DB.prepare(
      `UPDATE api_key SET expires = min(coalesce(expires, ?1), ?1) WHERE workspace_id = ?2 AND id = ?3 AND changes() > 0`,
    ).bind(formatTimestamp(until), workspace.id, old.id),
  ])
  return await findKeyByHash(DB, workspace.id, key.hash)
}

/** As long as the one before was meant to serve; null: without an end. */
function expiryAfter({ created, expires }: ApiKey, now: Micros): string | null {
  return expires === null
    ? null
    : formatTimestamp(now + (Date.parse(expires) - Date.parse(created)) * 1000)
}

async function findKeyByHash(
  db: D1Database,
  workspaceId: string,
  hash: string,
): Promise<ApiKey | undefined> {
  const row = await db
    .prepare(
      `SELECT ${API_KEY_COLUMNS} FROM api_key WHERE hash = ? AND workspace_id = ? AND kind = 'agent' AND revoked IS NULL`,
    )
    .bind(hash, workspaceId)
    .first<ApiKeyRow>()
  return row === null ? undefined : toApiKey(row)
}

function toEnrolment({ work_pool_ids, ...row }: Row): Enrolment {
  return { ...row, work_pool_ids: JSON.parse(work_pool_ids) as string[] }
}
