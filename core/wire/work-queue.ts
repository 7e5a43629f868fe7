import * as z from 'zod'
import { objectName, stored, timestamp } from './common.ts'
import { flowRun } from './flow-run.ts'

const limit = z.int().min(0)
/** Prefect's client still sends its queues' retired filter. A filter that says something is refused: it would do nothing. */
const retired = { filter: z.null().optional() }

export const workQueueCreate = z
  .strictObject({
    name: objectName,
    description: z.string().nullish(),
    is_paused: z.boolean().optional(),
    concurrency_limit: limit.nullish(),
    priority: z.int().positive().nullish(),
    ...retired,
  })
  .meta({ id: 'WorkQueueCreate' })
export type WorkQueueCreate = z.infer<typeof workQueueCreate>

export const workQueueUpdate = z
  .strictObject({
    name: objectName.nullish(),
    description: z.string().nullish(),
    is_paused: z.boolean().optional(),
    concurrency_limit: limit.nullish(),
    priority: z.int().positive().nullish(),
    last_polled: timestamp.nullish(),
    ...retired,
  })
  .meta({ id: 'WorkQueueUpdate' })
export type WorkQueueUpdate = z.infer<typeof workQueueUpdate>

export const workQueue = z
  .object({
    ...stored,
    name: z.string(),
    description: z.string().nullable(),
    is_paused: z.boolean(),
    concurrency_limit: z.int().nullable(),
    /** 1 is served first. */
    priority: z.int(),
    work_pool_id: z.string(),
    work_pool_name: z.string(),
    last_polled: z.string().nullable(),
    status: z.enum(['READY', 'NOT_READY', 'PAUSED']).nullable(),
    active_slots: z.int().nullable(),
  })
  .meta({ id: 'WorkQueueResponse' })
export type WorkQueue = z.infer<typeof workQueue>

/** What Prefect's worker asks for at each poll. */
export const scheduledFlowRunsQuery = z
  .strictObject({
    work_queue_names: z.array(z.string()).nullish(),
    scheduled_before: timestamp.nullish(),
    scheduled_after: timestamp.nullish(),
    limit: z.int().min(0).max(200).nullish(),
  })
  .meta({ id: 'ScheduledFlowRunsQuery' })
export type ScheduledFlowRunsQuery = z.infer<typeof scheduledFlowRunsQuery>

export const workerFlowRun = z
  .object({ work_pool_id: z.string(), work_queue_id: z.string(), flow_run: flowRun })
  .meta({ id: 'WorkerFlowRunResponse' })
export type WorkerFlowRun = z.infer<typeof workerFlowRun>

/** What Prefect's retired agents asked for. */
export const workQueueRunsQuery = scheduledFlowRunsQuery
  .pick({ scheduled_before: true, limit: true })
  .meta({ id: 'WorkQueueRunsQuery' })

export const workQueueHealth = z
  .object({
    healthy: z.boolean(),
    late_runs_count: z.int(),
    last_polled: z.string().nullable(),
    health_check_policy: z.object({
      maximum_late_runs: z.int(),
      maximum_seconds_since_last_polled: z.int(),
    }),
  })
  .meta({ id: 'WorkQueueStatusDetail' })
export type WorkQueueHealth = z.infer<typeof workQueueHealth>
