import { and, asc, eq, sql, type SQL } from 'drizzle-orm'
import type { Micros } from '#core/time.ts'
import type { WorkQueue } from '#core/wire/work-queue.ts'
import { workQueueStatus } from '#domain/readiness.ts'
import { flowRun } from './schema/runs.ts'
import { workPool, workQueue } from './schema/config.ts'
import type { Workspace } from './workspace.ts'

/** Slots are held by live executions; they are counted only where a limit makes the number mean something. */
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

export async function selectWorkQueues(
  workspace: Workspace,
  condition: SQL | undefined,
  now: Micros,
  page: { limit: number; offset: number },
): Promise<WorkQueue[]> {
  const rows = await workspace.store
    .select({ ...columns, active_slots: activeSlots })
    .from(workQueue)
    .innerJoin(workPool, eq(workPool.id, workQueue.work_pool_id))
    .where(and(eq(workQueue.workspace_id, workspace.id), condition))
    .orderBy(asc(workQueue.priority), asc(workPool.name))
    .limit(page.limit)
    .offset(page.offset)
  return rows.map((row) => ({ ...row, status: workQueueStatus(row, now) }))
}
