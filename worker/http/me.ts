import * as z from 'zod'
import { myWorkspace } from '#core/wire/api-key.ts'
import { myInvitation } from '#core/wire/member.ts'
import { DomainError } from '#domain/errors.ts'
import { acceptInvitation, listMyInvitations } from '#storage/invitations.ts'
import { listMyWorkspaces } from '#storage/my-workspaces.ts'
import type { Caller } from './auth.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

/** What Prefect's client asks its cloud first: `prefect cloud login`, `prefect cloud workspace ls`. */
export function addMeRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/me/workspaces',
      tag: 'Me',
      summary: 'List the workspaces that the key opens, in the words of Prefect Cloud',
      answers: { 200: z.array(myWorkspace) },
      ofHolder: true,
    },
    async ({ caller, context }) => ({
      status: 200,
      body: caller.kind === 'run' ? [] : await listMyWorkspaces(context.env.DB, caller),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/me/invitations',
      tag: 'Me',
      summary: 'List the open invitations of who is signed in',
      answers: { 200: z.array(myInvitation) },
      ofHolder: true,
    },
    async ({ caller, context, now }) => {
      const person = requirePerson(caller)
      return { status: 200, body: await listMyInvitations(context.env.DB, person, now) }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/me/invitations/{id}/accept',
      tag: 'Me',
      summary: 'Accept an invitation',
      params: idParam,
      answers: { 204: null },
      errors: [404],
      ofHolder: true,
    },
    async ({ caller, context, params, trailIn, now }) => {
      const person = requirePerson(caller)
      if (!(await acceptInvitation(context.env.DB, person, params.id, trailIn, now))) {
        throw new DomainError('not_found', 'Invitation not found')
      }
      return { status: 204 }
    },
  )
}

/** The person's id: invitations are for people. */
function requirePerson(caller: Caller): string {
  if (caller.kind !== 'user') {
    throw new DomainError('forbidden', 'Only who is signed in has invitations; a key has none.')
  }
  return caller.id
}
