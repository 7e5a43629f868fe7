import * as z from 'zod'
import { jsonObject, uuid } from './common.ts'
import {
  deploymentFilter,
  flowFilter,
  flowRunFilter,
  flowRunSort,
  taskRunFilter,
  workPoolFilter,
  workQueueFilter,
} from './query.ts'
import { stateType } from './state.ts'
import { taskRun } from './task-run.ts'

/** What Prefect's console asks for beyond the lists: counts and short forms. */
const ids = z.array(uuid).max(200)
export const flowRunIds = z.strictObject({ flow_run_ids: ids }).meta({ id: 'FlowRunIds' })
export const flowIds = z.strictObject({ flow_ids: ids }).meta({ id: 'FlowIds' })
export const countById = z.record(z.string(), z.int())

const owners = {
  flows: flowFilter.nullish(),
  flow_runs: flowRunFilter.nullish(),
  deployments: deploymentFilter.nullish(),
}

export const simpleFlowRunsQuery = z
  .strictObject({
    ...owners,
    task_runs: taskRunFilter.nullish(),
    work_pools: workPoolFilter.nullish(),
    sort: flowRunSort.nullish(),
    limit: z.int().min(0).max(1000).nullish(),
    offset: z.int().min(0).nullish(),
  })
  .meta({ id: 'SimpleFlowRunsQuery' })

export const simpleFlowRun = z
  .object({
    id: z.string(),
    state_type: stateType,
    /** When it started, or is expected to. */
    timestamp: z.string(),
    /** Seconds. */
    duration: z.number(),
    /** Seconds. */
    lateness: z.number(),
  })
  .meta({ id: 'SimpleFlowRun' })
export type SimpleFlowRun = z.infer<typeof simpleFlowRun>

const nextFlowRun = z
  .object({
    id: z.string(),
    flow_id: z.string(),
    name: z.string(),
    state_name: z.string(),
    state_type: stateType,
    next_scheduled_start_time: z.string(),
  })
  .meta({ id: 'SimpleNextFlowRun' })
export const nextFlowRuns = z.record(z.string(), nextFlowRun.nullable())
export type NextFlowRun = z.infer<typeof nextFlowRun>

export const taskRunCountsQuery = z
  .strictObject({ ...owners, task_runs: taskRunFilter.nullish() })
  .meta({ id: 'TaskRunCountsQuery' })

export const countByState = z.record(stateType, z.int()).meta({ id: 'CountByState' })
export type CountByState = z.infer<typeof countByState>

export const taskRunBucketsQuery = z
  .strictObject({
    ...owners,
    task_runs: taskRunFilter,
    work_pools: workPoolFilter.nullish(),
    work_queues: workQueueFilter.nullish(),
  })
  .meta({ id: 'TaskRunBucketsQuery' })
export const taskRunBucket = z
  .object({ completed: z.int(), failed: z.int() })
  .meta({ id: 'TaskRunCount' })
export type TaskRunBucket = z.infer<typeof taskRunBucket>

export const uiTaskRun = z
  .object({ ...taskRun.shape, flow_run_name: z.string().nullable() })
  .meta({ id: 'UITaskRun' })

export const schemaValues = z
  .strictObject({ schema: jsonObject, values: jsonObject })
  .meta({ id: 'SchemaValues' })

/** A sentence, or what is wrong within a property or an item. */
export type ValueError =
  string | { property: string; errors: ValueError[] } | { index: number; errors: ValueError[] }
const valueError: z.ZodType<ValueError> = z.lazy(() =>
  z.union([
    z.string(),
    z.object({ property: z.string(), errors: z.array(valueError) }),
    z.object({ index: z.int(), errors: z.array(valueError) }),
  ]),
)
valueError.register(z.globalRegistry, { id: 'SchemaValueError' })
export const schemaValuesResult = z
  .object({ errors: z.array(valueError), valid: z.boolean() })
  .meta({ id: 'SchemaValuesValidationResponse' })

export const observedState = z
  .object({
    state_type: z.string(),
    state_name: z.string(),
    first_seen: z.string(),
    last_seen: z.string(),
  })
  .meta({ id: 'ObservedState' })
export type ObservedState = z.infer<typeof observedState>
