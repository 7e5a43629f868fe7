import type { Context } from 'hono'
import { isApiKey } from '#core/api-key.ts'
import type { HomeKey } from '#core/flow-run-id.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { DomainError } from '#domain/errors.ts'
import { findAccess, findWorkspaceRow, hashApiKey } from '#storage/access.ts'
import { openWorkspace, type Bindings, type Workspace } from '#storage/workspace.ts'
import { AccessCache } from './access-cache.ts'
import type { AppEnv } from './endpoint.ts'
import { isRunToken, verifyRunToken } from '../operations/run-token.ts'

export type Caller =
  /** An API key of the workspace. */
  | { kind: 'key'; id: string; name: string }
  /** The token of a claimed run; its signature is right, its fence is judged by the run's home. */
  | { kind: 'run'; flow_run_id: string; fence: number; home_key: HomeKey }

export interface Identity {
  caller: Caller
  workspace: Workspace
}

/** No key, or one that is not valid. */
export class Unauthorized extends Error {
  override readonly name = 'Unauthorized'
}

const keys = new AccessCache(findAccess)
const workspaces = new AccessCache(findWorkspaceRow)

/**
 * Who sends the request, by its Authorization header.
 * @param survivesOutage a key that was known within the last 15 minutes will do when D1 can't be asked
 */
export async function identify(
  context: Context<AppEnv>,
  survivesOutage: boolean,
): Promise<Identity> {
  const token = tokenOf(context.req.header('Authorization'))
  const identity = await identifyToken(context.env, token, context.get('now'), survivesOutage)
  requireAddressOf(identity.workspace, context)
  return identity
}

/** Who holds the token: for sockets, which send it in their first frame. Throws `Unauthorized`. */
export async function identifyToken(
  bindings: Bindings,
  token: string | undefined,
  now: Micros,
  survivesOutage: boolean,
): Promise<Identity> {
  if (token === undefined) {
    throw new Unauthorized()
  }
  if (isApiKey(token)) {
    const access = await keys.read(bindings.DB, await hashApiKey(token), now, survivesOutage)
    if (access === undefined || !isValid(access.key, now)) {
      throw new Unauthorized()
    }
    const { id, name } = access.key
    return {
      caller: { kind: 'key', id, name },
      workspace: openWorkspace(bindings, access.workspace),
    }
  }
  if (isRunToken(token)) {
    return await identifyRun(bindings, token, now, survivesOutage)
  }
  throw new Unauthorized()
}

async function identifyRun(
  bindings: Bindings,
  token: string,
  now: Micros,
  survivesOutage: boolean,
): Promise<Identity> {
  const claims = await verifyRunToken(bindings.HEADGATE_SECRET, token)
  if (claims === undefined || claims.expires * MICROS_PER_SECOND <= now) {
    throw new Unauthorized()
  }
  const row = await workspaces.read(bindings.DB, claims.workspace_id, now, survivesOutage)
  if (row === undefined) {
    throw new Unauthorized()
  }
  const { flow_run_id, fence, home_key } = claims
  return {
    caller: { kind: 'run', flow_run_id, fence, home_key },
    workspace: openWorkspace(bindings, row),
  }
}

/** In the long form of the address its ids are the key's; any others name nothing that this caller could know of. */
function requireAddressOf(workspace: Workspace, context: Context<AppEnv>): void {
  const { account_id, workspace_id } = context.req.param() as Record<string, string | undefined>
  if (account_id === undefined && workspace_id === undefined) {
    return
  }
  if (
    account_id?.toLowerCase() !== workspace.account_id ||
    workspace_id?.toLowerCase() !== workspace.id
  ) {
    throw new DomainError('not_found', 'Not Found')
  }
}

function isValid(key: { expires: string | null; revoked: string | null }, now: Micros): boolean {
  return key.revoked === null && (key.expires === null || key.expires > formatTimestamp(now))
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
