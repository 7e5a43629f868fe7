import { and, desc, eq, exists, isNotNull, or, sql, type SQL } from 'drizzle-orm'
import type { HomeKey } from '#core/flow-run-id.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { WorkerFilter } from '#core/wire/query.ts'
import type { Worker, WorkerHeartbeat } from '#core/wire/worker.ts'
import { workerCondition } from '#domain/filter.ts'
import { DEFAULT_HEARTBEAT_SECONDS, MISSED_HEARTBEATS, workerStatus } from '#domain/readiness.ts'
import { runRecorded } from './audit.ts'
import { toSql } from './condition.ts'
import { newId } from './new-id.ts'
import { worker, workPool } from './schema/config.ts'
import type { Workspace } from './workspace.ts'

/** A heartbeat is written down when the last one that was is this many intervals old: every second one. */
const NOTED_EVERY_INTERVALS = 1.5

/** True in SQL for a worker whose doorbell is open, or that has not missed its heartbeats: the same rule as `workerStatus`. */
export function isOnline(now: Micros): SQL<boolean> {
  return sql<boolean>`(worker.doorbell_since IS NOT NULL
    OR unixepoch(worker.last_heartbeat_time, 'subsec')
      + coalesce(worker.heartbeat_interval_seconds, ${DEFAULT_HEARTBEAT_SECONDS}) * ${MISSED_HEARTBEATS}
      >= ${now / MICROS_PER_SECOND})`
}

/** When a worker was last heard of, in SQL: an open doorbell is a heartbeat that goes on. */
function lastHeard(now: Micros): SQL<string> {
  return sql<string>`CASE WHEN worker.doorbell_since IS NULL THEN worker.last_heartbeat_time
    ELSE ${formatTimestamp(now)} END`
}

/** When a queue was last polled, in SQL: an open doorbell is a poll that goes on. */
export function lastPolled(now: Micros): SQL<string | null> {
  return sql<string | null>`CASE WHEN EXISTS (
      SELECT 1 FROM worker WHERE worker.work_pool_id = work_queue.work_pool_id AND worker.doorbell_since IS NOT NULL
        AND (worker.doorbell_queues IS NULL
          OR work_queue.id IN (SELECT value FROM json_each(worker.doorbell_queues))))
    THEN ${formatTimestamp(now)} ELSE work_queue.last_polled END`
}

/** Records that a worker is alive: by its pool and name. Writes nothing when it has been recorded just now. */
export async function recordHeartbeat(
  workspace: Workspace,
  workPoolId: string,
  heartbeat: Pick<WorkerHeartbeat, 'name' | 'heartbeat_interval_seconds'>,
  now: Micros,
): Promise<void> {
  const time = formatTimestamp(now)
  const interval = heartbeat.heartbeat_interval_seconds ?? null
  const seconds = (interval ?? DEFAULT_HEARTBEAT_SECONDS) * NOTED_EVERY_INTERVALS
  const recent = formatTimestamp(now - Math.floor(seconds * MICROS_PER_SECOND))
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

/** An agent that waits at its pool's doorbell. */
export interface WaitingAgent {
  name: string
  /** Ids of the queues that it serves; null is all. */
  queues: string[] | null
}

/** Records agents whose doorbells are open. Writes nothing for those that are known to be. */
export async function recordDoorbellsOpen(
  workspace: Workspace,
  workPoolId: string,
  agents: readonly WaitingAgent[],
  intervalSeconds: number,
  now: Micros,
): Promise<void> {
  const time = formatTimestamp(now)
  const rows = agents.map(({ name, queues }) => ({
    id: newId(now),
    name,
    queues: queues === null ? null : JSON.stringify(queues.toSorted()),
  }))
  await workspace.store.run(sql`
    INSERT INTO worker (id, workspace_id, created, updated, work_pool_id, name, last_heartbeat_time,
      heartbeat_interval_seconds, doorbell_since, doorbell_queues)
    SELECT value ->> 'id', ${workspace.id}, ${time}, ${time}, ${workPoolId}, value ->> 'name', ${time},
      ${intervalSeconds}, ${time}, value ->> 'queues'
    FROM json_each(${JSON.stringify(rows)}) WHERE true
    ON CONFLICT (work_pool_id, name) DO UPDATE SET updated = excluded.updated,
      last_heartbeat_time = excluded.last_heartbeat_time, doorbell_since = excluded.doorbell_since,
      doorbell_queues = excluded.doorbell_queues, heartbeat_interval_seconds = excluded.heartbeat_interval_seconds
    WHERE worker.workspace_id = excluded.workspace_id
      AND (worker.doorbell_since IS NULL OR worker.doorbell_queues IS NOT excluded.doorbell_queues)`)
}

/** Records that of a pool's doorbells only these are open: the others were heard of last at `heard`. */
export async function recordDoorbellsClosed(
  workspace: Workspace,
  workPoolId: string,
  openStill: readonly string[],
  heard: Micros,
  now: Micros,
): Promise<void> {
  await workspace.store
    .update(worker)
    .set({
      updated: formatTimestamp(now),
      last_heartbeat_time: formatTimestamp(heard),
      doorbell_since: null,
      doorbell_queues: null,
    })
    .where(
      and(
        eq(worker.workspace_id, workspace.id),
        eq(worker.work_pool_id, workPoolId),
        isNotNull(worker.doorbell_since),
        sql`${worker.name} NOT IN (SELECT value FROM json_each(${JSON.stringify(openStill)}))`,
      ),
    )
}

/** The homes of the pools at whose doorbells agents wait, as the store knows. */
export async function listHomesWithDoorbells(workspace: Workspace): Promise<HomeKey[]> {
  const rows = await workspace.store
    .select({ home_key: workPool.home_key })
    .from(workPool)
    .where(
      and(
        eq(workPool.workspace_id, workspace.id),
        exists(
          workspace.store
            .select({ one: sql`1` })
            .from(worker)
            .where(and(eq(worker.work_pool_id, workPool.id), isNotNull(worker.doorbell_since))),
        ),
      ),
    )
  return rows.map(({ home_key }) => home_key)
}

/** The workers of a pool, the last heard of first. */
export async function listWorkers(
  workspace: Workspace,
  workPoolId: string,
  filter: WorkerFilter | null | undefined,
  page: { limit: number; offset: number },
  now: Micros,
): Promise<Worker[]> {
  const heard = workspace.store
    .select({
      workspace_id: worker.workspace_id,
      id: worker.id,
      created: worker.created,
      updated: worker.updated,
      name: worker.name,
      work_pool_id: worker.work_pool_id,
      last_heartbeat_time: lastHeard(now).as('last_heartbeat_time'),
      heartbeat_interval_seconds: worker.heartbeat_interval_seconds,
      doorbell_since: worker.doorbell_since,
    })
    .from(worker)
    .as('worker')
  const rows = await workspace.store
    .select({
      id: heard.id,
      created: heard.created,
      updated: heard.updated,
      name: heard.name,
      work_pool_id: heard.work_pool_id,
      last_heartbeat_time: heard.last_heartbeat_time,
      heartbeat_interval_seconds: heard.heartbeat_interval_seconds,
    })
    .from(heard)
    .where(
      and(
        eq(heard.workspace_id, workspace.id),
        eq(heard.work_pool_id, workPoolId),
        filterCondition(workspace, filter, now),
      ),
    )
    .orderBy(desc(heard.last_heartbeat_time), desc(heard.id))
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
  const removed = await runRecorded(
    workspace,
    workspace.store
      .delete(worker)
      .where(
        and(
          eq(worker.workspace_id, workspace.id),
          eq(worker.work_pool_id, workPoolId),
          eq(worker.name, name),
        ),
      )
      .returning({ id: worker.id }),
    {
      object_kind: 'worker',
      object_id: null,
      object_name: name,
      before: { work_pool_id: workPoolId },
      after: null,
    },
  )
  return removed.length > 0
}
