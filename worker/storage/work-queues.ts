import { and, asc, eq, sql, type SQL } from 'drizzle-orm'
import type { HomeKey } from '#core/flow-run-id.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { WorkQueuesQuery } from '#core/wire/query.ts'
import type { WorkQueue } from '#core/wire/work-queue.ts'
import { workQueueCondition } from '#domain/filter.ts'
import type { RankedQueue } from '#domain/queue-priorities.ts'
import { NOTED_EVERY_SECONDS, workQueueStatus } from '#domain/readiness.ts'
import { nextVersion, type Statement } from './commit.ts'
import { toSql } from './condition.ts'
import { deployment, workPool, workQueue } from './schema/config.ts'
import { flowRun } from './schema/runs.ts'
import { lastPolled } from './workers.ts'
import type { Workspace } from './workspace.ts'

/** A queue with what its pool's home and the check of concurrent changes need. */
export interface StoredWorkQueue {
  queue: WorkQueue
  pool: VersionedPool & { home_key: HomeKey; default_queue_id: string }
}

type QueueOrder = 'priority' | 'name'

export interface VersionedPool {
  id: string
  version_number: number
}

/** Slots are held by live executions; they are counted only where a limit gives the number a meaning. */
const activeSlots = sql<number | null>`CASE WHEN ${workQueue.concurrency_limit} IS NOT NULL THEN (
  SELECT count(*) FROM ${flowRun}
  WHERE ${flowRun.workspace_id} = ${workQueue.workspace_id} AND ${flowRun.deleted} = 0
    AND ${flowRun.work_queue_id} = ${workQueue.id}
    AND ${flowRun.state_type} IN ('PENDING', 'RUNNING', 'CANCELLING')) END`

const columns = {
  id: workQueue.id,
  created: workQueue.created,
  updated: workQueue.updated,
  name: workQueue.name,
  description: workQueue.description,
  is_paused: workQueue.is_paused,
  concurrency_limit: workQueue.concurrency_limit,
  priority: workQueue.priority,
  work_pool_id: workQueue.work_pool_id,
  work_pool_name: workPool.name,
  last_polled: workQueue.last_polled,
}

const poolColumns = {
  id: workPool.id,
  version_number: workPool.version_number,
  home_key: workPool.home_key,
  default_queue_id: workPool.default_queue_id,
}

/** The queues of a pool as its home keeps them: without what moves by itself (status and slots in use). */
export async function listHomeWorkQueues(
  workspace: Workspace,
  workPoolId: string,
): Promise<WorkQueue[]> {
  const rows = await workspace.store
    .select(columns)
    .from(workQueue)
    .innerJoin(workPool, eq(workPool.id, workQueue.work_pool_id))
    .where(and(eq(workQueue.workspace_id, workspace.id), eq(workQueue.work_pool_id, workPoolId)))
    .orderBy(asc(workQueue.priority))
  return rows.map((row) => ({ ...row, status: null, active_slots: null }))
}

export async function findWorkQueue(
  workspace: Workspace,
  id: string,
  now: Micros,
): Promise<StoredWorkQueue | undefined> {
  const [found] = await selectStored(workspace, eq(workQueue.id, id), now)
  return found
}

export async function findWorkQueueByName(
  workspace: Workspace,
  workPoolName: string,
  name: string,
  now: Micros,
): Promise<StoredWorkQueue | undefined> {
  const condition = and(eq(workPool.name, workPoolName), eq(workQueue.name, name))
  const [found] = await selectStored(workspace, condition, now)
  return found
}

/** The queues that the filters name, of one pool or of all: by their urgency, or as Prefect lists those of all pools. */
export async function listWorkQueues(
  workspace: Workspace,
  filters: Pick<WorkQueuesQuery, 'work_queues' | 'work_pools'> & { work_pool_id?: string },
  page: { limit: number; offset: number },
  now: Micros,
  order: QueueOrder = 'priority',
): Promise<WorkQueue[]> {
  const condition = and(
    toSql(workQueueCondition(workspace.id, filters)),
    filters.work_pool_id === undefined
      ? undefined
      : eq(workQueue.work_pool_id, filters.work_pool_id),
  )
  const stored = await selectStored(workspace, condition, now, page, order)
  return stored.map((row) => row.queue)
}

async function selectStored(
  workspace: Workspace,
  condition: SQL | undefined,
  now: Micros,
  page: { limit: number; offset: number } = { limit: 1, offset: 0 },
  order: QueueOrder = 'priority',
): Promise<StoredWorkQueue[]> {
  const rows = await workspace.store
    .select({
      queue: { ...columns, active_slots: activeSlots, last_polled: lastPolled(now) },
      pool: poolColumns,
    })
    .from(workQueue)
    .innerJoin(workPool, eq(workPool.id, workQueue.work_pool_id))
    .where(and(eq(workQueue.workspace_id, workspace.id), condition))
    .orderBy(asc(workQueue[order]), asc(workPool.name), asc(workQueue.id))
    .limit(page.limit)
    .offset(page.offset)
  return rows.map(({ queue, pool }) => ({
    pool,
    queue: { ...queue, status: workQueueStatus(queue, now) },
  }))
}

/** The priorities in a pool, with the version of the pool that they belong to. */
export async function listRankedQueues(
  workspace: Workspace,
  workPoolId: string,
): Promise<RankedQueue[]> {
  return await workspace.store
    .select({ id: workQueue.id, priority: workQueue.priority })
    .from(workQueue)
    .where(and(eq(workQueue.workspace_id, workspace.id), eq(workQueue.work_pool_id, workPoolId)))
}

export type NewWorkQueue = Pick<
  WorkQueue,
  'id' | 'name' | 'description' | 'is_paused' | 'concurrency_limit' | 'priority'
>

export function insertWorkQueue(
  workspace: Workspace,
  workPoolId: string,
  queue: NewWorkQueue,
  now: Micros,
): Statement {
  const created = formatTimestamp(now)
  return workspace.store.insert(workQueue).values({
    ...queue,
    workspace_id: workspace.id,
    created,
    updated: created,
    work_pool_id: workPoolId,
    last_polled: null,
  })
}

export type WorkQueueFields = Partial<
  Pick<WorkQueue, 'name' | 'description' | 'is_paused' | 'concurrency_limit' | 'last_polled'>
>

export function updateWorkQueue(
  workspace: Workspace,
  id: string,
  fields: WorkQueueFields,
  now: Micros,
): Statement {
  return workspace.store
    .update(workQueue)
    .set({ ...fields, updated: formatTimestamp(now) })
    .where(and(eq(workQueue.workspace_id, workspace.id), eq(workQueue.id, id)))
}

/** One statement for any number of queues. */
export function setPriorities(workspace: Workspace, ranked: RankedQueue[], now: Micros): Statement {
  const priorities = JSON.stringify(
    Object.fromEntries(ranked.map((queue) => [queue.id, queue.priority])),
  )
  return workspace.store
    .update(workQueue)
    .set({
      priority: sql`(SELECT value FROM json_each(${priorities}) WHERE key = ${workQueue.id})`,
      updated: formatTimestamp(now),
    })
    .where(
      and(
        eq(workQueue.workspace_id, workspace.id),
        sql`${workQueue.id} IN (SELECT key FROM json_each(${priorities}))`,
      ),
    )
}

export function removeWorkQueue(workspace: Workspace, id: string): Statement {
  return workspace.store
    .delete(workQueue)
    .where(and(eq(workQueue.workspace_id, workspace.id), eq(workQueue.id, id)))
}

/** A queue belongs to its pool's version. Refuses the batch when the pool is no longer at the version that was read. */
export function raisePoolVersion(workspace: Workspace, pool: VersionedPool): Statement {
  return workspace.store
    .update(workPool)
    .set({ version_number: nextVersion(workPool.version_number, pool.version_number) })
    .where(and(eq(workPool.workspace_id, workspace.id), eq(workPool.id, pool.id)))
}

/** One queue, or all of a pool. */
export type QueueScope = { queueId: string } | { workPoolId: string }

function inScope(scope: QueueScope): SQL {
  return 'queueId' in scope
    ? eq(workQueue.id, scope.queueId)
    : eq(workQueue.work_pool_id, scope.workPoolId)
}

/** The deployments whose runs go to these queues. */
export async function listDeploymentsOfQueues(
  workspace: Workspace,
  scope: QueueScope,
): Promise<{ id: string; home_key: HomeKey }[]> {
  return await workspace.store
    .select({ id: deployment.id, home_key: deployment.home_key })
    .from(deployment)
    .innerJoin(workQueue, eq(workQueue.id, deployment.work_queue_id))
    .where(and(eq(deployment.workspace_id, workspace.id), inScope(scope)))
}

/** Before queues go: their deployments lose them and get a new version. They stay at their home, which outlives its pool. */
export function detachDeployments(workspace: Workspace, scope: QueueScope, now: Micros): Statement {
  const ids = workspace.store
    .select({ id: workQueue.id })
    .from(workQueue)
    .where(and(eq(workQueue.workspace_id, workspace.id), inScope(scope)))
  return workspace.store
    .update(deployment)
    .set({
      work_queue_id: null,
      version_number: sql`${deployment.version_number} + 1`,
      updated: formatTimestamp(now),
    })
    .where(
      and(eq(deployment.workspace_id, workspace.id), sql`${deployment.work_queue_id} IN ${ids}`),
    )
}

/** Notes that somebody has asked these queues for runs. Writes nothing for those of which that has been noted just now. */
export async function recordQueuesPolled(
  workspace: Workspace,
  ids: readonly string[],
  now: Micros,
): Promise<void> {
  const recent = formatTimestamp(now - NOTED_EVERY_SECONDS * MICROS_PER_SECOND)
  await workspace.store
    .update(workQueue)
    .set({ last_polled: formatTimestamp(now) })
    .where(
      and(
        eq(workQueue.workspace_id, workspace.id),
        sql`${workQueue.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
        sql`(${workQueue.last_polled} IS NULL OR ${workQueue.last_polled} <= ${recent})`,
      ),
    )
}
