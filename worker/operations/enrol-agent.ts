import {
  API_KEY_RANDOM_BYTES,
  enrolmentToken,
  enrolmentTokenHint,
  isEnrolmentToken,
} from '#core/api-key.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { ApiKey } from '#core/wire/api-key.ts'
import type {
  AgentEnrol,
  AgentEnrolled,
  AgentKeyReplace,
  EnrolmentCreate,
  EnrolmentCreated,
} from '#core/wire/enrolment.ts'
import type { AuditTrail } from '#domain/audit.ts'
import { DomainError } from '#domain/errors.ts'
import { permissionsOfKey } from '#domain/permissions.ts'
import { hashApiKey } from '#storage/access.ts'
import { findApiKey } from '#storage/api-keys.ts'
import {
  findEnrolmentByHash,
  insertEnrolment,
  replaceAgentKey,
  useEnrolment,
} from '#storage/enrolments.ts'
import { newId } from '#storage/new-id.ts'
import type { Workspace } from '#storage/workspace.ts'
import { poolIdsOf, type Issuer } from './create-api-key.ts'

const DEFAULT_SECONDS = 3600
const DEFAULT_KEY_SECONDS = 30 * 86_400
/** An agent that has not heard of its new key yet goes on with the old one. */
const OVERLAP_SECONDS = 3600

/**
 * Makes what lets agents in. Its token is in the answer only.
 * @throws DomainError `not_found` for a pool that is not there; `invalid` with an end in the past; `forbidden` where its keys
 *   would allow more than its issuer may do
 */
export async function createEnrolment(
  workspace: Workspace,
  body: EnrolmentCreate,
  issuer: Issuer,
  now: Micros,
): Promise<EnrolmentCreated> {
  const rights = permissionsOfKey({ kind: 'agent', role: null, scopes: null })
  if ([...rights].some((permission) => !issuer.permissions.has(permission))) {
    throw new DomainError('forbidden', 'Its keys would allow more than the one of this request.')
  }
  const created = formatTimestamp(now)
  const expires = body.expires ?? formatTimestamp(now + DEFAULT_SECONDS * MICROS_PER_SECOND)
  if (expires <= created) {
    throw new DomainError('invalid', 'expires must be in the future', { field: ['expires'] })
  }
  const token = enrolmentToken(crypto.getRandomValues(new Uint8Array(API_KEY_RANDOM_BYTES)))
  const enrolment = {
    id: newId(now),
    created,
    name: body.name,
    hint: enrolmentTokenHint(token),
    work_pool_ids: await poolIdsOf(workspace, body.work_pools),
    created_by: issuer.name,
    expires,
    max_uses: body.max_uses ?? 1,
    uses: 0,
    key_seconds: body.key_seconds ?? DEFAULT_KEY_SECONDS,
    revoked: null,
  }
  await insertEnrolment(workspace, enrolment, await hashApiKey(token))
  return { ...enrolment, token }
}

/**
 * Lets an agent in that has made its own key and has a token to show. Idempotent by the key: an agent that did not hear the answer
 * asks again, with the same one, and takes no other use.
 * @param trailIn of the audit log, in the enrolment's workspace
 * @throws DomainError `forbidden`, the same whatever is wrong with the token
 */
export async function enrolAgent(
  db: D1Database,
  { token, name, key_hash: hash, key_hint: hint }: AgentEnrol,
  trailIn: (
    account_id: string,
    workspace_id: string,
    key: { id: string; name: string },
  ) => AuditTrail,
  now: Micros,
): Promise<AgentEnrolled> {
  const found = isEnrolmentToken(token)
    ? await findEnrolmentByHash(db, await hashApiKey(token))
    : undefined
  const id = newId(now)
  const key =
    found === undefined
      ? undefined
      : await useEnrolment(
          db,
          found,
          { id, hash, hint, name },
          trailIn(found.account_id, found.workspace_id, { id, name }),
          now,
        )
  if (found === undefined || key === undefined) {
    throw new DomainError(
      'forbidden',
      'This enrolment token lets nobody in: it is not known, used up, revoked or has expired.',
    )
  }
  return { account_id: found.account_id, workspace_id: found.workspace_id, key }
}

/**
 * Puts a key that an agent has made in the place of the one that it calls with. Idempotent by the key.
 * @throws DomainError `conflict` for a key that is no agent's, and for a new key that is somebody else's
 */
export async function replaceKeyOfAgent(
  workspace: Workspace,
  keyId: string,
  { key_hash: hash, key_hint: hint }: AgentKeyReplace,
  now: Micros,
): Promise<ApiKey> {
  const old = await findApiKey(workspace, keyId)
  const until = now + OVERLAP_SECONDS * MICROS_PER_SECOND
  const key =
    old?.kind === 'agent'
      ? await replaceAgentKey(workspace, old, { id: newId(now), hash, hint }, until, now)
      : undefined
  if (key === undefined) {
    throw new DomainError('conflict', 'This replaces the key of an agent, by one that is new.')
  }
  return key
}
