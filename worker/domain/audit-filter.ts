import type { AuditFilter } from '#core/wire/audit.ts'
import { condition, every, type Condition } from './condition.ts'
import { combined, values, within, type Given } from './filter-fields.ts'

/** @param scopeId a workspace, or an account for what is about no workspace */
export function auditCondition(scopeId: string, filter: Given<AuditFilter>): Condition {
  return every([
    condition('audit_entry.scope_id = ?', scopeId),
    combined(filter, (given) => [
      within('audit_entry.occurred', given.occurred),
      values('audit_entry.actor_kind', given.actor_kind),
      values('audit_entry.actor_id', given.actor_id),
      values('audit_entry.key_id', given.key_id),
      values('audit_entry.object_kind', given.object_kind),
      values('audit_entry.object_id', given.object_id),
      values('audit_entry.operation', given.operation),
      values('audit_entry.outcome', given.outcome),
      values('audit_entry.request_id', given.request_id),
    ]),
  ])
}
