import {
  poolConcurrency,
  poolConcurrencyQuery,
  queueConcurrency,
  queueConcurrencyQuery,
} from '#core/wire/concurrency-status.ts'
import { DomainError } from '#domain/errors.ts'
import { countSlotHolders, listSlotHolders } from '#storage/slot-holders.ts'
import { findWorkQueue, listHomeWorkQueues } from '#storage/work-queues.ts'
import { getWorkPool } from '../operations/change-work-pool.ts'
import { endpoint, idParam, nameParam, type Api } from './endpoint.ts'
import { toPage } from './page.ts'

/** Runs that are shown of each queue of a pool when the request does not say, as in Prefect. */
const RUNS_PER_QUEUE = 10

/** Which runs hold the slots of a pool and of a queue. */
export function addConcurrencyStatusRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/{name}/concurrency_status',
      tag: 'Work pools',
      summary: "Show which flow runs hold a pool's slots, queue by queue",
      params: nameParam,
      body: poolConcurrencyQuery,
      bodyOptional: true,
      answers: { 200: poolConcurrency },
      errors: [404],
    },
    async ({ workspace, params, body, now }) => {
      const { pool } = await getWorkPool(workspace, params.name, now)
      const all = await listHomeWorkQueues(workspace, pool.id)
      const { slice, answer } = toPage(body)
      const shown = all.slice(slice.offset, slice.offset + slice.limit)
      const runs = { limit: body.flow_run_limit ?? RUNS_PER_QUEUE, offset: 0 }
      const [counts, holders] = await Promise.all([
        countSlotHolders(
          workspace,
          all.map(({ id }) => id),
        ),
        listSlotHolders(
          workspace,
          shown.map(({ id }) => id),
          runs,
          now,
        ),
      ])
      const { results, ...page } = answer(
        shown.map(({ id, name, concurrency_limit }) => ({
          queue_id: id,
          queue_name: name,
          active_slots: counts.get(id) ?? 0,
          concurrency_limit,
          flow_run_count: counts.get(id) ?? 0,
          flow_runs: holders.get(id) ?? [],
        })),
        all.length,
      )
      const active_slots = [...counts.values()].reduce((sum, count) => sum + count, 0)
      const { concurrency_limit } = pool
      return { status: 200, body: { ...page, active_slots, concurrency_limit, queues: results } }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_queues/{id}/concurrency_status',
      tag: 'Work queues',
      summary: "Show which flow runs hold a work queue's slots",
      params: idParam,
      body: queueConcurrencyQuery,
      bodyOptional: true,
      answers: { 200: queueConcurrency },
      errors: [404],
    },
    async ({ workspace, params: { id }, body, now }) => {
      const found = await findWorkQueue(workspace, id, now)
      if (found === undefined) {
        throw new DomainError('not_found', 'Work queue not found.')
      }
      const { slice, answer } = toPage(body)
      const [counts, holders] = await Promise.all([
        countSlotHolders(workspace, [id]),
        listSlotHolders(workspace, [id], slice, now),
      ])
      const active_slots = counts.get(id) ?? 0
      const { results, ...page } = answer(holders.get(id) ?? [], active_slots)
      const { concurrency_limit } = found.queue
      return { status: 200, body: { ...page, active_slots, concurrency_limit, flow_runs: results } }
    },
  )
}
