import * as z from 'zod'
import { createdBy, jsonObject, labels, objectName, stored, tags, uuid } from './common.ts'
import { globalConcurrencyLimit } from './concurrency-limit.ts'
import { flowRunPolicyUpdate } from './flow-run.ts'
import {
  deploymentSchedule,
  deploymentScheduleCreate,
  deploymentScheduleUpdate,
} from './schedule.ts'
import { stateCreate } from './state.ts'

const concurrencyOptions = z
  .strictObject({
    collision_strategy: z.enum(['ENQUEUE', 'CANCEL_NEW']),
    grace_period_seconds: z.int().min(60).max(86_400).nullish(),
  })
  .meta({ id: 'ConcurrencyOptions' })
export type ConcurrencyOptions = z.infer<typeof concurrencyOptions>

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
  })
  .meta({ id: 'DeploymentFlowRunCreate' })
export type DeploymentFlowRunCreate = z.infer<typeof deploymentFlowRunCreate>
