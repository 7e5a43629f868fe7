import type { MyAccount } from '#core/wire/account.ts'
import { DomainError } from '#domain/errors.ts'
import { permissionsOfAccountRole, type AccountPermission } from '#domain/permissions.ts'
import { findMyAccount } from '#storage/accounts.ts'
import type { Caller } from './auth.ts'

/** The roles that allow it, in words. */
const NEEDS: Record<AccountPermission, string> = {
  know: 'a role',
  usage: 'the role billing',
  people: 'the role admin',
  workspaces: 'the role admin',
  own: 'the role owner',
}

export interface AccountCaller {
  account: MyAccount
  person_id: string
  permissions: ReadonlySet<AccountPermission>
}

/**
 * Which person asks: one that is signed in, or that holds a key of its own. Keys of workspaces and programs belong to no account.
 * @param scope what a key must have that is limited
 * @throws DomainError `forbidden`
 */
export function requirePerson(caller: Caller, scope: 'see' | 'manage'): string {
  if (caller.kind === 'user') {
    return caller.id
  }
  if (caller.kind === 'key' && caller.key_kind === 'personal' && caller.owner_id !== null) {
    if (caller.scopes !== null && !caller.scopes.includes(scope)) {
      throw new DomainError('forbidden', `You may not do that: the key lacks the scope '${scope}'.`)
    }
    return caller.owner_id
  }
  throw new DomainError('forbidden', 'Only people may do that: sign in, or use a personal key.')
}

/**
 * An account and what the caller may do in it.
 * @throws DomainError `forbidden`; `not_found` for an account that the caller does not belong to
 */
export async function requireAccount(
  db: D1Database,
  caller: Caller,
  accountId: string,
  permission: AccountPermission,
): Promise<AccountCaller> {
  const isRead = permission === 'know' || permission === 'usage'
  const personId = requirePerson(caller, isRead ? 'see' : 'manage')
  const account = await findMyAccount(db, personId, accountId)
  if (account === undefined) {
    throw new DomainError('not_found', 'Account not found')
  }
  const permissions = permissionsOfAccountRole(account.role)
  requireOf(permissions, permission)
  return { account, person_id: personId, permissions }
}

/** @throws DomainError `forbidden` that says what is needed */
export function requireOf(
  permissions: ReadonlySet<AccountPermission>,
  permission: AccountPermission,
): void {
  if (!permissions.has(permission)) {
    throw new DomainError(
      'forbidden',
      `You may not do that: it needs ${NEEDS[permission]} in the account (permission '${permission}').`,
    )
  }
}
