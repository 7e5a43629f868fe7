/** What a caller may do in a workspace. Each operation of the API needs one of these (`http/operation-permissions`). */
export const PERMISSIONS = [
  /** Read everything but secrets. */
  'see',
  /** Make, steer and end flow runs, and report what happens in them. */
  'run',
  /** Make, change and delete what the workspace is configured by, and delete runs. */
  'write',
  /** Read the secrets of block documents. */
  'secrets',
  /** Take runs of work pools, as an agent or a worker does. */
  'serve',
  /** Members, service accounts, keys, and what concerns the whole workspace. */
  'manage',
  /** Read the audit log. */
  'audit',
] as const
export type Permission = (typeof PERMISSIONS)[number]

/** The roles of people and service accounts in a workspace. */
export const WORKSPACE_ROLES = ['owner', 'developer', 'runner', 'viewer'] as const
export type WorkspaceRole = (typeof WORKSPACE_ROLES)[number]

const OF_ROLES: Record<WorkspaceRole, readonly Permission[]> = {
  owner: PERMISSIONS,
  developer: ['see', 'run', 'write', 'secrets', 'serve'],
  runner: ['see', 'run'],
  viewer: ['see'],
}

/**
 * What a role allows.
 * @param role as stored; one that is not known allows nothing
 */
export function permissionsOfRole(role: string): ReadonlySet<Permission> {
  const known = WORKSPACE_ROLES.find((one) => one === role)
  return new Set(known === undefined ? [] : OF_ROLES[known])
}

/** What a key says of the rights of who holds it. */
export interface KeyRights {
  kind: KeyKind
  /** The role of the key's owner in the workspace; null for keys that nobody owns, and for owners who have none. */
  role: string | null
  /** The permissions that the key is limited to; null: none is taken away. */
  scopes: readonly string[] | null
}

/**
 * `workspace`: of nobody, made by an owner of the workspace. `personal` and `service_account`: with the rights that its owner has
 * at the time. `agent`: for Headgate's agent alone.
 */
export const KEY_KINDS = ['workspace', 'personal', 'service_account', 'agent'] as const
export type KeyKind = (typeof KEY_KINDS)[number]

/** What the holder of a key may do: never more than its owner, never more than its scopes. */
export function permissionsOfKey({ kind, role, scopes }: KeyRights): ReadonlySet<Permission> {
  if (kind === 'agent') {
    return new Set(['serve'])
  }
  const owned = kind === 'workspace' ? new Set(PERMISSIONS) : permissionsOfRole(role ?? '')
  return scopes === null ? owned : new Set([...owned].filter((one) => scopes.includes(one)))
}

/** What a person may do in an account, beside the workspaces that it has a role in. */
const ACCOUNT_PERMISSIONS = [
  /** Know of it, and leave it. */
  'know',
  /** See what is used of it, in all its workspaces. */
  'usage',
  /** See its people and give them roles, but for owners. */
  'people',
  /** See all its workspaces and make new ones. */
  'workspaces',
  /** Make and unmake owners, rename it, hand it on, delete it. */
  'own',
] as const
export type AccountPermission = (typeof ACCOUNT_PERMISSIONS)[number]

/** The roles of people in an account. */
export const ACCOUNT_ROLES = ['owner', 'admin', 'billing', 'member'] as const
export type AccountRole = (typeof ACCOUNT_ROLES)[number]

const OF_ACCOUNT_ROLES: Record<AccountRole, readonly AccountPermission[]> = {
  owner: ACCOUNT_PERMISSIONS,
  admin: ['know', 'usage', 'people', 'workspaces'],
  billing: ['know', 'usage'],
  member: ['know'],
}

/**
 * What a role in an account allows.
 * @param role as stored; one that is not known allows nothing
 */
export function permissionsOfAccountRole(role: string): ReadonlySet<AccountPermission> {
  const known = ACCOUNT_ROLES.find((one) => one === role)
  return new Set(known === undefined ? [] : OF_ACCOUNT_ROLES[known])
}

/**
 * What it takes to give a person another role in an account, or to take it out.
 * @param from what the person is
 * @param to what it is to be; null: nothing
 */
export function permissionToChange(from: AccountRole, to: AccountRole | null): AccountPermission {
  return from === 'owner' || to === 'owner' ? 'own' : 'people'
}
