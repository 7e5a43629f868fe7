import * as z from 'zod'
import { myAccount } from '#core/wire/account.ts'
import { DomainError } from '#domain/errors.ts'
import { accessId, findMembership } from '#storage/access.ts'
import { findAccountMember } from '#storage/account-members.ts'
import { listMyAccounts } from '#storage/accounts.ts'
import { removeMember } from '#storage/members.ts'
import { openWorkspace } from '#storage/workspace.ts'
import { leaveAccount } from '../operations/leave-account.ts'
import { closeDoorbellsOf } from '../operations/personal-keys.ts'
import { requireAccount, requirePerson } from './account-rights.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

const tag = 'Me'

/** Where a person belongs, and how it leaves. */
export function addLeavingRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/me/accounts',
      tag,
      summary: 'List the accounts that the caller belongs to',
      answers: { 200: z.array(myAccount) },
      ofHolder: true,
    },
    async ({ context, caller }) => ({
      status: 200,
      body: await listMyAccounts(context.env.DB, requirePerson(caller, 'see')),
    }),
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/me/accounts/{id}',
      tag,
      summary: 'Leave an account and all its workspaces',
      params: idParam,
      answers: { 204: null },
      errors: [404, 409],
      ofHolder: true,
    },
    async ({ context, caller, params, trailIn }) => {
      const { DB } = context.env
      requirePerson(caller, 'manage')
      const { account, person_id } = await requireAccount(DB, caller, params.id, 'know')
      const id = account.account_id
      const member = (await findAccountMember(DB, id, person_id)) ?? notFound('Account')
      await leaveAccount(context.env, id, member, trailIn(id, null))
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/me/workspaces/{id}',
      tag,
      summary: 'Leave a workspace; with the last one of an account, a plain member leaves that too',
      params: idParam,
      answers: { 204: null },
      errors: [404, 409],
      ofHolder: true,
    },
    async ({ context, caller, params, trailIn }) => {
      const personId = requirePerson(caller, 'manage')
      const { env } = context
      const found = await findMembership(env.DB, accessId(personId, params.id.toLowerCase()))
      if (found === undefined) {
        return notFound('Workspace')
      }
      const { account_id, id } = found.workspace
      const trail = trailIn(account_id, id)
      const workspace = { ...openWorkspace(env, found.workspace), trail }
      if (!(await removeMember(workspace, personId))) {
        throw new DomainError(
          'conflict',
          `You are the last owner of the workspace '${workspace.name}': make somebody else an owner first, or delete it.`,
        )
      }
      await closeDoorbellsOf(workspace, personId)
      return { status: 204 }
    },
  )
}

function notFound(what: string): never {
  throw new DomainError('not_found', `${what} not found`)
}
