import type { Micros } from '#core/time.ts'
import type { WorkQueue, WorkQueueCreate, WorkQueueUpdate } from '#core/wire/work-queue.ts'
import { audited } from '#domain/audit.ts'
import { DomainError } from '#domain/errors.ts'
import { firstFreePriority, rerank } from '#domain/queue-priorities.ts'
import { records } from '#storage/audit.ts'
import type { Statement } from '#storage/commit.ts'
import { newId } from '#storage/new-id.ts'
import { findWorkPoolKey } from '#storage/work-pools.ts'
import type { VersionedPool } from '#storage/work-queues.ts'
import * as queues from '#storage/work-queues.ts'
import type { Workspace } from '#storage/workspace.ts'
import { commitToPool, createWorkPool, getWorkPoolKey, tellDetached } from './change-work-pool.ts'
import { commitDecision } from './commit-decision.ts'
import { tellWorkQueue } from './tell-changes.ts'

/** A queue that does not exist yet, with the statements that make it and raise its pool's version. */
export interface PlannedWorkQueue {
  id: string
  queue: queues.NewWorkQueue
  /** The last of them makes the queue. */
  statements: Statement[]
}

export async function createWorkQueue(
  workspace: Workspace,
  workPoolName: string,
  body: WorkQueueCreate,
  now: Micros,
): Promise<WorkQueue> {
  const result = await commitDecision(async () => {
    const pool = await getWorkPoolKey(workspace, workPoolName)
    const planned = await planWorkQueue(workspace, pool, body, now)
    return await commitToPool(workspace, pool, [
      ...planned.statements,
      ...records(workspace, audited('work_queue', null, planned.queue)),
    ])
  })
  const created = await queues.findWorkQueueByName(workspace, workPoolName, body.name, now)
  if (result === 'taken' || created === undefined) {
    throw new DomainError(
      'conflict',
      `A work queue with this name already exists in work pool '${workPoolName}'.`,
    )
  }
  tellWorkQueue(workspace, 'created', null, created.queue.id, now)
  return created.queue
}

/** The pool of queues that name none, as in Prefect. */
export const LONE_POOL = 'default-agent-pool'

/** Makes a queue that names no pool, and the pool of such queues with the first of them. */
export async function createLoneWorkQueue(
  workspace: Workspace,
  body: WorkQueueCreate,
  now: Micros,
): Promise<WorkQueue> {
  if ((await findWorkPoolKey(workspace, LONE_POOL)) === undefined) {
    try {
      await createWorkPool(workspace, { name: LONE_POOL, type: 'prefect-agent' }, now)
    } catch (error) {
      // Somebody else has just made it.
      if ((await findWorkPoolKey(workspace, LONE_POOL)) === undefined) {
        throw error
      }
    }
    const made = await queues.findWorkQueueByName(workspace, LONE_POOL, body.name, now)
    if (made !== undefined) {
      return made.queue
    }
  }
  return await createWorkQueue(workspace, LONE_POOL, body, now)
}

/** The id of the pool's queue with that name, which is made when there is none. */
export async function ensureWorkQueue(
  workspace: Workspace,
  workPoolName: string,
  name: string,
  now: Micros,
): Promise<string> {
  const found = await queues.findWorkQueueByName(workspace, workPoolName, name, now)
  if (found !== undefined) {
    return found.queue.id
  }
  try {
    return (await createWorkQueue(workspace, workPoolName, { name }, now)).id
  } catch (error) {
    // Somebody else has just made it.
    const other = await queues.findWorkQueueByName(workspace, workPoolName, name, now)
    if (other === undefined) {
      throw error
    }
    return other.queue.id
  }
}

/** Decides about a new queue of a pool that was read at its version: its priority, and whom it moves down. */
export async function planWorkQueue(
  workspace: Workspace,
  pool: VersionedPool,
  body: WorkQueueCreate,
  now: Micros,
): Promise<PlannedWorkQueue> {
  const ranked = await queues.listRankedQueues(workspace, pool.id)
  const id = newId(now)
  const priority = body.priority ?? firstFreePriority(ranked.map((queue) => queue.priority))
  const moved = rerank(ranked, { id, priority }).filter((queue) => queue.id !== id)
  const queue: queues.NewWorkQueue = {
    id,
    name: body.name,
    description: body.description === undefined ? '' : body.description,
    is_paused: body.is_paused ?? false,
    concurrency_limit: body.concurrency_limit ?? null,
    priority,
  }
  return {
    id,
    queue,
    statements: [
      queues.raisePoolVersion(workspace, pool),
      ...(moved.length === 0 ? [] : [queues.setPriorities(workspace, moved, now)]),
      queues.insertWorkQueue(workspace, pool.id, queue, now),
    ],
  }
}

/** Changes what the request names; a new priority moves others down as far as they must. */
export async function updateWorkQueue(
  workspace: Workspace,
  find: () => Promise<queues.StoredWorkQueue>,
  body: WorkQueueUpdate,
  now: Micros,
): Promise<void> {
  let before: WorkQueue | null = null
  const result = await commitDecision(async () => {
    const { queue, pool } = await find()
    before = queue
    const ranked =
      typeof body.priority === 'number'
        ? rerank(await queues.listRankedQueues(workspace, pool.id), {
            id: queue.id,
            priority: body.priority,
          })
        : []
    const fields = toFields(body)
    const priority = typeof body.priority === 'number' ? { priority: body.priority } : {}
    return await commitToPool(workspace, pool, [
      queues.raisePoolVersion(workspace, pool),
      queues.updateWorkQueue(workspace, queue.id, fields, now),
      ...records(workspace, audited('work_queue', queue, { ...queue, ...fields, ...priority })),
      ...(ranked.length === 0 ? [] : [queues.setPriorities(workspace, ranked, now)]),
    ])
  })
  if (result === 'taken') {
    throw new DomainError(
      'conflict',
      `A work queue with the name '${body.name ?? ''}' already exists in this work pool.`,
    )
  }
  tellUpdated(workspace, before, now)
}

/** Apart, since the compiler does not see what a closure has set. */
function tellUpdated(workspace: Workspace, before: WorkQueue | null, now: Micros): void {
  if (before !== null) {
    tellWorkQueue(workspace, 'updated', before, before.id, now)
  }
}

/** Deployments of the queue lose it, and with it their pool; they stay at the same home. */
export async function deleteWorkQueue(
  workspace: Workspace,
  find: () => Promise<queues.StoredWorkQueue>,
  now: Micros,
): Promise<void> {
  await commitDecision(async () => {
    const { queue, pool } = await find()
    if (queue.id === pool.default_queue_id) {
      throw new DomainError('conflict', "Can't delete a pool's default queue.")
    }
    const deployments = await queues.listDeploymentsOfQueues(workspace, { queueId: queue.id })
    const result = await commitToPool(workspace, pool, [
      queues.raisePoolVersion(workspace, pool),
      queues.detachDeployments(workspace, { queueId: queue.id }, now),
      queues.removeWorkQueue(workspace, queue.id),
      ...records(workspace, audited('work_queue', queue, null)),
    ])
    if (result === 'committed') {
      await tellDetached(workspace, deployments)
      tellWorkQueue(workspace, 'deleted', queue, queue.id, now)
    }
    return result
  })
}

/** Null sets a description, a limit or the time of the last poll to none; a name or a priority can't be none. */
function toFields(body: WorkQueueUpdate): queues.WorkQueueFields {
  const fields: queues.WorkQueueFields = {}
  if (typeof body.name === 'string') {
    fields.name = body.name
  }
  if (body.description !== undefined) {
    fields.description = body.description
  }
  if (body.is_paused !== undefined) {
    fields.is_paused = body.is_paused
  }
  if (body.concurrency_limit !== undefined) {
    fields.concurrency_limit = body.concurrency_limit
  }
  if (body.last_polled !== undefined) {
    fields.last_polled = body.last_polled
  }
  return fields
}
