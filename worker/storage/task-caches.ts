import { and, eq, gt, isNull, or } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { State } from '#core/wire/state.ts'
import { taskCache } from './schema/task-caches.ts'
import type { Workspace } from './workspace.ts'

/** Keeps a state under the cache key that its details name. */
export async function saveCachedState(
  workspace: Workspace,
  cacheKey: string,
  state: State,
): Promise<void> {
  const row = { cache_expiration: state.state_details.cache_expiration ?? null, state }
  await workspace.store
    .insert(taskCache)
    .values({ workspace_id: workspace.id, cache_key: cacheKey, ...row })
    .onConflictDoUpdate({ target: [taskCache.workspace_id, taskCache.cache_key], set: row })
}

/** The state under a cache key, unless it has expired. */
export async function findCachedState(
  workspace: Workspace,
  cacheKey: string,
  now: Micros,
): Promise<State | undefined> {
  const [row] = await workspace.store
    .select({ state: taskCache.state })
    .from(taskCache)
    .where(
      and(
        eq(taskCache.workspace_id, workspace.id),
        eq(taskCache.cache_key, cacheKey),
        or(
          isNull(taskCache.cache_expiration),
          gt(taskCache.cache_expiration, formatTimestamp(now)),
        ),
      ),
    )
  return row?.state
}
