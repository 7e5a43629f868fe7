import * as z from 'zod'
import { objectName } from './common.ts'

export const workspace = z
  .object({
    id: z.string(),
    created: z.string(),
    updated: z.string(),
    account_id: z.string(),
    name: z.string(),
    /** As Prefect's commands write the name. */
    handle: z.string(),
  })
  .meta({ id: 'Workspace' })
export type Workspace = z.infer<typeof workspace>

export const workspaceCreate = z
  .strictObject({
    /** Unique in the account. */
    name: objectName,
    /** Where its objects are made, a location hint of Cloudflare's. Default: near their first caller. Can't be changed. */
    region: z.enum(['wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'oc', 'afr', 'me']).nullish(),
  })
  .meta({ id: 'WorkspaceCreate' })
export type WorkspaceCreate = z.infer<typeof workspaceCreate>

export const workspaceUpdate = z.strictObject({ name: objectName }).meta({ id: 'WorkspaceUpdate' })

/** A line of an export that is not a thing of the workspace: how to go on from here, or that it was all. */
export type ExportLine =
  | { kind: 'cursor'; cursor: string }
  | { kind: 'end' }
  | { kind: string; row: Record<string, unknown> }
