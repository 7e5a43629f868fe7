import type { AccountMember } from '#core/wire/account.ts'
import type { AuditTrail } from '#domain/audit.ts'
import { DomainError } from '#domain/errors.ts'
import { findWorkspaceRow } from '#storage/access.ts'
import { forgetPerson, listOnlyOwned, removeAccountMember } from '#storage/account-members.ts'
import { listAccountWorkspaces } from '#storage/accounts.ts'
import { openWorkspace, type Bindings } from '#storage/workspace.ts'
import { closeDoorbellsOf } from './personal-keys.ts'

/**
 * Takes a person out of an account and all its workspaces, and ends what waits there with its keys.
 * @throws DomainError `conflict` that names what would be without an owner
 */
export async function leaveAccount(
  bindings: Bindings,
  accountId: string,
  member: AccountMember,
  trail: AuditTrail,
): Promise<void> {
  const { DB } = bindings
  if (!(await removeAccountMember(DB, accountId, member, trail))) {
    const owned = describeOwned(await listOnlyOwned(DB, member.id, accountId))
    throw new DomainError(
      'conflict',
      `This is the last owner of ${owned}: make somebody else an owner first.`,
    )
  }
  for (const { id } of await listAccountWorkspaces(DB, accountId)) {
    // oxlint-disable-next-line no-await-in-loop -- few
    const row = await findWorkspaceRow(DB, id)
    if (row !== undefined) {
      // oxlint-disable-next-line no-await-in-loop -- the same
      await closeDoorbellsOf(openWorkspace(bindings, row), member.id)
    }
  }
}

/** In words. */
function describeOwned({
  accounts,
  workspaces,
}: {
  accounts: string[]
  workspaces: string[]
}): string {
  return [
    ...accounts.map((name) => `the account '${name}'`),
    ...workspaces.map((name) => `the workspace '${name}'`),
  ].join(', ')
}

/**
 * Takes a person out of everything, with its keys and what was offered to its address, before it is deleted itself.
 * @throws DomainError `conflict` that names what would be without an owner
 */
export async function leaveEverything(
  db: D1Database,
  person: { id: string; email: string },
): Promise<void> {
  const owned = describeOwned(await listOnlyOwned(db, person.id, null))
  if (owned !== '') {
    throw new DomainError(
      'conflict',
      `You are the last owner of ${owned}: make somebody else an owner first, or delete it.`,
    )
  }
  await forgetPerson(db, person)
}
