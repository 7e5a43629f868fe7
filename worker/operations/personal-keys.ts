import { API_KEY_RANDOM_BYTES, apiKey } from '#core/api-key.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { PersonalKey, PersonalKeyCreated } from '#core/wire/api-key.ts'
import type { AuditTrail, TrailIn } from '#domain/audit.ts'
import { DomainError } from '#domain/errors.ts'
import { newId } from '#storage/new-id.ts'
import {
  findPersonalKey,
  insertPersonalKey,
  listPersonalKeys,
  listWorkspaceRowsOf,
  revokePersonalKey,
} from '#storage/personal-keys.ts'
import {
  openWorkspace,
  type Bindings,
  type Workspace,
  type WorkspaceRow,
} from '#storage/workspace.ts'
import { closeDoorbells } from './revoke-api-key.ts'

/** Who asks: a person who is signed in, or one of its own keys. */
export interface KeyOwner {
  user_id: string
  /** Undefined: it is signed in. */
  key_id: string | undefined
  /** For the audit logs of the workspaces that a key opens. */
  trailIn: TrailIn
}

export type PersonalKeySpec = Pick<PersonalKey, 'name' | 'workspace_id' | 'scopes' | 'expires'>

/**
 * Makes a key that acts as its person, with the role that it has at the time. Its text is in the answer only.
 * @throws DomainError `forbidden` for a key that is limited itself; `not_found` for a workspace that the person has no role in;
 * `invalid` with an end in the past
 */
export async function createPersonalKey(
  db: D1Database,
  owner: KeyOwner,
  spec: PersonalKeySpec,
  now: Micros,
): Promise<PersonalKeyCreated> {
  const by = await requireUnlimited(db, owner)
  if (spec.expires !== null && spec.expires <= formatTimestamp(now)) {
    throw new DomainError('invalid', 'expires must be in the future', { field: ['expires'] })
  }
  if (by !== undefined && by.expires !== null && (spec.expires ?? '~') > by.expires) {
    throw new DomainError('forbidden', `The key of this request ends earlier: ${by.expires}.`)
  }
  const opened = await openedBy(db, owner, spec.workspace_id)
  if (spec.workspace_id !== null && opened.length === 0) {
    throw new DomainError('not_found', 'Workspace not found')
  }
  return await insert(db, owner, spec, opened, now)
}

/**
 * Makes a key with the rights of another, which serves beside it for a while. Any key may do that with itself.
 * @throws DomainError `not_found`; `conflict` for a key that is no longer good; `forbidden` as `createPersonalKey`
 */
export async function rotatePersonalKey(
  db: D1Database,
  owner: KeyOwner,
  id: string,
  overlapSeconds: number,
  now: Micros,
): Promise<PersonalKeyCreated> {
  const old = await findOwn(db, owner, id)
  if (old.revoked !== null || (old.expires !== null && old.expires <= formatTimestamp(now))) {
    throw new DomainError('conflict', 'This key is revoked or has expired: make a new one.')
  }
  const expires = formatTimestamp(now + overlapSeconds * MICROS_PER_SECOND)
  const opened = await openedBy(db, owner, old.workspace_id)
  return await insert(db, owner, old, opened, now, { id, expires })
}

/**
 * Ends a key, and what waits at doorbells with it.
 * @throws DomainError `not_found`; `forbidden` as `createPersonalKey`
 */
export async function endPersonalKey(
  bindings: Bindings,
  owner: KeyOwner,
  id: string,
  now: Micros,
): Promise<void> {
  const key = await findOwn(bindings.DB, owner, id)
  const opened = await openedBy(bindings.DB, owner, key.workspace_id)
  await revokePersonalKey(bindings.DB, key, trailsOf(owner, opened), now)
  for (const row of opened) {
    // One after another, as the homes in each.
    // oxlint-disable-next-line no-await-in-loop
    await closeDoorbells(openWorkspace(bindings, row), [id])
  }
}

/** Ends what waits in the workspace with keys of a person that has no role there any more. */
export async function closeDoorbellsOf(workspace: Workspace, userId: string): Promise<void> {
  const keys = await listPersonalKeys(workspace.bindings.DB, userId)
  if (keys.length > 0) {
    await closeDoorbells(
      workspace,
      keys.map(({ id }) => id),
    )
  }
}

async function insert(
  db: D1Database,
  owner: KeyOwner,
  { name, workspace_id, scopes, expires }: PersonalKeySpec,
  opened: readonly WorkspaceRow[],
  now: Micros,
  replaced?: { id: string; expires: string },
): Promise<PersonalKeyCreated> {
  const { user_id: userId, key_id: keyId } = owner
  const text = apiKey(crypto.getRandomValues(new Uint8Array(API_KEY_RANDOM_BYTES)))
  const id = newId(now)
  const key = {
    id,
    kind: 'personal' as const,
    workspace_id,
    owner_id: userId,
    name,
    text,
    scopes,
    work_pool_ids: null,
    created_by: keyId === undefined ? `user ${userId}` : `key ${keyId}`,
    expires,
  }
  await insertPersonalKey(db, key, trailsOf(owner, opened), now, replaced)
  const made = await findPersonalKey(db, userId, id)
  if (made === undefined) {
    throw new Error(`the key ${id} that was made can not be read`)
  }
  return { ...made, key: text }
}

/** The workspaces that a key of the person opens now. */
async function openedBy(
  db: D1Database,
  { user_id: userId }: KeyOwner,
  boundTo: string | null,
): Promise<WorkspaceRow[]> {
  const rows = await listWorkspaceRowsOf(db, userId)
  return rows.filter(({ id }) => boundTo === null || id === boundTo)
}

function trailsOf({ trailIn }: KeyOwner, opened: readonly WorkspaceRow[]): AuditTrail[] {
  return opened.map(({ id, account_id }) => trailIn(account_id, id))
}

async function findOwn(db: D1Database, owner: KeyOwner, id: string): Promise<PersonalKey> {
  if (owner.key_id !== id) {
    await requireUnlimited(db, owner)
  }
  const found = await findPersonalKey(db, owner.user_id, id)
  if (found === undefined) {
    throw new DomainError('not_found', 'API key not found')
  }
  return found
}

/** The key of the request, which must not be limited: nobody gives away what they don't have. */
async function requireUnlimited(
  db: D1Database,
  { user_id: userId, key_id: keyId }: KeyOwner,
): Promise<PersonalKey | undefined> {
  const by = keyId === undefined ? undefined : await findPersonalKey(db, userId, keyId)
  if (by !== undefined && (by.scopes !== null || by.workspace_id !== null)) {
    throw new DomainError(
      'forbidden',
      'This key is limited to scopes or to a workspace: it may not do that with other keys of its owner.',
    )
  }
  return by
}
