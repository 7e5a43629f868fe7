import * as z from 'zod'
import { formatTimestamp, MICROS_PER_SECOND } from '#core/time.ts'
import { invitation, invitationCreate, member, memberUpdate } from '#core/wire/member.ts'
import { DomainError } from '#domain/errors.ts'
import { insertInvitation, listInvitations, revokeInvitation } from '#storage/invitations.ts'
import { findMember, listMembers, removeMember, setMemberRole } from '#storage/members.ts'
import { closeDoorbellsOf } from '../operations/personal-keys.ts'
import { report } from '../operations/report.ts'
import { mailerOf } from '../operations/send-mail.ts'
import { issuerOf } from './api-keys.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { originOf, PAGES_PATH } from './people-auth.ts'
import { requireRoleWithin } from './rights.ts'

const tag = 'Members'
const INVITED_MICROS = 7 * 24 * 3600 * MICROS_PER_SECOND

/** The people of the workspace, and those who are asked to be. */
export function addMemberRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/members',
      tag,
      summary: 'List the people who have a role in the workspace',
      answers: { 200: z.array(member) },
    },
    async ({ workspace }) => ({ status: 200, body: await listMembers(workspace) }),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/members/{id}',
      tag,
      summary: 'Give a person another role; it is in force within seconds',
      params: idParam,
      body: memberUpdate,
      answers: { 204: null },
      errors: [404, 409],
    },
    async ({ workspace, permissions, params, body }) => {
      requireRoleWithin(body.role, permissions)
      if ((await findMember(workspace, params.id)) === undefined) {
        notFound('Member')
      }
      return (await setMemberRole(workspace, params.id, body.role)) ? { status: 204 } : lastOwner()
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/members/{id}',
      tag,
      summary: 'Take a person out of the workspace; it is out within seconds',
      params: idParam,
      answers: { 204: null },
      errors: [404, 409],
    },
    async ({ workspace, params }) => {
      if ((await findMember(workspace, params.id)) === undefined) {
        notFound('Member')
      }
      if (!(await removeMember(workspace, params.id))) {
        lastOwner()
      }
      await closeDoorbellsOf(workspace, params.id)
      return { status: 204 }
    },
  )
  addInvitations(api)
}

function addInvitations(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/members/invitations',
      tag,
      summary: 'List the invitations to the workspace, also those that are over',
      answers: { 200: z.array(invitation) },
    },
    async ({ workspace }) => ({ status: 200, body: await listInvitations(workspace) }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/members/invitations',
      tag,
      summary: 'Invite who has an address; where mail is set up, a mail says so',
      body: invitationCreate,
      answers: { 201: invitation },
    },
    async (request) => {
      const { workspace, permissions, body, now, context } = request
      requireRoleWithin(body.role, permissions)
      const expires = body.expires ?? formatTimestamp(now + INVITED_MICROS)
      if (expires <= formatTimestamp(now)) {
        throw new DomainError('invalid', 'expires must be in the future', { field: ['expires'] })
      }
      const { email, role } = body
      const offered = { email, role, created_by: issuerOf(request).name, expires }
      const made = await insertInvitation(workspace, offered, now)
      const origin = originOf(context.env, context.req.raw)
      const sent = mailerOf(context.env)?.send({
        to: made.email,
        subject: `You are invited to the workspace ${workspace.name} at Headgate`,
        text: `You are invited to the workspace ${workspace.name} at ${origin} as ${role}, until ${expires}.\n\nSign up or sign in with ${made.email}:\n${origin}${PAGES_PATH}/sign-in\n\nIf you don't know why, there is nothing to do.\n`,
      })
      context.executionCtx.waitUntil(
        (sent ?? Promise.resolve()).catch((error: unknown) =>
          report('an invitation was not mailed', error, { invitation_id: made.id }),
        ),
      )
      return { status: 201, body: made }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/members/invitations/{id}',
      tag,
      summary: 'Take back an invitation that nobody has accepted',
      params: idParam,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params, now }) =>
      (await revokeInvitation(workspace, params.id, now))
        ? { status: 204 }
        : notFound('Invitation'),
  )
}

function notFound(what: string): never {
  throw new DomainError('not_found', `${what} not found`)
}

function lastOwner(): never {
  throw new DomainError('conflict', 'This is the last owner: make somebody else an owner first.')
}
