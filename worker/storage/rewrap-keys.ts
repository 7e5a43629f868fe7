import { asc, count, inArray, like, notInArray } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { blockDocument } from './schema/blocks.ts'
import { workspaceKey } from './schema/secrets.ts'
import { wrappingKeys } from './worker-secrets.ts'
import { rewrapKey } from './workspace-keys.ts'
import type { Bindings } from './workspace.ts'

// For whoever runs the service, so over all workspaces: it is the secret of all of them that has changed.

export interface Rewrapped {
  /** How many keys were wrapped by the present secret now. */
  rewrapped: number
  /** How many keys are still wrapped by a former one: ask again. */
  left: number
  /** How many keys no known secret opens. */
  locked: number
  /** How many secrets the first release sealed by HEADGATE_SECRET itself; a new key of their workspace seals them anew. */
  sealed_by_secret: number
}

/** Wraps keys by the present secret. When nothing is left, locked or sealed by the secret, the former secrets can go. */
export async function rewrapKeys(bindings: Bindings, limit: number): Promise<Rewrapped> {
  const store = drizzle(bindings.DB)
  const [present, ...former] = await wrappingKeys(bindings)
  const formerIds = former.map((key) => key.id)
  const ofFormer = inArray(workspaceKey.wrapped_by, formerIds)
  const rows = await store
    .select()
    .from(workspaceKey)
    .where(ofFormer)
    .orderBy(asc(workspaceKey.workspace_id), asc(workspaceKey.id))
    .limit(limit)
  for (const row of rows) {
    await rewrapKey(bindings, store, row)
  }
  const [left] = await store.select({ rows: count() }).from(workspaceKey).where(ofFormer)
  const [locked] = await store
    .select({ rows: count() })
    .from(workspaceKey)
    .where(notInArray(workspaceKey.wrapped_by, [present.id, ...formerIds]))
  const [direct] = await store
    .select({ rows: count() })
    .from(blockDocument)
    .where(like(blockDocument.data, '1.%'))
  return {
    rewrapped: rows.length,
    left: left?.rows ?? 0,
    locked: locked?.rows ?? 0,
    sealed_by_secret: direct?.rows ?? 0,
  }
}
