import * as z from 'zod'
import { labels, stored, tags, timestamp, uuid } from './common.ts'
import { state, stateCreate, stateType } from './state.ts'

export const taskRunPolicy = z
  .looseObject({
    max_retries: z.int().optional(),
    retry_delay_seconds: z.number().optional(),
    retries: z.int().nullish(),
    retry_delay: z.union([z.number(), z.array(z.number())]).nullish(),
    retry_jitter_factor: z.number().nullish(),
  })
  .meta({ id: 'TaskRunPolicy' })
export type TaskRunPolicy = z.infer<typeof taskRunPolicy>

/** Parameter name -> what fed it. */
export const taskInputs = z.record(
  z.string(),
  z.array(
    z.discriminatedUnion('input_type', [
      z.object({ input_type: z.literal('task_run'), id: uuid }).meta({ id: 'TaskRunResult' }),
      z.object({ input_type: z.literal('flow_run'), id: uuid }).meta({ id: 'FlowRunResult' }),
      z.object({ input_type: z.literal('parameter'), name: z.string() }).meta({ id: 'Parameter' }),
      z.object({ input_type: z.literal('constant'), type: z.string() }).meta({ id: 'Constant' }),
    ]),
  ),
)

/** Longer ones are refused, as Prefect does. */
const MAX_CACHE_KEY = 2000

export const taskRunCreate = z
  .strictObject({
    id: uuid.nullish(),
    state: stateCreate.nullish(),
    name: z.string().nullish(),
    flow_run_id: uuid.nullish(),
    task_key: z.string(),
    dynamic_key: z.string(),
    cache_key: z.string().max(MAX_CACHE_KEY).nullish(),
    cache_expiration: timestamp.nullish(),
    task_version: z.string().nullish(),
    empirical_policy: taskRunPolicy.nullish(),
    tags: tags.nullish(),
    labels: labels.nullish(),
    task_inputs: taskInputs.nullish(),
  })
  .meta({ id: 'TaskRunCreate' })
export type TaskRunCreate = z.infer<typeof taskRunCreate>

export const taskRunUpdate = z
  .strictObject({ name: z.string().min(1).optional() })
  .meta({ id: 'TaskRunUpdate' })
export type TaskRunUpdate = z.infer<typeof taskRunUpdate>

export const taskRun = z
  .object({
    ...stored,
    name: z.string(),
    flow_run_id: z.string().nullable(),
    task_key: z.string(),
    dynamic_key: z.string(),
    cache_key: z.string().nullable(),
    cache_expiration: z.string().nullable(),
    task_version: z.string().nullable(),
    empirical_policy: taskRunPolicy,
    tags: z.array(z.string()),
    labels,
    task_inputs: taskInputs,
    state_id: z.string().nullable(),
    state_type: stateType.nullable(),
    state_name: z.string().nullable(),
    state: state.nullable(),
    run_count: z.int(),
    flow_run_run_count: z.int(),
    expected_start_time: z.string().nullable(),
    next_scheduled_start_time: z.string().nullable(),
    start_time: z.string().nullable(),
    end_time: z.string().nullable(),
    total_run_time: z.number(),
    estimated_run_time: z.number(),
    estimated_start_time_delta: z.number(),
  })
  .meta({ id: 'TaskRun' })
export type TaskRun = z.infer<typeof taskRun>
