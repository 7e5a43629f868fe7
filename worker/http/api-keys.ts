import * as z from 'zod'
import { apiKey, apiKeyCreate, apiKeyCreated, apiKeyRotate } from '#core/wire/api-key.ts'
import { DomainError } from '#domain/errors.ts'
import { findApiKey, listApiKeys } from '#storage/api-keys.ts'
import { findServiceAccount } from '#storage/service-accounts.ts'
import type { Workspace } from '#storage/workspace.ts'
import { createApiKey, poolIdsOf, rotateApiKey, type Issuer } from '../operations/create-api-key.ts'
import { endApiKey } from '../operations/revoke-api-key.ts'
import { endpoint, idParam, type Api, type EndpointRequest } from './endpoint.ts'

const tag = 'API keys'
export const DEFAULT_OVERLAP_SECONDS = 24 * 3600

/** The keys that are bound to the workspace. */
export function addApiKeyRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/keys',
      tag,
      summary: 'List the keys that are bound to the workspace',
      answers: { 200: z.array(apiKey) },
    },
    async ({ workspace }) => ({ status: 200, body: await listApiKeys(workspace) }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/keys',
      tag,
      summary: 'Make a key of the workspace, or one for agents; its text is told this once',
      body: apiKeyCreate,
      answers: { 201: apiKeyCreated },
      errors: [404],
    },
    async (request) => {
      const { workspace, body, now } = request
      requireFitting(body)
      const pools = body.work_pools ?? null
      const spec = {
        name: body.name,
        kind: body.kind,
        owner_id: null,
        role: null,
        scopes: body.kind === 'agent' ? null : (body.scopes ?? [...request.permissions]),
        work_pool_ids: pools === null ? null : await poolIdsOf(workspace, pools),
        expires: body.expires ?? null,
      }
      return { status: 201, body: await createApiKey(workspace, spec, issuerOf(request), now) }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/keys/{id}',
      tag,
      summary: 'Read what is known of a key',
      params: idParam,
      answers: { 200: apiKey },
      errors: [404],
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: (await findApiKey(workspace, params.id)) ?? notFound(),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/keys/{id}/rotate',
      tag,
      summary: 'Make a key in place of another, which serves beside it for a while',
      params: idParam,
      body: apiKeyRotate,
      bodyOptional: true,
      answers: { 201: apiKeyCreated },
      errors: [404, 409],
    },
    async (request) => {
      const { workspace, params, body, now } = request
      const overlap = body.overlap_seconds ?? DEFAULT_OVERLAP_SECONDS
      const role = await roleOfOwner(workspace, params.id)
      const issuer = issuerOf(request)
      return {
        status: 201,
        body: await rotateApiKey(workspace, params.id, role, overlap, issuer, now),
      }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/keys/{id}',
      tag,
      summary: 'Revoke a key: it ends within five seconds, open sockets included',
      params: idParam,
      answers: { 204: null },
      errors: [404, 409],
    },
    async ({ workspace, caller, params, now }) => {
      if ((await findApiKey(workspace, params.id)) === undefined) {
        notFound()
      }
      if (caller.kind === 'key' && caller.id === params.id) {
        // So that at least one is left that can make others.
        throw new DomainError('conflict', 'This is the key of the request: revoke it by another.')
      }
      await endApiKey(workspace, params.id, now)
      return { status: 204 }
    },
  )
}

/** Who makes a key, as it is kept. */
export function issuerOf({
  caller,
  permissions,
}: Pick<EndpointRequest<unknown, unknown, unknown>, 'caller' | 'permissions'>): Issuer {
  return {
    name: caller.kind === 'run' ? `flow run ${caller.flow_run_id}` : `${caller.kind} ${caller.id}`,
    permissions,
  }
}

function requireFitting(body: z.infer<typeof apiKeyCreate>): void {
  const [field, kind] =
    body.kind === 'agent' ? (['scopes', 'workspace'] as const) : (['work_pools', 'agent'] as const)
  if (body[field] !== undefined && body[field] !== null) {
    throw new DomainError('invalid', `${field} are for keys of the kind ${kind}`, {
      field: [field],
    })
  }
}

async function roleOfOwner(workspace: Workspace, keyId: string): Promise<string | null> {
  const key = await findApiKey(workspace, keyId)
  if (key?.kind === 'personal') {
    // Its text would let whoever manages the workspace act as somebody else.
    throw new DomainError('forbidden', 'Only its owner may rotate a personal key.')
  }
  const owner =
    key?.kind === 'service_account'
      ? await findServiceAccount(workspace, key.owner_id ?? '')
      : undefined
  return owner?.role ?? null
}

function notFound(): never {
  throw new DomainError('not_found', 'API key not found')
}
