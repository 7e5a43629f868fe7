import { and, asc, eq, gt, inArray, isNull, lt, or, sql } from 'drizzle-orm'
import { artifact, artifactCollection } from './schema/artifacts.ts'
import { flowRun, taskRun } from './schema/runs.ts'
import { taskCache } from './schema/task-caches.ts'
import type { Workspace } from './workspace.ts'

// Deletes rows that have been kept long enough, some at a time.

/** A run that was made so long ago that it may be one of those that go. */
export interface OldFlowRun {
  id: string
  flow_id: string
  idempotency_key: string | null
  /** Whether it goes: it is over for long enough, or was deleted. */
  goes: boolean
}

const OVER = ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'] as const

/**
 * The next runs, in the order of their ids, which is that of the time at which they were made: what is looked at is little more than
 * what goes.
 * @param before an id that no run has that is younger
 */
export async function listOldFlowRuns(
  workspace: Workspace,
  ids: { after: string; before: string },
  endedBefore: string,
  limit: number,
): Promise<OldFlowRun[]> {
  const rows = await workspace.store
    .select({
      id: flowRun.id,
      flow_id: flowRun.flow_id,
      idempotency_key: flowRun.idempotency_key,
      goes: sql<number>`${mayGo(endedBefore)}`,
    })
    .from(flowRun)
    .where(
      and(
        eq(flowRun.workspace_id, workspace.id),
        gt(flowRun.id, ids.after),
        lt(flowRun.id, ids.before),
      ),
    )
    .orderBy(asc(flowRun.id))
    .limit(limit)
  return rows.map((row) => ({ ...row, goes: row.goes === 1 }))
}

/** Deletes those of the runs that are over for long enough. @returns those that are not there any more */
export async function deleteEndedFlowRuns(
  workspace: Workspace,
  ids: readonly string[],
  endedBefore: string,
): Promise<string[]> {
  if (ids.length === 0) {
    return []
  }
  const these = and(
    eq(flowRun.workspace_id, workspace.id),
    sql`${flowRun.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
  )
  const [, left] = await workspace.store.batch([
    workspace.store.delete(flowRun).where(and(these, mayGo(endedBefore))),
    workspace.store.select({ id: flowRun.id }).from(flowRun).where(these),
  ])
  const kept = new Set(left.map(({ id }) => id))
  return ids.filter((id) => !kept.has(id))
}

/** What hung on runs that are gone. @returns whether there is more of it */
export async function deleteRemainsOf(
  workspace: Workspace,
  flowRunIds: readonly string[],
  limit: number,
): Promise<boolean> {
  const ids = JSON.stringify(flowRunIds)
  const ofThese = (table: typeof taskRun | typeof artifact) =>
    workspace.store
      .select({ id: table.id })
      .from(table)
      .where(
        and(
          eq(table.workspace_id, workspace.id),
          sql`${table.flow_run_id} IN (SELECT value FROM json_each(${ids}))`,
        ),
      )
      .limit(limit)
  const [tasks, artifacts] = await workspace.store.batch([
    workspace.store
      .delete(taskRun)
      .where(and(eq(taskRun.workspace_id, workspace.id), inArray(taskRun.id, ofThese(taskRun)))),
    workspace.store
      .delete(artifact)
      .where(and(eq(artifact.workspace_id, workspace.id), inArray(artifact.id, ofThese(artifact))))
      .returning({ key: artifact.key }),
  ])
  await mendCollections(
    workspace,
    artifacts.flatMap(({ key }) => key ?? []),
  )
  return tasks.meta.changes >= limit || artifacts.length >= limit
}

/** Deletes task runs of no flow run that are over for long enough. @returns whether there are more */
export async function deleteLoneTaskRuns(
  workspace: Workspace,
  endedBefore: string,
  limit: number,
): Promise<boolean> {
  const own = eq(taskRun.workspace_id, workspace.id)
  const old = workspace.store
    .select({ id: taskRun.id })
    .from(taskRun)
    .where(
      and(
        own,
        isNull(taskRun.flow_run_id),
        or(
          and(inArray(taskRun.state_type, OVER), lt(taskRun.end_time, endedBefore)),
          and(eq(taskRun.deleted, true), lt(taskRun.updated, endedBefore)),
        ),
      ),
    )
    .limit(limit)
  const { meta } = await workspace.store.delete(taskRun).where(and(own, inArray(taskRun.id, old)))
  return meta.changes >= limit
}

/** Deletes results that nobody may take any more. @returns whether there are more */
export async function deleteExpiredCaches(
  workspace: Workspace,
  now: string,
  limit: number,
): Promise<boolean> {
  const own = eq(taskCache.workspace_id, workspace.id)
  const expired = workspace.store
    .select({ key: taskCache.cache_key })
    .from(taskCache)
    .where(and(own, lt(taskCache.cache_expiration, now)))
    .limit(limit)
  const { meta } = await workspace.store
    .delete(taskCache)
    .where(and(own, inArray(taskCache.cache_key, expired)))
  return meta.changes >= limit
}

export async function holdsFlowRuns(workspace: Workspace): Promise<boolean> {
  const rows = await workspace.store
    .select({ id: flowRun.id })
    .from(flowRun)
    .where(eq(flowRun.workspace_id, workspace.id))
    .limit(1)
  return rows.length > 0
}

/** A tombstone goes as well: an id so old is written by nobody any more. */
function mayGo(endedBefore: string) {
  return sql`(${flowRun.deleted} = 1 OR (${inArray(flowRun.state_type, OVER)}
    AND ${flowRun.end_time} IS NOT NULL AND ${flowRun.end_time} < ${endedBefore}))`
}

/** Collections show the newest artifact that is left to them, or go with their last one. */
async function mendCollections(workspace: Workspace, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) {
    return
  }
  const shown = and(
    eq(artifactCollection.workspace_id, workspace.id),
    sql`${artifactCollection.key} IN (SELECT value FROM json_each(${JSON.stringify(keys)}))`,
    sql`NOT EXISTS (SELECT 1 FROM artifact AS shown WHERE shown.workspace_id = ${workspace.id}
      AND shown.id = ${artifactCollection.latest_id})`,
  )
  const newest = (column: string) =>
    sql`(SELECT ${sql.raw(column)} FROM artifact AS other WHERE other.workspace_id = ${workspace.id}
      AND other.key = ${artifactCollection.key} ORDER BY other.id DESC LIMIT 1)`
  await workspace.store.batch([
    workspace.store
      .update(artifactCollection)
      .set({ latest_id: newest('id'), created: newest('created'), updated: newest('updated') })
      .where(and(shown, sql`${newest('id')} IS NOT NULL`)),
    workspace.store.delete(artifactCollection).where(shown),
  ])
}
