import type { Workspace } from '#storage/workspace.ts'

/** What an object must know of its workspace; passed with each call and kept, since an alarm has no caller. */
export interface ObjectContext {
  workspace_id: string
  /** The name of the D1 binding that holds the workspace's rows. */
  store: string
  /** Where the workspace's objects are made; null is anywhere. */
  region: string | null
}

export function objectContext(workspace: Workspace): ObjectContext {
  return { workspace_id: workspace.id, store: workspace.store_name, region: workspace.region }
}
