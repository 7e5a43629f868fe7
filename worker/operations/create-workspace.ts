import { API_KEY_RANDOM_BYTES, apiKey } from '#core/api-key.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import { audited, type AuditTrail } from '#domain/audit.ts'
import { insertApiKeyStatement, type PlainStatement } from '#storage/access.ts'
import { isNameTaken } from '#storage/accounts.ts'
import { recordStatements } from '#storage/audit.ts'
import { newHomeKey } from '#storage/homes.ts'
import { newId } from '#storage/new-id.ts'

interface NewAccount {
  account_name: string
  workspace_name: string
  /** Where its objects are made: a location hint, or null for near their first caller. */
  region?: string | null
}

export interface NewWorkspace extends NewAccount {
  key_name: string
}

export interface CreatedWorkspace {
  account_id: string
  workspace_id: string
  key_id: string
  /** The key's text: shown once, never stored. */
  key: string
}

/** Runs without a pool are spread over this many homes. */
const POOLLESS_HOMES = 2
/** How many objects a workspace's flow runs are spread over; the numbers may be raised later, never lowered. */
const EVENT_STREAMS = 4
const LOG_SHARDS = 4

/** Makes an account with one workspace, the homes of its runs without a pool and a key, in one transaction. */
export async function createWorkspace(
  db: D1Database,
  spec: NewWorkspace,
  now: Micros,
): Promise<CreatedWorkspace> {
  const { created, statements } = await planWorkspace(spec, now)
  await db.batch(statements.map(({ sql, values }) => db.prepare(sql).bind(...values)))
  return created
}

/** The statements that make a workspace, for whoever runs them by other means than a binding. */
export async function planWorkspace(
  spec: NewWorkspace,
  now: Micros,
): Promise<{ created: CreatedWorkspace; statements: PlainStatement[] }> {
  const keyId = newId(now)
  const key = apiKey(crypto.getRandomValues(new Uint8Array(API_KEY_RANDOM_BYTES)))
  const accountId = newId(now)
  const { workspaceId, statements } = planAccount(accountId, spec, now)
  statements.push(
    await insertApiKeyStatement(
      {
        id: keyId,
        kind: 'workspace',
        workspace_id: workspaceId,
        owner_id: null,
        name: spec.key_name,
        text: key,
        scopes: null,
        work_pool_ids: null,
        created_by: null,
        expires: null,
      },
      now,
    ),
  )
  return {
    created: { account_id: accountId, workspace_id: workspaceId, key_id: keyId, key },
    statements,
  }
}

/** The statements that make an account with one workspace and no key. */
export function planAccount(
  accountId: string,
  spec: NewAccount,
  now: Micros,
): { workspaceId: string; statements: PlainStatement[] } {
  const time = formatTimestamp(now)
  const { workspaceId, statements } = planWorkspaceOf(
    accountId,
    { name: spec.workspace_name, region: spec.region ?? null },
    now,
  )
  return {
    workspaceId,
    statements: [
      {
        sql: 'INSERT INTO account (id, created, updated, name) VALUES (?, ?, ?, ?)',
        values: [accountId, time, time, spec.account_name],
      },
      ...statements,
    ],
  }
}

/**
 * Makes one more workspace of an account, which its maker and the account's owners own.
 * @returns its id; undefined where the account has one of that name
 */
export async function addWorkspace(
  db: D1Database,
  accountId: string,
  spec: { name: string; region: string | null },
  makerId: string,
  trail: AuditTrail,
): Promise<string | undefined> {
  const { now } = trail
  const { workspaceId, statements } = planWorkspaceOf(accountId, spec, now)
  statements.push(
    {
      sql: `INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created)
        SELECT ?, 'user', user_id, 'owner', ? FROM account_member
        WHERE account_id = ? AND (role = 'owner' OR user_id = ?)`,
      values: [workspaceId, formatTimestamp(now), accountId, makerId],
    },
    ...recordStatements(trail, audited('workspace', null, { id: workspaceId, ...spec })),
  )
  try {
    await db.batch(statements.map(({ sql, values }) => db.prepare(sql).bind(...values)))
    return workspaceId
  } catch (error) {
    if (isNameTaken(error)) {
      return undefined
    }
    throw error
  }
}

function planWorkspaceOf(
  accountId: string,
  { name, region }: { name: string; region: string | null },
  now: Micros,
): { workspaceId: string; statements: PlainStatement[] } {
  const time = formatTimestamp(now)
  const workspaceId = newId(now)
  const homes = new Set<string>()
  while (homes.size < POOLLESS_HOMES) {
    homes.add(newHomeKey())
  }
  const statements: PlainStatement[] = [
    {
      sql: `INSERT INTO workspace (id, created, updated, account_id, name, store, region, event_streams, log_shards)
         VALUES (?, ?, ?, ?, ?, 'DB', ?, ?, ?)`,
      values: [workspaceId, time, time, accountId, name, region, EVENT_STREAMS, LOG_SHARDS],
    },
    ...[...homes].map((home) => ({
      sql: 'INSERT INTO home (workspace_id, key, created, work_pool_id) VALUES (?, ?, ?, NULL)',
      values: [workspaceId, home, time],
    })),
  ]
  return { workspaceId, statements }
}
