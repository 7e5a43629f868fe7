import { and, desc, eq, or, sql, type SQL } from 'drizzle-orm'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { WorkerFilter } from '#core/wire/query.ts'
import type { Worker, WorkerHeartbeat } from '#core/wire/worker.ts'
import { workerCondition } from '#domain/filter.ts'
import { DEFAULT_HEARTBEAT_SECONDS, MISSED_HEARTBEATS, workerStatus } from '#domain/readiness.ts'
import { toSql } from './condition.ts'
import { newId } from './new-id.ts'
import { worker } from './schema/config.ts'
import type { Workspace } from './workspace.ts'

/** A worker's row is written at most this often: half of Prefect's interval, so that every second beat may be early. */
const HEARTBEAT_WRITE_SECONDS = 15

/** True in SQL for a worker that has not missed its heartbeats: the same rule as `workerStatus`. */
export function isOnline(now: Micros): SQL<boolean> {
  return sql<boolean>`(unixepoch(worker.last_heartbeat_time, 'subsec')
    + coalesce(worker.heartbeat_interval_seconds, ${DEFAULT_HEARTBEAT_SECONDS}) * ${MISSED_HEARTBEATS}
    >= ${now / MICROS_PER_SECOND})`
}

/** Records that a worker is alive: by its pool and name. Writes nothing when it has been recorded just now. */
export async function recordHeartbeat(
  workspace: Workspace,
  workPoolId: string,
  heartbeat: Pick<WorkerHeartbeat, 'name' | 'heartbeat_interval_seconds'>,
  now: Micros,
): Promise<void> {
  const time = formatTimestamp(now)
  const recent = formatTimestamp(now - HEARTBEAT_WRITE_SECONDS * MICROS_PER_SECOND)
  const interval = heartbeat.heartbeat_interval_seconds ?? null
  await workspace.store
    .insert(worker)
    .values({
      id: newId(now),
      workspace_id: workspace.id,
      created: time,
      updated: time,
      work_pool_id: workPoolId,
      name: heartbeat.name,
      last_heartbeat_time: time,
      heartbeat_interval_seconds: interval,
    })
    .onConflictDoUpdate({
      target: [worker.work_pool_id, worker.name],
      set: {
        updated: time,
        last_heartbeat_time: time,
        heartbeat_interval_seconds: sql`coalesce(${interval}, ${worker.heartbeat_interval_seconds})`,
      },
      setWhere: sql`${worker.workspace_id} = ${workspace.id} AND (${worker.last_heartbeat_time} <= ${recent}
        OR ${worker.heartbeat_interval_seconds} IS NOT coalesce(${interval}, ${worker.heartbeat_interval_seconds}))`,
    })
}

/** The workers of a pool, the last heard of first. */
export async function listWorkers(
  workspace: Workspace,
  workPoolId: string,
  filter: WorkerFilter | null | undefined,
  page: { limit: number; offset: number },
  now: Micros,
): Promise<Worker[]> {
  const rows = await workspace.store
    .select({
      id: worker.id,
      created: worker.created,
      updated: worker.updated,
      name: worker.name,
      work_pool_id: worker.work_pool_id,
      last_heartbeat_time: worker.last_heartbeat_time,
      heartbeat_interval_seconds: worker.heartbeat_interval_seconds,
    })
    .from(worker)
    .where(
      and(
        eq(worker.workspace_id, workspace.id),
        eq(worker.work_pool_id, workPoolId),
        filterCondition(workspace, filter, now),
      ),
    )
    .orderBy(desc(worker.last_heartbeat_time), desc(worker.id))
    .limit(page.limit)
    .offset(page.offset)
  return rows.map((row) => ({ ...row, status: workerStatus(row, now) }))
}

/** `status` is not stored, so that its part of the filter is made here. */
function filterCondition(
  workspace: Workspace,
  filter: WorkerFilter | null | undefined,
  now: Micros,
): SQL | undefined {
  const heard =
    isGiven(filter?.last_heartbeat_time) &&
    toSql(workerCondition(workspace.id, { last_heartbeat_time: filter.last_heartbeat_time }))
  const online = sql`(CASE WHEN ${isOnline(now)} THEN 'ONLINE' ELSE 'OFFLINE' END)`
  const { any_: anyOf, not_any_: noneOf } = filter?.status ?? {}
  const parts = [
    ...(heard === false ? [] : [heard]),
    ...(isGiven(anyOf) ? [isIn(online, anyOf)] : []),
    ...(isGiven(noneOf) && noneOf.length > 0 ? [sql`NOT ${isIn(online, noneOf)}`] : []),
  ]
  return filter?.operator === 'or_' ? or(...parts) : and(...parts)
}

function isIn(expression: SQL, values: readonly string[]): SQL {
  return sql`(${expression} IN (SELECT value FROM json_each(${JSON.stringify(values)})))`
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined
}

/** False when the pool has no such worker. */
export async function removeWorker(
  workspace: Workspace,
  workPoolId: string,
  name: string,
): Promise<boolean> {
  const removed = await workspace.store
    .delete(worker)
    .where(
      and(
        eq(worker.workspace_id, workspace.id),
        eq(worker.work_pool_id, workPoolId),
        eq(worker.name, name),
      ),
    )
    .returning({ id: worker.id })
  return removed.length > 0
}
