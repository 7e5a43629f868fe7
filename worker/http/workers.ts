import * as z from 'zod'
import { workersQuery } from '#core/wire/query.ts'
import { worker, workerHeartbeat } from '#core/wire/worker.ts'
import { DomainError } from '#domain/errors.ts'
import { listWorkers, recordHeartbeat, removeWorker } from '#storage/workers.ts'
import { getWorkPoolKey } from '../operations/change-work-pool.ts'
import { endpoint, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'

const tag = 'Workers'
const poolParam = z.object({ work_pool_name: z.string() })

export function addWorkerRoutes(api: Api): void {
  // Prefect's worker asks for a channel, and polls for good when it is told that there is none.
  api.get('/work_pools/:name/workers/connect', (context) =>
    context.json({ detail: 'Not Found' }, 404),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/{work_pool_name}/workers/heartbeat',
      tag,
      summary: 'Tell that a worker is alive; makes it known the first time',
      params: poolParam,
      body: workerHeartbeat,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params, body, now }) => {
      const pool = await getWorkPoolKey(workspace, params.work_pool_name)
      await recordHeartbeat(workspace, pool.id, body, now)
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/{work_pool_name}/workers/filter',
      tag,
      summary: "List a pool's workers, the last heard of first",
      params: poolParam,
      body: workersQuery,
      bodyOptional: true,
      tellsPresence: true,
      answers: { 200: z.array(worker) },
      errors: [404],
    },
    async ({ workspace, params, body, now }) => {
      const pool = await getWorkPoolKey(workspace, params.work_pool_name)
      const workers = await listWorkers(workspace, pool.id, body.workers, toSlice(body), now)
      return { status: 200, body: workers }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/work_pools/{work_pool_name}/workers/{name}',
      tag,
      summary: 'Forget a worker',
      params: z.object({ work_pool_name: z.string(), name: z.string() }),
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params }) => {
      const pool = await getWorkPoolKey(workspace, params.work_pool_name)
      if (!(await removeWorker(workspace, pool.id, params.name))) {
        throw new DomainError('not_found', 'Worker not found.')
      }
      return { status: 204 }
    },
  )
}
