import * as z from 'zod'
import { flowRun } from '#core/wire/flow-run.ts'
import {
  workQueue,
  workQueueCreate,
  workQueueHealth,
  workQueueRunsQuery,
} from '#core/wire/work-queue.ts'
import { DomainError } from '#domain/errors.ts'
import { workQueueHealthOf } from '#domain/readiness.ts'
import { countFlowRuns } from '#storage/flow-runs.ts'
import { findWorkQueue } from '#storage/work-queues.ts'
import { createLoneWorkQueue } from '../operations/change-work-queue.ts'
import { workPoolHome } from '../operations/work-pool-home.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

const tag = 'Work queues'

/** What Prefect offers of queues without the name of their pool: from the times before there were pools. */
export function addLoneWorkQueueRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_queues/',
      tag,
      summary:
        'Create a work queue in the pool `default-agent-pool`, which is made when there is none',
      body: workQueueCreate,
      answers: { 201: workQueue },
      errors: [409],
    },
    async ({ workspace, body, now }) => ({
      status: 201,
      body: await createLoneWorkQueue(workspace, body, now),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_queues/{id}/get_runs',
      tag,
      summary: "List a queue's runs that a worker may propose `Pending` for",
      params: idParam,
      body: workQueueRunsQuery,
      bodyOptional: true,
      answers: { 200: z.array(flowRun) },
      errors: [404],
    },
    async ({ workspace, params, body, now }) => {
      const found = await findWorkQueue(workspace, params.id, now)
      if (found === undefined) {
        throw new DomainError('not_found', `Work queue with id ${params.id} not found.`)
      }
      const home = await workPoolHome(workspace, found.queue.work_pool_name)
      const runs = await home.stub.scheduledFlowRuns(home.context, {
        ...body,
        work_queue_names: [found.queue.name],
      })
      return { status: 200, body: 'unknown_queue' in runs ? [] : runs.map((run) => run.flow_run) }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/work_queues/{id}/status',
      tag,
      summary: 'Tell whether a work queue is polled and none of its runs is late',
      params: idParam,
      tellsPresence: true,
      answers: { 200: workQueueHealth },
      errors: [404],
    },
    async ({ workspace, params, now }) => {
      const found = await findWorkQueue(workspace, params.id, now)
      if (found === undefined) {
        throw new DomainError('not_found', `Work queue with id ${params.id} not found`)
      }
      const late = await countFlowRuns(workspace, {
        flow_runs: { state: { name: { any_: ['Late'] } } },
        work_pool_queues: { id: { any_: [params.id] } },
      })
      return { status: 200, body: workQueueHealthOf(late, found.queue.last_polled, now) }
    },
  )
}
