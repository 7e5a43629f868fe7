import { formatTimestamp } from '#core/time.ts'
import type { MyAccount } from '#core/wire/account.ts'
import type { Deletion } from '#core/wire/deletion.ts'
import type { AuditTrail } from '#domain/audit.ts'
import { DomainError } from '#domain/errors.ts'
import { findWorkspaceView } from '#storage/accounts.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { deletionStub } from './stubs.ts'

/**
 * Deletes a workspace for good, as a job; access ends before this answers.
 * @param name its own, once more
 * @throws DomainError `invalid` for another name
 */
export async function deleteWorkspace(
  workspace: Workspace,
  name: string,
  askedBy: string,
  trail: AuditTrail,
): Promise<Deletion> {
  const { bindings, id, account_id, region } = workspace
  // The handle may have been read before somebody gave it another name.
  const found = await findWorkspaceView(workspace)
  requireName(name, found?.name, 'workspace')
  return await begin(
    bindings,
    { id, region },
    { account_id, workspace_id: id, name, asked_by: askedBy },
    trail,
  )
}

/** The same of an account with all its workspaces. */
export async function deleteAccount(
  bindings: Bindings,
  { account_id: id, account_name }: MyAccount,
  name: string,
  askedBy: string,
  trail: AuditTrail,
): Promise<Deletion> {
  requireName(name, account_name, 'account')
  return await begin(
    bindings,
    { id, region: null },
    { account_id: id, workspace_id: null, name, asked_by: askedBy },
    trail,
  )
}

async function begin(
  bindings: Bindings,
  owner: { id: string; region: string | null },
  what: { account_id: string; workspace_id: string | null; name: string; asked_by: string },
  trail: AuditTrail,
): Promise<Deletion> {
  const id = crypto.randomUUID()
  const created = formatTimestamp(trail.now)
  return await deletionStub(bindings, owner, id).begin({ id, created, ...what, trail })
}

function requireName(given: string, name: string | undefined, what: string): void {
  if (given !== name) {
    throw new DomainError('invalid', `Repeat the name of the ${what}: it is another one.`, {
      field: ['name'],
    })
  }
}
