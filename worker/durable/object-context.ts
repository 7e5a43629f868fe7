/** What an object must know of its workspace; passed with each call and kept, since an alarm has no caller. */
export interface ObjectContext {
  workspace_id: string
  /** The name of the D1 binding that holds the workspace's rows. */
  store: string
}
