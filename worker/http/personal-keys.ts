import * as z from 'zod'
import {
  apiKeyRotate,
  personalKey,
  personalKeyCreate,
  personalKeyCreated,
} from '#core/wire/api-key.ts'
import type { TrailIn } from '#domain/audit.ts'
import { DomainError } from '#domain/errors.ts'
import { listPersonalKeys } from '#storage/personal-keys.ts'
import {
  createPersonalKey,
  endPersonalKey,
  rotatePersonalKey,
  type KeyOwner,
} from '../operations/personal-keys.ts'
import { DEFAULT_OVERLAP_SECONDS } from './api-keys.ts'
import type { Caller } from './auth.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

const tag = 'Me'

/** The keys of a person, for who is signed in and for these keys. */
export function addPersonalKeyRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/me/api_keys',
      tag,
      summary: 'List the personal keys of who asks',
      answers: { 200: z.array(personalKey) },
      ofHolder: true,
    },
    async ({ caller, context, trailIn }) => ({
      status: 200,
      body: await listPersonalKeys(context.env.DB, ownerOf(caller, trailIn).user_id),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/me/api_keys',
      tag,
      summary: 'Make a key that acts as who asks, in each workspace; its text is told this once',
      body: personalKeyCreate,
      answers: { 201: personalKeyCreated },
      errors: [404],
      ofHolder: true,
    },
    async ({ caller, context, trailIn, body, now }) => {
      const spec = {
        name: body.name,
        workspace_id: body.workspace_id ?? null,
        scopes: body.scopes ?? null,
        expires: body.expires ?? null,
      }
      const made = await createPersonalKey(context.env.DB, ownerOf(caller, trailIn), spec, now)
      return { status: 201, body: made }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/me/api_keys/{id}/rotate',
      tag,
      summary: 'Make a personal key in place of another, which serves beside it for a while',
      params: idParam,
      body: apiKeyRotate,
      bodyOptional: true,
      answers: { 201: personalKeyCreated },
      errors: [404, 409],
      ofHolder: true,
    },
    async ({ caller, context, trailIn, params, body, now }) => {
      const overlap = body.overlap_seconds ?? DEFAULT_OVERLAP_SECONDS
      const owner = ownerOf(caller, trailIn)
      const made = await rotatePersonalKey(context.env.DB, owner, params.id, overlap, now)
      return { status: 201, body: made }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/me/api_keys/{id}',
      tag,
      summary: 'Revoke a personal key: it ends within five seconds, open sockets included',
      params: idParam,
      answers: { 204: null },
      errors: [404],
      ofHolder: true,
    },
    async ({ caller, context, trailIn, params, now }) => {
      await endPersonalKey(context.env, ownerOf(caller, trailIn), params.id, now)
      return { status: 204 }
    },
  )
}

function ownerOf(caller: Caller, trailIn: TrailIn): KeyOwner {
  if (caller.kind === 'user') {
    return { user_id: caller.id, key_id: undefined, trailIn }
  }
  if (caller.kind === 'key' && caller.key_kind === 'personal' && caller.owner_id !== null) {
    return { user_id: caller.owner_id, key_id: caller.id, trailIn }
  }
  throw new DomainError(
    'forbidden',
    'Only people have personal keys: sign in, or use a personal key. The first one is made on the page /api/auth-pages/account.',
  )
}
