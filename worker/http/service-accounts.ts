import * as z from 'zod'
import {
  apiKey,
  apiKeyCreated,
  serviceAccount,
  serviceAccountCreate,
  serviceAccountKeyCreate,
  serviceAccountUpdate,
} from '#core/wire/api-key.ts'
import { DomainError } from '#domain/errors.ts'
import { listApiKeys } from '#storage/api-keys.ts'
import {
  findServiceAccount,
  insertServiceAccount,
  listServiceAccounts,
  removeServiceAccount,
  updateServiceAccount,
} from '#storage/service-accounts.ts'
import type { Workspace } from '#storage/workspace.ts'
import { createApiKey } from '../operations/create-api-key.ts'
import { closeDoorbells } from '../operations/revoke-api-key.ts'
import { issuerOf } from './api-keys.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { requireRoleWithin } from './rights.ts'

const tag = 'Service accounts'

/** Programs with a role in the workspace, and their keys. */
export function addServiceAccountRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/service_accounts',
      tag,
      summary: 'List the service accounts that have a role in the workspace',
      answers: { 200: z.array(serviceAccount) },
    },
    async ({ workspace }) => ({ status: 200, body: await listServiceAccounts(workspace) }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/service_accounts',
      tag,
      summary: 'Make a service account with a role in the workspace',
      body: serviceAccountCreate,
      answers: { 201: serviceAccount },
      errors: [409],
    },
    async (request) => {
      const { workspace, body, now } = request
      const issuer = issuerOf(request)
      requireRoleWithin(body.role, request.permissions)
      const id = await insertServiceAccount(workspace, body, issuer.name, now)
      return { status: 201, body: await readMade(workspace, id ?? taken(body.name)) }
    },
  )
  addOne(api)
  addKeys(api)
}

function addOne(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/service_accounts/{id}',
      tag,
      summary: 'Read a service account',
      params: idParam,
      answers: { 200: serviceAccount },
      errors: [404],
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: (await findServiceAccount(workspace, params.id)) ?? notFound(),
    }),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/service_accounts/{id}',
      tag,
      summary: 'Give a service account another name or role; its keys follow within seconds',
      params: idParam,
      body: serviceAccountUpdate,
      answers: { 204: null },
      errors: [404, 409],
    },
    async (request) => {
      const { workspace, params, body, now } = request
      const found = (await findServiceAccount(workspace, params.id)) ?? notFound()
      if (body.role !== undefined) {
        requireRoleWithin(body.role, request.permissions)
      }
      const changed = { name: body.name ?? found.name, role: body.role ?? found.role }
      return (await updateServiceAccount(workspace, found, changed, now))
        ? { status: 204 }
        : taken(changed.name)
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/service_accounts/{id}',
      tag,
      summary: 'Take a service account out of the workspace; its keys end',
      params: idParam,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params, now }) => {
      const found = (await findServiceAccount(workspace, params.id)) ?? notFound()
      const keys = await listApiKeys(workspace, params.id)
      await removeServiceAccount(workspace, found, now)
      await closeDoorbells(
        workspace,
        keys.map(({ id }) => id),
      )
      return { status: 204 }
    },
  )
}

function addKeys(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/service_accounts/{id}/keys',
      tag,
      summary: 'List the keys of a service account',
      params: idParam,
      answers: { 200: z.array(apiKey) },
      errors: [404],
    },
    async ({ workspace, params }) => {
      const { id } = (await findServiceAccount(workspace, params.id)) ?? notFound()
      return { status: 200, body: await listApiKeys(workspace, id) }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/service_accounts/{id}/keys',
      tag,
      summary: 'Make a key of a service account, for this workspace; its text is told this once',
      params: idParam,
      body: serviceAccountKeyCreate,
      answers: { 201: apiKeyCreated },
      errors: [404],
    },
    async (request) => {
      const { workspace, params, body, now } = request
      const owner = (await findServiceAccount(workspace, params.id)) ?? notFound()
      const spec = {
        name: body.name,
        kind: 'service_account' as const,
        owner_id: owner.id,
        role: owner.role,
        scopes: body.scopes ?? null,
        work_pool_ids: null,
        expires: body.expires ?? null,
      }
      return { status: 201, body: await createApiKey(workspace, spec, issuerOf(request), now) }
    },
  )
}

async function readMade(workspace: Workspace, id: string) {
  const made = await findServiceAccount(workspace, id)
  if (made === undefined) {
    throw new Error(`the service account ${id} that was made can not be read`)
  }
  return made
}

function taken(name: string): never {
  throw new DomainError('conflict', `A service account with the name '${name}' already exists.`)
}

function notFound(): never {
  throw new DomainError('not_found', 'Service account not found')
}
