import { API_KEY_RANDOM_BYTES, apiKey } from '#core/api-key.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { ApiKey, ApiKeyCreated } from '#core/wire/api-key.ts'
import { DomainError } from '#domain/errors.ts'
import { type KeyRights, type Permission, permissionsOfKey } from '#domain/permissions.ts'
import { findApiKey, insertApiKey } from '#storage/api-keys.ts'
import { newId } from '#storage/new-id.ts'
import { findWorkPoolKey } from '#storage/work-pools.ts'
import type { Workspace } from '#storage/workspace.ts'

/** Who asks for a key, and what that caller may do. */
export interface Issuer {
  /** In words: its kind and id. */
  name: string
  permissions: ReadonlySet<Permission>
}

export interface KeySpec {
  name: string
  kind: ApiKey['kind']
  owner_id: string | null
  /** Its owner's role in the workspace. */
  role: string | null
  scopes: Permission[] | null
  work_pool_ids: string[] | null
  expires: string | null
}

/**
 * Makes a key that is bound to the workspace. Its text is in the answer only.
 * @throws DomainError `forbidden` where it would allow more than its issuer may do; `invalid` with an end in the past
 */
export async function createApiKey(
  workspace: Workspace,
  spec: KeySpec,
  issuer: Issuer,
  now: Micros,
): Promise<ApiKeyCreated> {
  requireWithin(spec, issuer)
  if (spec.expires !== null && spec.expires <= formatTimestamp(now)) {
    throw new DomainError('invalid', 'expires must be in the future', { field: ['expires'] })
  }
  return await insert(workspace, spec, issuer, now)
}

/**
 * Makes a key with the rights of another, which serves beside it for a while.
 * @throws DomainError `not_found`; `conflict` for a key that is no longer good; `forbidden` as `createApiKey`
 */
export async function rotateApiKey(
  workspace: Workspace,
  id: string,
  role: string | null,
  overlapSeconds: number,
  issuer: Issuer,
  now: Micros,
): Promise<ApiKeyCreated> {
  const old = await findApiKey(workspace, id)
  if (old === undefined) {
    throw new DomainError('not_found', 'API key not found')
  }
  if (old.revoked !== null || (old.expires !== null && old.expires <= formatTimestamp(now))) {
    throw new DomainError('conflict', 'This key is revoked or has expired: make a new one.')
  }
  const spec = { ...old, role }
  requireWithin(spec, issuer)
  const expires = formatTimestamp(now + overlapSeconds * MICROS_PER_SECOND)
  return await insert(workspace, spec, issuer, now, { id, expires })
}

/** The ids of pools by their names. @throws DomainError `not_found` for a name that the workspace does not have */
export async function poolIdsOf(workspace: Workspace, names: readonly string[]): Promise<string[]> {
  return await Promise.all(
    names.map(async (name) => {
      const pool = await findWorkPoolKey(workspace, name)
      if (pool === undefined) {
        throw new DomainError('not_found', `Work pool "${name}" not found.`)
      }
      return pool.id
    }),
  )
}

async function insert(
  workspace: Workspace,
  spec: KeySpec,
  issuer: Issuer,
  now: Micros,
  replaced?: { id: string; expires: string },
): Promise<ApiKeyCreated> {
  const { name, kind, owner_id, scopes, work_pool_ids, expires } = spec
  const text = apiKey(crypto.getRandomValues(new Uint8Array(API_KEY_RANDOM_BYTES)))
  const id = newId(now)
  await insertApiKey(
    workspace,
    {
      id,
      kind,
      workspace_id: workspace.id,
      owner_id,
      name,
      text,
      scopes,
      work_pool_ids,
      created_by: issuer.name,
      expires,
    },
    now,
    replaced,
  )
  const made = await findApiKey(workspace, id)
  if (made === undefined) {
    throw new Error(`the key ${id} that was made can not be read`)
  }
  return { ...made, key: text }
}

/** Nobody gives away what they don't have. */
function requireWithin(rights: KeyRights, { permissions }: Issuer): void {
  const more = [...permissionsOfKey(rights)].filter((permission) => !permissions.has(permission))
  if (more.length > 0) {
    throw new DomainError(
      'forbidden',
      `The key would allow more than the one of this request: ${more.join(', ')}.`,
    )
  }
}
