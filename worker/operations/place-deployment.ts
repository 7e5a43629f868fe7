import type { HomeKey } from '#core/flow-run-id.ts'
import type { Micros } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { audited } from '#domain/audit.ts'
import { DomainError } from '#domain/errors.ts'
import { records } from '#storage/audit.ts'
import type { Statement } from '#storage/commit.ts'
import type { StoredDeployment } from '#storage/deployments.ts'
import { pickPoollessHome } from '#storage/homes.ts'
import type { WorkPoolKey } from '#storage/work-pools.ts'
import { findWorkQueueByName } from '#storage/work-queues.ts'
import type { Workspace } from '#storage/workspace.ts'
import { getWorkPoolKey } from './change-work-pool.ts'
import { planWorkQueue } from './change-work-queue.ts'

/** Where a deployment's runs go, and what must be made for that. */
export interface Place {
  home_key: HomeKey
  work_queue_id: string | null
  /** The base job template of its pool; `{}` without one. */
  template: JsonObject
  statements: Statement[]
  /** The pool that gets a new queue. */
  changedPool?: WorkPoolKey
}

/**
 * Pool and queue by name; a queue that is missing is made. A pool without a queue means its default queue. Pool null means
 * none. A queue without a pool is one of the deployment's own pool.
 */
export async function placeDeployment(
  workspace: Workspace,
  id: string,
  existing: StoredDeployment | undefined,
  names: {
    work_pool_name?: string | null | undefined
    work_queue_name?: string | null | undefined
  },
  now: Micros,
): Promise<Place> {
  const own = existing?.deployment.work_pool_name ?? null
  const isMoved = names.work_pool_name !== undefined
  const isCleared = isMoved && names.work_pool_name === null && existing !== undefined
  const poolName = isCleared ? null : (names.work_pool_name ?? own)
  if (poolName === null) {
    if (isGiven(names.work_queue_name) && !isCleared) {
      throw new DomainError(
        'invalid',
        `Work queue '${names.work_queue_name}' needs a work pool: name one in work_pool_name.`,
        { field: ['work_queue_name'] },
      )
    }
    const kept = existing !== undefined && own === null
    const home = kept ? existing.home_key : await pickPoollessHome(workspace, id)
    return { home_key: home, work_queue_id: null, template: {}, statements: [] }
  }
  const pool = await getWorkPoolKey(workspace, poolName)
  const place = { home_key: pool.home_key, template: pool.base_job_template, statements: [] }
  if (!isGiven(names.work_queue_name)) {
    const queue = isGiven(names.work_pool_name)
      ? pool.default_queue_id
      : (existing?.deployment.work_queue_id ?? pool.default_queue_id)
    return { ...place, work_queue_id: queue }
  }
  const queue = await findWorkQueueByName(workspace, poolName, names.work_queue_name, now)
  if (queue !== undefined) {
    return { ...place, work_queue_id: queue.queue.id }
  }
  const planned = await planWorkQueue(workspace, pool, { name: names.work_queue_name }, now)
  return {
    ...place,
    work_queue_id: planned.id,
    statements: [
      ...planned.statements,
      ...records(workspace, audited('work_queue', null, planned.queue)),
    ],
    changedPool: pool,
  }
}

function isGiven(name: string | null | undefined): name is string {
  return name !== null && name !== undefined
}
