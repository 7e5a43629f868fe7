import type { AuditTrail } from '#domain/audit.ts'
import {
  openWorkspace,
  type Bindings,
  type Workspace,
  type WorkspaceRow,
} from '#storage/workspace.ts'

/** What an object must know of its workspace; passed with each call and kept, since an alarm has no caller. */
export interface ObjectContext extends Omit<WorkspaceRow, 'id'> {
  workspace_id: string
}

export function objectContext(workspace: Workspace): ObjectContext {
  return {
    workspace_id: workspace.id,
    account_id: workspace.account_id,
    name: workspace.name,
    store: workspace.store_name,
    region: workspace.region,
    event_streams: workspace.event_streams,
    log_shards: workspace.log_shards,
  }
}

/** The handle of the workspace that an object belongs to. */
export function workspaceOf(bindings: Bindings, context: ObjectContext): Workspace {
  const { workspace_id, ...row } = context
  return openWorkspace(bindings, { ...row, id: workspace_id })
}

/** Who asks an object for a change of what it owns, and which store has the audit log that tells it. */
export interface AskedBy {
  trail: AuditTrail
  store: string
}

/** Null: nobody whom the audit log tells of. */
export function askedBy({ trail, store_name: store }: Workspace): AskedBy | null {
  return trail === undefined ? null : { trail, store }
}
