import type { Micros } from '#core/time.ts'
import { isUuid } from '#core/uuid.ts'
import { DomainError } from '#domain/errors.ts'
import { permissionsOfRole, type Permission } from '#domain/permissions.ts'
import { requireServed } from '../operations/work-pool-home.ts'
import type { Identity } from './auth.ts'
import { agentMay, permissionOf } from './operation-permissions.ts'
import { requireKin, requireWithin, type Asker } from './run-reach.ts'
import { reachOf, runMay } from './run-rights.ts'

/** What a caller without the permission could have that allows it. */
const NEEDS: Record<Permission, string> = {
  see: 'the role viewer',
  run: 'the role runner',
  write: 'the role developer',
  secrets: 'the role developer',
  serve: 'the role developer, or a key of an agent',
  manage: 'the role owner',
  audit: 'the role owner',
}

/** @throws DomainError `forbidden` that says what is needed */
function requirePermission(permissions: ReadonlySet<Permission>, permission: Permission): void {
  if (!permissions.has(permission)) {
    throw new DomainError(
      'forbidden',
      `You may not do that: it needs ${NEEDS[permission]} (permission '${permission}').`,
    )
  }
}

/**
 * @param path as the route was declared
 * @param params what stands for its parameters
 * @throws DomainError `forbidden`; `not_found` for a pool that the key of an agent does not serve, and for a flow run that a run
 *   token does not reach
 */
export async function requireOperation(
  identity: Identity,
  method: string,
  path: string,
  params: Record<string, string>,
  now: Micros,
): Promise<void> {
  const { caller, workspace } = identity
  if (caller.kind === 'run') {
    if (!runMay(method, path)) {
      throw new DomainError('forbidden', 'A run token does not allow this; use an API key.')
    }
    await requireRun({ workspace, caller, now }, reachOf(method, path), params['id'])
    return
  }
  if (caller.kind === 'user' || caller.key_kind !== 'agent') {
    requirePermission(identity.permissions, permissionOf(method, path))
    return
  }
  if (!agentMay(method, path)) {
    throw new DomainError(
      'forbidden',
      'A key of an agent does not allow this; use a key of a person or a service account.',
    )
  }
  const { name } = params
  if (caller.work_pool_ids !== null && name !== undefined) {
    await requireServed(workspace, name, caller.work_pool_ids)
  }
}

async function requireRun(
  asker: Asker,
  reach: ReturnType<typeof reachOf>,
  id: string | undefined,
): Promise<void> {
  // What is no id is no route, which the route says itself.
  if (reach === 'any' || id === undefined || !isUuid(id)) {
    return
  }
  await (reach === 'kin' ? requireKin(asker, id) : requireWithin(asker, [id]))
}

/** Whether secrets are to be shown. @throws DomainError `forbidden` where they are asked for by who may not read them */
export function showsSecrets(permissions: ReadonlySet<Permission>, isAsked: boolean): boolean {
  if (isAsked) {
    requirePermission(permissions, 'secrets')
  }
  return isAsked
}

/** Nobody gives a role that allows more than they may do. @throws DomainError `forbidden` */
export function requireRoleWithin(role: string, permissions: ReadonlySet<Permission>): void {
  if ([...permissionsOfRole(role)].some((permission) => !permissions.has(permission))) {
    throw new DomainError('forbidden', `The role ${role} allows more than you may do.`)
  }
}
