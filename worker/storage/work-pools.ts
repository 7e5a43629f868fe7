import { and, eq } from 'drizzle-orm'
import type { HomeKey } from '#core/flow-run-id.ts'
import type { WorkPool } from '#core/wire/work-pool.ts'
import type { WorkQueue } from '#core/wire/work-queue.ts'
import { workPool } from './schema/config.ts'
import { listHomeWorkQueues } from './work-queues.ts'
import type { Workspace } from './workspace.ts'

/** What the home of a pool keeps of it. Its status and slots in use are null: they move without a new version. */
export interface HomeWorkPool {
  version_number: number
  home_key: HomeKey
  pool: WorkPool
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

export async function readHomeWorkPool(
  workspace: Workspace,
  workPoolId: string,
): Promise<HomeWorkPool | undefined> {
  const [row] = await workspace.store
    .select({ pool: columns, version_number: workPool.version_number, home_key: workPool.home_key })
    .from(workPool)
    .where(and(eq(workPool.workspace_id, workspace.id), eq(workPool.id, workPoolId)))
  if (row === undefined) {
    return undefined
  }
  // Read after the pool: queues newer than the version are sent again with the version that they belong to.
  const queues = await listHomeWorkQueues(workspace, workPoolId)
  return { ...row, pool: { ...row.pool, status: null, active_slots: null }, queues }
}
