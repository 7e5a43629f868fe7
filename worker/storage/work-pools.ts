import { and, asc, count, eq, sql, type SQL } from 'drizzle-orm'
import type { HomeKey } from '#core/flow-run-id.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { WorkPoolFilter } from '#core/wire/query.ts'
import type { WorkPool } from '#core/wire/work-pool.ts'
import type { WorkQueue } from '#core/wire/work-queue.ts'
import { workPoolCondition } from '#domain/filter.ts'
import { workPoolStatus } from '#domain/readiness.ts'
import { nextVersion, type Statement } from './commit.ts'
import { toSql } from './condition.ts'
import { workPool } from './schema/config.ts'
import { listHomeWorkQueues, type VersionedPool } from './work-queues.ts'
import { isOnline } from './workers.ts'
import type { Workspace } from './workspace.ts'

/** A pool with what its home and the check of concurrent changes need. */
export interface StoredWorkPool {
  version_number: number
  home_key: HomeKey
  pool: WorkPool
}

/** What the home of a pool keeps of it. Its status and slots in use are null: they move without a new version. */
export interface HomeWorkPool extends StoredWorkPool {
  queues: WorkQueue[]
}

const columns = {
  id: workPool.id,
  created: workPool.created,
  updated: workPool.updated,
  name: workPool.name,
  description: workPool.description,
  type: workPool.type,
  base_job_template: workPool.base_job_template,
  is_paused: workPool.is_paused,
  concurrency_limit: workPool.concurrency_limit,
  default_queue_id: workPool.default_queue_id,
  storage_configuration: workPool.storage_configuration,
}

// Written out, since drizzle drops the tables of columns in a query of one table, and then `id` would be the inner table's.

/** Slots are held by live executions; they are counted only where a limit gives the number a meaning. */
const activeSlots = sql<number | null>`CASE WHEN work_pool.concurrency_limit IS NOT NULL THEN (
  SELECT count(*) FROM flow_run
  WHERE flow_run.workspace_id = work_pool.workspace_id AND flow_run.deleted = 0
    AND flow_run.work_pool_id = work_pool.id
    AND flow_run.state_type IN ('PENDING', 'RUNNING', 'CANCELLING')) END`

export async function readHomeWorkPool(
  workspace: Workspace,
  workPoolId: string,
): Promise<HomeWorkPool | undefined> {
  return await readHome(workspace, eq(workPool.id, workPoolId))
}

export async function readHomeWorkPoolByName(
  workspace: Workspace,
  name: string,
): Promise<HomeWorkPool | undefined> {
  return await readHome(workspace, eq(workPool.name, name))
}

async function readHome(workspace: Workspace, condition: SQL): Promise<HomeWorkPool | undefined> {
  const [row] = await workspace.store
    .select({ pool: columns, version_number: workPool.version_number, home_key: workPool.home_key })
    .from(workPool)
    .where(and(eq(workPool.workspace_id, workspace.id), condition))
  if (row === undefined) {
    return undefined
  }
  // Read after the pool: queues newer than the version are sent again with the version that they belong to.
  const queues = await listHomeWorkQueues(workspace, row.pool.id)
  return { ...row, pool: { ...row.pool, status: null, active_slots: null }, queues }
}

/** What a change of a pool, or of something in it, needs; without what has to be counted. */
export interface WorkPoolKey {
  id: string
  home_key: HomeKey
  version_number: number
  default_queue_id: string
  base_job_template: JsonObject
}

export async function findWorkPoolKey(
  workspace: Workspace,
  name: string,
): Promise<WorkPoolKey | undefined> {
  const [row] = await workspace.store
    .select({
      id: workPool.id,
      home_key: workPool.home_key,
      version_number: workPool.version_number,
      default_queue_id: workPool.default_queue_id,
      base_job_template: workPool.base_job_template,
    })
    .from(workPool)
    .where(and(eq(workPool.workspace_id, workspace.id), eq(workPool.name, name)))
  return row
}

export async function findWorkPool(
  workspace: Workspace,
  name: string,
  now: Micros,
): Promise<StoredWorkPool | undefined> {
  const [found] = await selectStored(workspace, eq(workPool.name, name), now)
  return found
}

/** The pools that a filter names, by name. */
export async function listWorkPools(
  workspace: Workspace,
  filter: WorkPoolFilter | null | undefined,
  page: { limit: number; offset: number },
  now: Micros,
): Promise<WorkPool[]> {
  const condition = toSql(workPoolCondition(workspace.id, filter))
  const stored = await selectStored(workspace, condition, now, page)
  return stored.map((row) => row.pool)
}

export async function countWorkPools(
  workspace: Workspace,
  filter: WorkPoolFilter | null | undefined,
): Promise<number> {
  const condition = toSql(workPoolCondition(workspace.id, filter))
  const [row] = await workspace.store
    .select({ count: count() })
    .from(workPool)
    .where(and(eq(workPool.workspace_id, workspace.id), condition))
  return row?.count ?? 0
}

async function selectStored(
  workspace: Workspace,
  condition: SQL | undefined,
  now: Micros,
  page: { limit: number; offset: number } = { limit: 1, offset: 0 },
): Promise<StoredWorkPool[]> {
  const online = sql<number>`EXISTS (
    SELECT 1 FROM worker WHERE worker.work_pool_id = work_pool.id AND ${isOnline(now)})`
  const rows = await workspace.store
    .select({
      pool: { ...columns, active_slots: activeSlots },
      online,
      version_number: workPool.version_number,
      home_key: workPool.home_key,
    })
    .from(workPool)
    .where(and(eq(workPool.workspace_id, workspace.id), condition))
    .orderBy(asc(workPool.name))
    .limit(page.limit)
    .offset(page.offset)
  return rows.map(({ online: isServed, pool, ...stored }) => ({
    ...stored,
    pool: { ...pool, status: workPoolStatus(pool, isServed === 1) },
  }))
}

export type NewWorkPool = Pick<
  WorkPool,
  | 'id'
  | 'name'
  | 'description'
  | 'type'
  | 'base_job_template'
  | 'is_paused'
  | 'concurrency_limit'
  | 'default_queue_id'
  | 'storage_configuration'
>

export function insertWorkPool(
  workspace: Workspace,
  homeKey: HomeKey,
  pool: NewWorkPool,
  now: Micros,
): Statement {
  const created = formatTimestamp(now)
  return workspace.store.insert(workPool).values({
    ...pool,
    workspace_id: workspace.id,
    created,
    updated: created,
    version_number: 1,
    home_key: homeKey,
  })
}

export type WorkPoolFields = Partial<
  Pick<
    WorkPool,
    | 'description'
    | 'is_paused'
    | 'base_job_template'
    | 'concurrency_limit'
    | 'storage_configuration'
  >
>

/** Refuses the batch when the pool is no longer at the version that was read. */
export function updateWorkPool(
  workspace: Workspace,
  pool: VersionedPool,
  fields: WorkPoolFields,
  now: Micros,
): Statement {
  return workspace.store
    .update(workPool)
    .set({
      ...fields,
      updated: formatTimestamp(now),
      version_number: nextVersion(workPool.version_number, pool.version_number),
    })
    .where(and(eq(workPool.workspace_id, workspace.id), eq(workPool.id, pool.id)))
}

/** Takes the pool's queues and workers with it. */
export function removeWorkPool(workspace: Workspace, id: string): Statement {
  return workspace.store
    .delete(workPool)
    .where(and(eq(workPool.workspace_id, workspace.id), eq(workPool.id, id)))
}
