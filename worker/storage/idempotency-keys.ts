import { and, eq, sql } from 'drizzle-orm'
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

/**
 * Reserves many keys of a flow in one batch.
 * @returns the run of each key: the given one, or that of the first who asked
 */
export async function reserveIdempotencyKeys(
  workspace: Workspace,
  flowId: string,
  wanted: readonly { key: string; flow_run_id: string }[],
  now: Micros,
): Promise<Map<string, string>> {
  if (wanted.length === 0) {
    return new Map()
  }
  const json = JSON.stringify(wanted)
  const columns = { key: idempotencyKey.key, flow_run_id: idempotencyKey.flow_run_id }
  const [, rows] = await workspace.store.batch([
    workspace.store
      .insert(idempotencyKey)
      .select(
        sql`SELECT ${workspace.id}, ${flowId}, value ->> 'key', value ->> 'flow_run_id', ${formatTimestamp(now)}
        FROM json_each(${json}) WHERE true`,
      )
      .onConflictDoNothing(),
    workspace.store
      .select(columns)
      .from(idempotencyKey)
      .where(
        and(
          eq(idempotencyKey.workspace_id, workspace.id),
          eq(idempotencyKey.flow_id, flowId),
          sql`${idempotencyKey.key} IN (SELECT value ->> 'key' FROM json_each(${json}))`,
        ),
      ),
  ])
  return new Map(rows.map(({ key, flow_run_id }) => [key, flow_run_id]))
}

/** Frees the keys of runs that were deleted. */
export async function releaseIdempotencyKeys(
  workspace: Workspace,
  held: readonly { flow_id: string; key: string }[],
): Promise<void> {
  if (held.length === 0) {
    return
  }
  await workspace.store.delete(idempotencyKey).where(
    and(
      eq(idempotencyKey.workspace_id, workspace.id),
      sql`(${idempotencyKey.flow_id}, ${idempotencyKey.key}) IN
        (SELECT value ->> 'flow_id', value ->> 'key' FROM json_each(${JSON.stringify(held)}))`,
    ),
  )
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
