import type { Context } from 'hono'
import { isApiKey } from '#core/api-key.ts'
import type { HomeKey } from '#core/flow-run-id.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { DomainError } from '#domain/errors.ts'
import {
  permissionsOfKey,
  permissionsOfRole,
  type KeyKind,
  type Permission,
} from '#domain/permissions.ts'
import {
  accessId,
  findAccess,
  findMembership,
  findWorkspaceRow,
  hashApiKey,
  noteKeyUse,
  type Access,
} from '#storage/access.ts'
import { openWorkspace, type Bindings, type Workspace } from '#storage/workspace.ts'
import { AccessCache } from './access-cache.ts'
import type { AppEnv } from './endpoint.ts'
import { isForeignOrigin } from './origins.ts'
import { requireUntired } from './rate-limits.ts'
import { readSession, type PersonSession } from './session.ts'
import { outlivesExecution } from '../operations/run-token-end.ts'
import { isRunToken, verifyRunToken } from '../operations/run-token.ts'

export type Caller =
  /** An API key. */
  | {
      kind: 'key'
      id: string
      name: string
      /** What it is recognised by. */
      hint: string
      key_kind: KeyKind
      /** Whose rights it has: a person or a service account; null for keys that nobody owns. */
      owner_id: string | null
      owner_name: string | null
      /** The permissions that it is limited to; null: none is taken away. */
      scopes: readonly string[] | null
      /** The pools that an agent's key serves; null: all. */
      work_pool_ids: readonly string[] | null
    }
  /** A person who is signed in, by a session's cookie. */
  | { kind: 'user'; id: string; name: string }
  /** The token of a claimed run, signed and not long over; whether its fence is the current one is judged by the run's home. */
  | { kind: 'run'; flow_run_id: string; fence: number; home_key: HomeKey }

export interface Identity {
  caller: Caller
  permissions: ReadonlySet<Permission>
  workspace: Workspace
}

/** No key, or one that is not valid. */
export class Unauthorized extends Error {
  override readonly name = 'Unauthorized'
}

const keys = new AccessCache(findAccess)
const workspaces = new AccessCache(findWorkspaceRow)
const memberships = new AccessCache(findMembership)

/** What the code inside a run may do at most; which operations of that, `run-rights` says. */
const OF_RUNS: ReadonlySet<Permission> = new Set(['see', 'run', 'write', 'secrets'])
/** A key's last use is told to the hour. */
const USE_MICROS = 3600 * MICROS_PER_SECOND

/** What an address says of the workspace; both are there, or none. */
export interface Address {
  account_id?: string
  workspace_id?: string
}

/** How a caller is to be known. */
export interface IdentifyOptions {
  now: Micros
  /** A key that was known within the last 15 minutes will do when D1 can't be asked. */
  survivesOutage: boolean
  /** Takes what need not be waited for. */
  defer: (work: Promise<unknown>) => void
  /** Called before a key is looked up that nobody here knows; what it throws refuses the key. */
  beforeLookUp?: () => void
}

/** Who sends the request: by its Authorization header, or without one by the cookie of a session. Throws `Unauthorized`. */
export async function identify(
  context: Context<AppEnv>,
  survivesOutage: boolean,
): Promise<Identity> {
  const person = await personOf(context)
  if (person !== undefined) {
    return await identifyPerson(context.env, person, context.req.param(), context.get('now'))
  }
  return await identifyToken(
    context.env,
    tokenOf(context.req.header('Authorization')),
    context.req.param(),
    optionsOf(context, survivesOutage),
  )
}

/** The same after a while: a long request must not outlive its key. Throws `Unauthorized`. */
export async function identifyAnew(context: Context<AppEnv>): Promise<Identity> {
  context.set('now', Date.now() * 1000)
  return await identify(context, true)
}

/** Who holds the token, at an address: for sockets, which send it in their first frame. Throws `Unauthorized`. */
export async function identifyToken(
  bindings: Bindings,
  token: string | undefined,
  address: Address,
  options: IdentifyOptions,
): Promise<Identity> {
  if (token !== undefined && isRunToken(token)) {
    const identity = await identifyRun(bindings, token, options)
    requireAddressOf(identity.workspace, address)
    return identity
  }
  const holder = await readKey(bindings, token, options)
  const access = await accessAt(bindings, holder, address, options)
  const { key, role, workspace } = access
  if (workspace === undefined) {
    throw opensNothing(address)
  }
  const caller = toCaller(key)
  const handle = openWorkspace(bindings, workspace)
  requireAddressOf(handle, address)
  return { caller, permissions: permissionsOfKey({ ...key, role }), workspace: handle }
}

/** Where a caller has no role, the address is as one that does not exist. */
function opensNothing({ workspace_id: workspaceId }: Address): DomainError {
  return workspaceId === undefined
    ? new DomainError(
        'bad_request',
        'This names no workspace: use the address /api/accounts/{account_id}/workspaces/{workspace_id}.',
      )
    : new DomainError('not_found', 'Not Found')
}

/**
 * Who is signed in, where that is what counts. A cookie says nothing of what its person wants: what a page of another origin
 * asks for is nobody's, and a request that changes something says where it comes from, as browsers do.
 */
export async function personOf(context: Context<AppEnv>): Promise<PersonSession | undefined> {
  const { method, raw } = context.req
  const changesNothing = method === 'GET' || method === 'HEAD'
  const isOwn =
    !isForeignOrigin(raw) && (changesNothing || context.req.header('Origin') !== undefined)
  return context.req.header('Authorization') === undefined && isOwn
    ? await readSession(context)
    : undefined
}

/** What a person may do in the workspace of the address, or in the only one that it has a role in. */
export async function identifyPerson(
  bindings: Bindings,
  person: PersonSession,
  address: Address,
  now: Micros,
): Promise<Identity> {
  const id = accessId(person.user_id, address.workspace_id?.toLowerCase())
  const membership = await memberships.read(bindings.DB, id, now, false)
  if (membership === undefined) {
    throw opensNothing(address)
  }
  const workspace = openWorkspace(bindings, membership.workspace)
  requireAddressOf(workspace, address)
  return {
    caller: toUser(person),
    permissions: permissionsOfRole(membership.role),
    workspace,
  }
}

/** Who holds the key or the session, wherever it opens. Throws `Unauthorized`. */
export async function identifyHolder(context: Context<AppEnv>): Promise<Caller> {
  const person = await personOf(context)
  if (person !== undefined) {
    return toUser(person)
  }
  const token = tokenOf(context.req.header('Authorization'))
  return toCaller((await readKey(context.env, token, optionsOf(context, false))).access.key)
}

function optionsOf(context: Context<AppEnv>, survivesOutage: boolean): IdentifyOptions {
  return {
    now: context.get('now'),
    survivesOutage,
    defer: (work) => context.executionCtx.waitUntil(work),
    beforeLookUp: () => {
      requireUntired(context)
    },
  }
}

function toUser({ user_id: id, name }: PersonSession): Caller {
  return { kind: 'user', id, name }
}

function toCaller({ kind, ...key }: Access['key']): Caller {
  const { id, name, hint, owner_id, owner_name, scopes, work_pool_ids } = key
  return {
    kind: 'key',
    id,
    name,
    hint,
    key_kind: kind,
    owner_id,
    owner_name,
    scopes,
    work_pool_ids,
  }
}

interface Holder {
  hash: string
  access: Access
}

async function readKey(
  bindings: Bindings,
  token: string | undefined,
  { now, survivesOutage, defer, beforeLookUp }: IdentifyOptions,
): Promise<Holder> {
  if (token === undefined || !isApiKey(token)) {
    throw new Unauthorized()
  }
  const hash = await hashApiKey(token)
  if (!keys.knows(hash)) {
    beforeLookUp?.()
  }
  const access = await keys.read(bindings.DB, hash, now, survivesOutage)
  if (access === undefined || !isValid(access, now)) {
    throw new Unauthorized()
  }
  if ((access.key.last_used ?? '') < formatTimestamp(now - USE_MICROS)) {
    access.key.last_used = formatTimestamp(now)
    // It is a courtesy: a store that is away loses it.
    defer(noteKeyUse(bindings.DB, access.key.id, now).catch(() => undefined))
  }
  return { hash, access }
}

/** What the key opens there: a key that is bound to no workspace opens that of the address. */
async function accessAt(
  bindings: Bindings,
  { hash, access }: Holder,
  { workspace_id: workspaceId }: Address,
  { now, survivesOutage }: IdentifyOptions,
): Promise<Access> {
  if (access.key.workspace_id !== null || workspaceId === undefined) {
    return access
  }
  const id = accessId(hash, workspaceId.toLowerCase())
  const found = await keys.read(bindings.DB, id, now, survivesOutage)
  if (found === undefined) {
    throw new Unauthorized()
  }
  return found
}

async function identifyRun(
  bindings: Bindings,
  token: string,
  { now, survivesOutage }: IdentifyOptions,
): Promise<Identity> {
  const claims = await verifyRunToken(bindings.HEADGATE_SECRET, token)
  if (claims === undefined || claims.expires * MICROS_PER_SECOND <= now) {
    throw new Unauthorized()
  }
  const row = await workspaces.read(bindings.DB, claims.workspace_id, now, survivesOutage)
  if (row === undefined) {
    throw new Unauthorized()
  }
  const workspace = openWorkspace(bindings, row)
  if (!(await outlivesExecution(workspace, claims, now))) {
    throw new Unauthorized()
  }
  const { flow_run_id, fence, home_key } = claims
  return {
    caller: { kind: 'run', flow_run_id, fence, home_key },
    permissions: OF_RUNS,
    workspace,
  }
}

/** In the long form of the address its ids are the key's; any others name nothing that this caller could know of. */
function requireAddressOf(
  workspace: Workspace,
  { account_id: accountId, workspace_id: workspaceId }: Address,
): void {
  if (accountId === undefined && workspaceId === undefined) {
    return
  }
  if (
    accountId?.toLowerCase() !== workspace.account_id ||
    workspaceId?.toLowerCase() !== workspace.id
  ) {
    throw new DomainError('not_found', 'Not Found')
  }
}

function isValid({ key, role }: Access, now: Micros): boolean {
  // A key for one workspace ends with its owner's role there.
  const isOrphan = key.owner_id !== null && key.workspace_id !== null && role === null
  return (
    !isOrphan &&
    key.revoked === null &&
    (key.expires === null || key.expires > formatTimestamp(now))
  )
}

/** The token in an Authorization header: `Bearer <token>`, or Basic, whose text Prefect's client takes as it was configured. */
export function tokenOf(header: string | undefined): string | undefined {
  const match = /^(Bearer|Basic) +(\S+) *$/i.exec(header ?? '')
  const credentials = match?.[2]
  if (credentials === undefined || match?.[1]?.toLowerCase() === 'bearer') {
    return credentials
  }
  const text = decodeBase64(credentials)
  return text === undefined ? undefined : credentialsIn(text)
}

/** The token in what a user configured as credentials: the token alone, or as a user's name or a password. */
export function credentialsIn(text: string): string | undefined {
  const colon = text.indexOf(':')
  if (colon < 0) {
    return text
  }
  const [name, password] = [text.slice(0, colon), text.slice(colon + 1)]
  return [password, name].find((part) => isApiKey(part) || isRunToken(part))
}

function decodeBase64(text: string): string | undefined {
  try {
    return atob(text)
  } catch {
    return undefined
  }
}
