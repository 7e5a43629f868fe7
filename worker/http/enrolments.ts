import * as z from 'zod'
import { apiKey } from '#core/wire/api-key.ts'
import {
  agentEnrol,
  agentEnrolled,
  agentKeyReplace,
  enrolment,
  enrolmentCreate,
  enrolmentCreated,
} from '#core/wire/enrolment.ts'
import { DomainError } from '#domain/errors.ts'
import {
  findEnrolment,
  listEnrolments,
  listKeyIdsOfEnrolment,
  revokeEnrolment,
} from '#storage/enrolments.ts'
import { createEnrolment, enrolAgent, replaceKeyOfAgent } from '../operations/enrol-agent.ts'
import { endApiKey } from '../operations/revoke-api-key.ts'
import { issuerOf } from './api-keys.ts'
import { originOf } from './audit-trail.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { operationId } from './operation-id.ts'

const tag = 'Enrolments'

/** What lets agents in, and how they come in. */
export function addEnrolmentRoutes(api: Api): void {
  addRoutesOfOwners(api)
  addRoutesOfAgents(api)
}

function addRoutesOfOwners(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/enrolments',
      tag,
      summary: 'List what lets agents in',
      answers: { 200: z.array(enrolment) },
    },
    async ({ workspace }) => ({ status: 200, body: await listEnrolments(workspace) }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/enrolments',
      tag,
      summary: 'Make a token by which agents get keys for pools; it is told this once',
      body: enrolmentCreate,
      answers: { 201: enrolmentCreated },
      errors: [404],
    },
    async (request) => ({
      status: 201,
      body: await createEnrolment(request.workspace, request.body, issuerOf(request), request.now),
    }),
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/enrolments/{id}',
      tag,
      summary: 'Let no more agents in; with `keys` those that it let in lose their keys as well',
      params: idParam,
      query: z.object({ keys: z.enum(['true', 'false']).optional() }),
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params, query, now }) => {
      const found = await findEnrolment(workspace, params.id)
      if (found === undefined) {
        throw new DomainError('not_found', 'Enrolment not found')
      }
      await revokeEnrolment(workspace, found, now)
      const ids = query.keys === 'true' ? await listKeyIdsOfEnrolment(workspace, found.id) : []
      for (const id of ids) {
        // oxlint-disable-next-line no-await-in-loop -- each closes the doorbells of its agent
        await endApiKey(workspace, id, now)
      }
      return { status: 204 }
    },
  )
}

function addRoutesOfAgents(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/agents/enrol',
      tag,
      summary:
        'Let an agent in: its token for the key that it has made; again with the same key changes nothing',
      body: agentEnrol,
      answers: { 201: agentEnrolled },
      errors: [403],
      open: true,
      takesSecrets: true,
    },
    async ({ body, context, now }) => {
      const { env, req } = context
      const enrolled = await enrolAgent(
        env.DB,
        body,
        (account_id, workspace_id, { id, name }) => ({
          now,
          account_id,
          workspace_id,
          actor_kind: 'agent',
          actor_id: id,
          actor_name: name,
          key_id: null,
          key_hint: null,
          ...originOf(req.raw.headers),
          operation: operationId('post', '/agents/enrol'),
          request_id: context.get('requestId'),
        }),
        now,
      )
      return { status: 201, body: enrolled }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/agents/key',
      tag,
      summary:
        'Put a key that an agent has made in the place of its present one, which serves for an hour more',
      body: agentKeyReplace,
      answers: { 201: apiKey },
      errors: [409],
    },
    async ({ workspace, caller, body, now }) => {
      if (caller.kind !== 'key') {
        throw new DomainError('conflict', 'This replaces the key of an agent.')
      }
      return { status: 201, body: await replaceKeyOfAgent(workspace, caller.id, body, now) }
    },
  )
}
