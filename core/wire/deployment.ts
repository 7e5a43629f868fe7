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
import { globalConcurrencyLimit } from './concurrency-limit.ts'
import { flowRunPolicyUpdate } from './flow-run.ts'
import {
  deploymentSchedule,
  deploymentScheduleCreate,
  deploymentScheduleUpdate,
} from './schedule.ts'
import { deploymentSignature, keptSignature } from './signature.ts'
import { stateCreate } from './state.ts'

const concurrencyOptions = z
  .strictObject({
    collision_strategy: z.enum(['ENQUEUE', 'CANCEL_NEW']),
    grace_period_seconds: z.int().min(60).max(86_400).nullish(),
  })
  .meta({ id: 'ConcurrencyOptions' })
export type ConcurrencyOptions = z.infer<typeof concurrencyOptions>

/** Headgate's own: runs of one key share a limit, and the keys of a queue take turns. */
export const concurrencyKey = z
  .strictObject({
    /** A Jinja template over `parameters`, `tags`, `deployment` and `flow`, rendered when a run is made. */
    template: z.string().min(1).max(2000),
    /** How many runs of one key may be live; null: any number. */
    limit: z.int().min(1).nullable().default(null),
    /** How many turns a key has in each round; 1 where it is not named. */
    weights: z.record(z.string().max(200), z.int().min(1).max(100)).default({}),
  })
  .meta({ id: 'ConcurrencyKey' })
export type ConcurrencyKey = z.infer<typeof concurrencyKey>

const pullSteps = z.array(jsonObject)

/** Fields that newer and Cloud-aware clients send; accepted and not used. */
const accepted = {
  version_info: z.unknown().optional(),
  branch: z.unknown().optional(),
  base: z.unknown().optional(),
  root: z.unknown().optional(),
}

const deploymentBody = {
  paused: z.boolean().optional(),
  concurrency_limit: z.int().positive().nullish(),
  concurrency_options: concurrencyOptions.nullish(),
  concurrency_key: concurrencyKey.nullish(),
  /** Headgate's own: one more run that is due and waits is `Cancelled`. */
  max_waiting_runs: z.int().min(1).nullish(),
  /** Headgate's own: a run that has not begun so long after its time is `Cancelled`. */
  start_within_seconds: z.int().min(1).nullish(),
  signature: deploymentSignature.nullish(),
  enforce_parameter_schema: z.boolean().nullish(),
  parameter_openapi_schema: jsonObject.nullish(),
  parameters: jsonObject.nullish(),
  tags: tags.optional(),
  pull_steps: pullSteps.nullish(),
  work_queue_name: objectName.nullish(),
  work_pool_name: objectName.nullish(),
  description: z.string().nullish(),
  path: z.string().nullish(),
  version: z.string().nullish(),
  entrypoint: z.string().nullish(),
  job_variables: jsonObject.nullish(),
  /** Blocks of Prefect 2, kept for who reads them. */
  storage_document_id: uuid.nullish(),
  infrastructure_document_id: uuid.nullish(),
  ...accepted,
}

export const deploymentCreate = z
  .strictObject({
    name: objectName,
    flow_id: uuid,
    schedules: z.array(deploymentScheduleCreate).optional(),
    labels: labels.nullish(),
    ...deploymentBody,
  })
  .meta({ id: 'DeploymentCreate' })
export type DeploymentCreate = z.infer<typeof deploymentCreate>

export const deploymentUpdate = z
  .strictObject({ schedules: z.array(deploymentScheduleUpdate).nullish(), ...deploymentBody })
  .meta({ id: 'DeploymentUpdate' })
export type DeploymentUpdate = z.infer<typeof deploymentUpdate>

export const deployment = z
  .object({
    ...stored,
    name: z.string(),
    version: z.string().nullable(),
    description: z.string().nullable(),
    flow_id: z.string(),
    paused: z.boolean(),
    schedules: z.array(deploymentSchedule),
    /** Always null; the limit stands in `global_concurrency_limit`, as in Prefect. */
    concurrency_limit: z.null(),
    global_concurrency_limit: globalConcurrencyLimit.nullable(),
    concurrency_options: concurrencyOptions.nullable(),
    concurrency_key: concurrencyKey.nullable(),
    max_waiting_runs: z.int().nullable(),
    start_within_seconds: z.int().nullable(),
    /** Headgate's own. By default null, for agents that are newer than their API. */
    signature: keptSignature.nullable().default(null),
    job_variables: jsonObject,
    parameters: jsonObject,
    tags: z.array(z.string()),
    labels,
    work_queue_name: z.string().nullable(),
    work_queue_id: z.string().nullable(),
    work_pool_name: z.string().nullable(),
    last_polled: z.string().nullable(),
    parameter_openapi_schema: jsonObject.nullable(),
    path: z.string().nullable(),
    pull_steps: pullSteps.nullable(),
    entrypoint: z.string().nullable(),
    storage_document_id: z.string().nullable(),
    infrastructure_document_id: z.string().nullable(),
    created_by: createdBy.nullable(),
    updated_by: createdBy.nullable(),
    status: z.enum(['READY', 'NOT_READY', 'DISABLED']).nullable(),
    enforce_parameter_schema: z.boolean(),
  })
  .meta({ id: 'DeploymentResponse' })
export type Deployment = z.infer<typeof deployment>

export const deploymentFlowRunCreate = z
  .strictObject({
    state: stateCreate.nullish(),
    name: z.string().nullish(),
    parameters: jsonObject.nullish(),
    enforce_parameter_schema: z.boolean().nullish(),
    context: jsonObject.nullish(),
    empirical_policy: flowRunPolicyUpdate.nullish(),
    tags: tags.nullish(),
    idempotency_key: z.string().min(1).nullish(),
    labels: labels.nullish(),
    parent_task_run_id: uuid.nullish(),
    work_queue_name: objectName.nullish(),
    job_variables: jsonObject.nullish(),
    infrastructure_document_id: z.null().optional(),
    /** Headgate's own: not begun by then, the run is `Cancelled`. */
    start_before: timestamp.nullish(),
  })
  .meta({ id: 'DeploymentFlowRunCreate' })
export type DeploymentFlowRunCreate = z.infer<typeof deploymentFlowRunCreate>
