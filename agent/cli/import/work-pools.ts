import type { WorkPool } from '../../../core/wire/work-pool.ts'
import type { WorkQueue } from '../../../core/wire/work-queue.ts'
import { everyPage } from '../find.ts'
import { agrees, orNone, type Copied, type ImportRun } from './import-run.ts'

/** Work pools with their queues. */
export async function importWorkPools(run: ImportRun): Promise<void> {
  const { source } = run
  for (const pool of await everyPage((page) => source.filterWorkPools(page))) {
    await run.copy('work pool', pool, () => copyPool(run, pool))
    const queues = await everyPage((page) => source.filterWorkQueues(pool.name, page))
    // By priority, so that none is pushed aside by one that comes after it.
    for (const queue of queues.toSorted((a, b) => (a.priority ?? 0) - (b.priority ?? 0))) {
      const name = `${pool.name}/${queue.name}`
      await run.copy('work queue', { id: queue.id, name }, () => copyQueue(run, pool.name, queue))
    }
  }
}

async function copyPool(run: ImportRun, pool: WorkPool): Promise<Copied> {
  const { target } = run
  const wanted = {
    description: pool.description,
    is_paused: pool.is_paused,
    base_job_template: run.withIds(pool.base_job_template),
    concurrency_limit: pool.concurrency_limit,
  }
  const note =
    pool.type.endsWith(':push') || pool.type.endsWith(':managed')
      ? `runs of type ${pool.type} are started by Prefect Cloud itself; here an agent must serve the pool`
      : ''
  const existing = await orNone(target.readWorkPool(pool.name))
  if (existing !== undefined && existing.type !== pool.type) {
    throw new Error(
      `there is a work pool of that name here, of type ${existing.type} instead of ${pool.type}`,
    )
  }
  if (existing !== undefined && agrees(existing, wanted)) {
    return { outcome: 'unchanged', id: existing.id, note }
  }
  if (run.dryRun) {
    return { outcome: existing === undefined ? 'created' : 'updated', note }
  }
  if (existing === undefined) {
    const made = await target.createWorkPool({ name: pool.name, type: pool.type, ...wanted })
    return { outcome: 'created', id: made.id, note }
  }
  await target.updateWorkPool(pool.name, wanted)
  return { outcome: 'updated', id: existing.id, note }
}

async function copyQueue(run: ImportRun, pool: string, queue: WorkQueue): Promise<Copied> {
  const { target } = run
  const wanted = {
    description: queue.description ?? '',
    is_paused: queue.is_paused,
    concurrency_limit: queue.concurrency_limit,
    priority: queue.priority,
  }
  const existing = await orNone(target.readWorkQueue(pool, queue.name))
  if (
    existing !== undefined &&
    agrees({ ...existing, description: existing.description ?? '' }, wanted)
  ) {
    return { outcome: 'unchanged', id: existing.id }
  }
  if (run.dryRun) {
    return { outcome: existing === undefined ? 'created' : 'updated' }
  }
  if (existing === undefined) {
    const made = await target.createWorkQueue(pool, { name: queue.name, ...wanted })
    return { outcome: 'created', id: made.id }
  }
  await target.updateWorkQueue(pool, queue.name, wanted)
  return { outcome: 'updated', id: existing.id }
}
