import * as z from 'zod'
import {
  createdBy,
  jsonObject,
  labels,
  objectName,
  stored,
  tags,
  timestamp,
  uuid,
} from './common.ts'
import { state, stateCreate, stateType } from './state.ts'

const flowRunPolicy = z
  .object({
    max_retries: z.int(),
    retry_delay_seconds: z.number(),
    retries: z.int().nullable(),
    retry_delay: z.int().nullable(),
    pause_keys: z.array(z.string()).nullable(),
    resuming: z.boolean().nullable(),
    retry_type: z.enum(['in_process', 'reschedule']).nullable(),
    /** Headgate's own: how often a run that crashed by its infrastructure is tried again. */
    infrastructure_retries: z.int().nullable(),
  })
  .meta({ id: 'FlowRunPolicy' })
export type FlowRunPolicy = z.infer<typeof flowRunPolicy>

export const flowRunPolicyUpdate = z
  .looseObject({
    max_retries: z.int().min(0).optional(),
    retry_delay_seconds: z.number().min(0).optional(),
    retries: z.int().min(0).nullish(),
    retry_delay: z.int().min(0).nullish(),
    pause_keys: z.array(z.string()).nullish(),
    resuming: z.boolean().nullish(),
    retry_type: z.enum(['in_process', 'reschedule']).nullish(),
    infrastructure_retries: z.int().min(0).max(100).nullish(),
  })
  .meta({ id: 'FlowRunPolicyUpdate' })

export const flowRunCreate = z
  .strictObject({
    flow_id: uuid,
    state: stateCreate.nullish(),
    name: z.string().nullish(),
    flow_version: z.string().nullish(),
    parameters: jsonObject.nullish(),
    context: jsonObject.nullish(),
    parent_task_run_id: uuid.nullish(),
    empirical_policy: flowRunPolicyUpdate.nullish(),
    tags: tags.nullish(),
    labels: labels.nullish(),
    idempotency_key: z.string().min(1).nullish(),
    work_pool_name: objectName.nullish(),
    work_queue_name: objectName.nullish(),
    job_variables: jsonObject.nullish(),
    infrastructure_document_id: z.null().optional(),
    deployment_id: uuid.nullish(),
    /** Headgate's own: not begun by then, the run is `Cancelled`. */
    start_before: timestamp.nullish(),
  })
  .meta({ id: 'FlowRunCreate' })
export type FlowRunCreate = z.infer<typeof flowRunCreate>

export const flowRunUpdate = z
  .strictObject({
    name: z.string().min(1).nullish(),
    flow_version: z.string().nullish(),
    parameters: jsonObject.optional(),
    empirical_policy: flowRunPolicyUpdate.optional(),
    tags: tags.optional(),
    infrastructure_pid: z.string().nullish(),
    job_variables: jsonObject.nullish(),
  })
  .meta({ id: 'FlowRunUpdate' })
export type FlowRunUpdate = z.infer<typeof flowRunUpdate>

export const flowRun = z
  .object({
    ...stored,
    name: z.string(),
    flow_id: z.string(),
    deployment_id: z.string().nullable(),
    deployment_version: z.string().nullable(),
    work_queue_id: z.string().nullable(),
    work_queue_name: z.string().nullable(),
    work_pool_id: z.string().nullable(),
    work_pool_name: z.string().nullable(),
    flow_version: z.string().nullable(),
    parameters: jsonObject,
    idempotency_key: z.string().nullable(),
    context: jsonObject,
    empirical_policy: flowRunPolicy,
    tags: z.array(z.string()),
    labels,
    parent_task_run_id: z.string().nullable(),
    state_id: z.string().nullable(),
    state_type: stateType.nullable(),
    state_name: z.string().nullable(),
    state: state.nullable(),
    run_count: z.int(),
    expected_start_time: z.string().nullable(),
    next_scheduled_start_time: z.string().nullable(),
    start_time: z.string().nullable(),
    end_time: z.string().nullable(),
    /** Seconds. */
    total_run_time: z.number(),
    /** Seconds; computed when read. */
    estimated_run_time: z.number(),
    /** Seconds; computed when read. */
    estimated_start_time_delta: z.number(),
    auto_scheduled: z.boolean(),
    infrastructure_document_id: z.null(),
    infrastructure_pid: z.string().nullable(),
    created_by: createdBy.nullable(),
    job_variables: jsonObject.nullable(),
    /** Headgate's own: what its deployment's template of a key made of its parameters. */
    concurrency_key: z.string().nullable(),
    /** Headgate's own: not begun by then, it is `Cancelled`. */
    start_before: z.string().nullable(),
  })
  .meta({ id: 'FlowRunResponse' })
export type FlowRun = z.infer<typeof flowRun>

/** A flow run with the names that a list shows, so that a list needs no further request. */
export const flowRunRow = flowRun
  .omit({ parameters: true, context: true, state: true, job_variables: true })
  .extend({
    flow_name: z.string().nullable(),
    deployment_name: z.string().nullable(),
    state_message: z.string().nullable(),
    /** Rises with every change of the run; older versions of a row are to be dropped. */
    version: z.int(),
  })
  .meta({ id: 'FlowRunRow' })
export type FlowRunRow = z.infer<typeof flowRunRow>

export const resumeFlowRun = z
  .strictObject({ run_input: jsonObject.nullish() })
  .meta({ id: 'ResumeFlowRun' })
