import * as z from 'zod'
import {
  accountMember,
  accountMemberUpdate,
  accountTransfer,
  accountUpdate,
  accountUsage,
  myAccount,
} from '#core/wire/account.ts'
import { deletion, deletionRequest } from '#core/wire/deletion.ts'
import { workspace, workspaceCreate } from '#core/wire/workspace.ts'
import { DomainError } from '#domain/errors.ts'
import { permissionToChange } from '#domain/permissions.ts'
import { monthOf } from '#domain/usage.ts'
import {
  findAccountMember,
  listAccountMembers,
  setAccountRole,
  transferAccount,
} from '#storage/account-members.ts'
import { listAccountWorkspaces, readAccountUsage, renameAccount } from '#storage/accounts.ts'
import { addWorkspace } from '../operations/create-workspace.ts'
import { deleteAccount } from '../operations/delete-workspace.ts'
import { leaveAccount } from '../operations/leave-account.ts'
import { requireAccount, requireOf } from './account-rights.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

const tag = 'Accounts'
const memberParam = idParam.extend({ user_id: z.string() })

/** Accounts, for their people: what a role in an account allows, `domain/permissions` says. */
export function addAccountRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/accounts/{id}',
      tag,
      summary: 'Read an account that the caller belongs to, and what the caller is in it',
      params: idParam,
      answers: { 200: myAccount },
      errors: [404],
      ofHolder: true,
    },
    async ({ context, caller, params }) => {
      const { account } = await requireAccount(context.env.DB, caller, params.id, 'know')
      return { status: 200, body: account }
    },
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/accounts/{id}',
      tag,
      summary: 'Give an account another name',
      params: idParam,
      body: accountUpdate,
      answers: { 204: null },
      errors: [404],
      ofHolder: true,
    },
    async ({ context, caller, params, body, trailIn }) => {
      const { DB } = context.env
      const { account } = await requireAccount(DB, caller, params.id, 'own')
      await renameAccount(DB, account, body.name, trailIn(account.account_id, null))
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/accounts/{id}',
      tag,
      summary: 'Delete an account with all its workspaces, for good; access ends at once',
      params: idParam,
      body: deletionRequest,
      answers: { 202: deletion },
      errors: [404],
      ofHolder: true,
    },
    async ({ context, caller, params, body, trailIn }) => {
      const { env } = context
      const { account, person_id } = await requireAccount(env.DB, caller, params.id, 'own')
      const trail = trailIn(account.account_id, null)
      return { status: 202, body: await deleteAccount(env, account, body.name, person_id, trail) }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/accounts/{id}/usage',
      tag,
      summary: 'What an account and each of its workspaces have used in this month',
      params: idParam,
      answers: { 200: accountUsage },
      errors: [404],
      ofHolder: true,
    },
    async ({ context, caller, params, now }) => {
      const { DB } = context.env
      const { account } = await requireAccount(DB, caller, params.id, 'usage')
      return { status: 200, body: await readAccountUsage(DB, account.account_id, monthOf(now)) }
    },
  )
  addMembers(api)
  addWorkspaces(api)
}

function addMembers(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/accounts/{id}/members',
      tag,
      summary: 'List the people of an account',
      params: idParam,
      answers: { 200: z.array(accountMember) },
      errors: [404],
      ofHolder: true,
    },
    async ({ context, caller, params }) => {
      const { account } = await requireAccount(context.env.DB, caller, params.id, 'people')
      return { status: 200, body: await listAccountMembers(context.env.DB, account.account_id) }
    },
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/accounts/{id}/members/{user_id}',
      tag,
      summary:
        'Give a person another role in the account; an owner owns all its workspaces as well',
      params: memberParam,
      body: accountMemberUpdate,
      answers: { 204: null },
      errors: [404, 409],
      ofHolder: true,
    },
    async ({ context, caller, params, body, trailIn }) => {
      const { DB } = context.env
      const { account, permissions } = await requireAccount(DB, caller, params.id, 'people')
      const id = account.account_id
      const member = (await findAccountMember(DB, id, params.user_id)) ?? notFound()
      requireOf(permissions, permissionToChange(member.role, body.role))
      return (await setAccountRole(DB, id, member, body.role, trailIn(id, null)))
        ? { status: 204 }
        : lastOwner()
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/accounts/{id}/members/{user_id}',
      tag,
      summary: 'Take a person out of the account and all its workspaces',
      params: memberParam,
      answers: { 204: null },
      errors: [404, 409],
      ofHolder: true,
    },
    async ({ context, caller, params, trailIn }) => {
      const { DB } = context.env
      const { account, permissions } = await requireAccount(DB, caller, params.id, 'people')
      const id = account.account_id
      const member = (await findAccountMember(DB, id, params.user_id)) ?? notFound()
      requireOf(permissions, permissionToChange(member.role, null))
      await leaveAccount(context.env, id, member, trailIn(id, null))
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/accounts/{id}/transfer',
      tag,
      summary: 'Make a member the owner in place of the caller, who is an admin from then on',
      params: idParam,
      body: accountTransfer,
      answers: { 204: null },
      errors: [404, 409],
      ofHolder: true,
    },
    async ({ context, caller, params, body, trailIn }) => {
      const { DB } = context.env
      const { account, person_id } = await requireAccount(DB, caller, params.id, 'own')
      const id = account.account_id
      const member = (await findAccountMember(DB, id, body.user_id)) ?? notFound()
      if (!(await transferAccount(DB, id, person_id, member, trailIn(id, null)))) {
        throw new DomainError('conflict', 'The account is yours already: name another member.')
      }
      return { status: 204 }
    },
  )
}

function addWorkspaces(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/accounts/{id}/workspaces',
      tag,
      summary: 'List all workspaces of an account',
      params: idParam,
      answers: { 200: z.array(workspace) },
      errors: [404],
      ofHolder: true,
    },
    async ({ context, caller, params }) => {
      const { account } = await requireAccount(context.env.DB, caller, params.id, 'workspaces')
      return { status: 200, body: await listAccountWorkspaces(context.env.DB, account.account_id) }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/accounts/{id}/workspaces',
      tag,
      summary: 'Make a workspace in an account; its maker and the owners of the account own it',
      params: idParam,
      body: workspaceCreate,
      answers: { 201: workspace },
      errors: [404, 409],
      ofHolder: true,
    },
    async ({ context, caller, params, body, trailIn }) => {
      const { DB } = context.env
      const { account, person_id } = await requireAccount(DB, caller, params.id, 'workspaces')
      const id = account.account_id
      const spec = { name: body.name, region: body.region ?? null }
      const made = await addWorkspace(DB, id, spec, person_id, trailIn(id, null))
      const found = (await listAccountWorkspaces(DB, id)).find((one) => one.id === made)
      if (found === undefined) {
        throw new DomainError(
          'conflict',
          `A workspace with the name '${body.name}' already exists in the account.`,
        )
      }
      return { status: 201, body: found }
    },
  )
}

function lastOwner(): never {
  throw new DomainError('conflict', 'This is the last owner: make somebody else an owner first.')
}

function notFound(): never {
  throw new DomainError('not_found', 'Member not found')
}
