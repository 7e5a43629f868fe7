import type { AuditTrail } from '#domain/audit.ts'

/** Who asks for a change. */
export function aTrail(given: Partial<AuditTrail> = {}): AuditTrail {
  return {
    now: Date.now() * 1000,
    account_id: crypto.randomUUID(),
    workspace_id: null,
    actor_kind: 'user',
    actor_id: crypto.randomUUID(),
    actor_name: 'Ada',
    key_id: null,
    key_hint: null,
    address: null,
    user_agent: null,
    operation: 'tests',
    request_id: null,
    ...given,
  }
}
