import type { Context } from 'hono'
import type { AuditTrail } from '#domain/audit.ts'
import type { Caller } from './auth.ts'
import type { AppEnv } from './endpoint.ts'
import { operationId } from './operation-id.ts'

/** No browser says more of itself. */
const MAX_USER_AGENT = 300

/** Who asks for an operation, as its entries in the audit log tell it. */
export function trailOf(
  context: Context<AppEnv>,
  { method, path }: { method: string; path: string },
  caller: Caller,
  scope: Pick<AuditTrail, 'account_id' | 'workspace_id'>,
): AuditTrail {
  return {
    now: context.get('now'),
    account_id: scope.account_id,
    workspace_id: scope.workspace_id,
    ...actorOf(caller),
    key_id: caller.kind === 'key' ? caller.id : null,
    key_hint: caller.kind === 'key' ? caller.hint : null,
    ...originOf(context.req.raw.headers),
    operation: operationId(method, path),
    request_id: context.get('requestId'),
  }
}

/** Where a request comes from. Cloudflare sets the header, whatever its client sent; on a machine of one's own a proxy may. */
export function originOf(headers: Headers): Pick<AuditTrail, 'address' | 'user_agent'> {
  return {
    address: headers.get('CF-Connecting-IP'),
    user_agent: headers.get('User-Agent')?.slice(0, MAX_USER_AGENT) ?? null,
  }
}

type Actor = Pick<AuditTrail, 'actor_kind' | 'actor_id' | 'actor_name'>

/** Who holds a key with somebody's rights is that person or service account. */
function actorOf(caller: Caller): Actor {
  if (caller.kind === 'user') {
    return { actor_kind: 'user', actor_id: caller.id, actor_name: caller.name }
  }
  if (caller.kind === 'run') {
    return { actor_kind: 'run', actor_id: caller.flow_run_id, actor_name: null }
  }
  const { id, name, key_kind: kind, owner_id, owner_name } = caller
  switch (kind) {
    case 'personal':
      return { actor_kind: 'user', actor_id: owner_id, actor_name: owner_name }
    case 'service_account':
      return { actor_kind: 'service_account', actor_id: owner_id, actor_name: owner_name }
    case 'agent':
      return { actor_kind: 'agent', actor_id: id, actor_name: name }
    default:
      return { actor_kind: 'api_key', actor_id: id, actor_name: name }
  }
}
