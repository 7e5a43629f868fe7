import { and, eq } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import { idempotencyKey } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

/** Reserves a key for a run that is about to be made. Returns the run's id: the given one, or that of the first who asked. */
export async function reserveIdempotencyKey(
  workspace: Workspace,
  wanted: { flow_id: string; key: string; flow_run_id: string },
  now: Micros,
): Promise<string> {
  const [, rows] = await workspace.store.batch([
    workspace.store
      .insert(idempotencyKey)
      .values({ workspace_id: workspace.id, ...wanted, created: formatTimestamp(now) })
      .onConflictDoNothing(),
    workspace.store
      .select({ flow_run_id: idempotencyKey.flow_run_id })
      .from(idempotencyKey)
      .where(
        and(
          eq(idempotencyKey.workspace_id, workspace.id),
          eq(idempotencyKey.flow_id, wanted.flow_id),
          eq(idempotencyKey.key, wanted.key),
        ),
      ),
  ])
  return rows[0]?.flow_run_id ?? wanted.flow_run_id
}

/** Frees all keys of a flow that was deleted. */
export async function releaseIdempotencyKeysOfFlow(
  workspace: Workspace,
  flowId: string,
): Promise<void> {
  await workspace.store
    .delete(idempotencyKey)
    .where(and(eq(idempotencyKey.workspace_id, workspace.id), eq(idempotencyKey.flow_id, flowId)))
}

/** Frees the key of a run that was deleted. */
export async function releaseIdempotencyKey(
  workspace: Workspace,
  held: { flow_id: string; key: string },
): Promise<void> {
  await workspace.store
    .delete(idempotencyKey)
    .where(
      and(
        eq(idempotencyKey.workspace_id, workspace.id),
        eq(idempotencyKey.flow_id, held.flow_id),
        eq(idempotencyKey.key, held.key),
      ),
    )
}
