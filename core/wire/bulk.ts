import * as z from 'zod'
import { uuid } from './common.ts'
import { deploymentFlowRunCreate } from './deployment.ts'
import { job } from './job.ts'
import { MAX_RUNS_A_REQUEST } from '../request-limits.ts'
import { deploymentFilter, flowFilter, flowRunFilter, flowRunsCount } from './query.ts'
import { orchestrationResult, stateCreate } from './state.ts'

/** As many as one request changes, as in Prefect. */
export const MAX_BULK = 50
const limit = z.int().min(1).max(MAX_BULK).optional()

export const flowsBulkDelete = z
  .strictObject({ flows: flowFilter.nullish(), limit })
  .meta({ id: 'FlowsBulkDelete' })
export const deploymentsBulkDelete = z
  .strictObject({ deployments: deploymentFilter.nullish(), limit })
  .meta({ id: 'DeploymentsBulkDelete' })
export const flowRunsBulkDelete = z
  .strictObject({ flow_runs: flowRunFilter.nullish(), limit })
  .meta({ id: 'FlowRunsBulkDelete' })
export type FlowsBulkDelete = z.infer<typeof flowsBulkDelete>
export type DeploymentsBulkDelete = z.infer<typeof deploymentsBulkDelete>
export type FlowRunsBulkDelete = z.infer<typeof flowRunsBulkDelete>

export const bulkDeleted = z.object({ deleted: z.array(z.string()) }).meta({ id: 'BulkDeleted' })
export type BulkDeleted = z.infer<typeof bulkDeleted>

export const flowRunsBulkSetState = z
  .strictObject({
    flow_runs: flowRunFilter.nullish(),
    state: stateCreate,
    force: z.boolean().optional(),
    limit,
  })
  .meta({ id: 'FlowRunsBulkSetState' })
export type FlowRunsBulkSetState = z.infer<typeof flowRunsBulkSetState>

export const flowRunsBulkStates = z
  .object({
    results: z.array(
      z.object({
        flow_run_id: z.string(),
        status: orchestrationResult.shape.status,
        state: orchestrationResult.shape.state,
        details: orchestrationResult.shape.details,
      }),
    ),
  })
  .meta({ id: 'FlowRunsBulkStates' })
export type FlowRunsBulkStates = z.infer<typeof flowRunsBulkStates>

// Headgate's own, beside Prefect's.

export const flowRunsCreate = z
  .strictObject({ flow_runs: z.array(deploymentFlowRunCreate).max(MAX_RUNS_A_REQUEST) })
  .meta({ id: 'DeploymentFlowRunsCreate' })
export type FlowRunsCreate = z.infer<typeof flowRunsCreate>

/** In the order of the request; what is not `created` had its idempotency key's run already. */
export const flowRunsCreated = z
  .object({ flow_runs: z.array(z.object({ id: uuid, created: z.boolean() })) })
  .meta({ id: 'DeploymentFlowRunsCreated' })
export type FlowRunsCreated = z.infer<typeof flowRunsCreated>

const bulkChange = z.enum(['cancel', 'pause', 'retry', 'delete'])
export type BulkChange = z.infer<typeof bulkChange>

/** As many runs are changed before the answer; more are changed by a job. */
export const MAX_AT_ONCE = 200

const changeBody = {
  ...flowRunsCount.shape,
  /** Only count the runs that would be changed. */
  dry_run: z.boolean().optional(),
  /** Two requests with the same key are one. */
  idempotency_key: z.string().min(1).max(200).nullish(),
}
const EVERYTHING =
  'Say which flow runs are meant by at least one filter; {"flow_runs": {}} means all of them.'
const saysWhich = (body: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(flowRunsCount.shape).some((name) => (body[name] ?? null) !== null)

const whichRuns: z.core.$ZodCustomParams = {
  message: EVERYTHING,
  path: ['flow_runs'],
  // What is misspelt says more.
  when: ({ issues }) => issues.length === 0,
}

export const flowRunsChange = z
  .strictObject(changeBody)
  .refine(saysWhich, whichRuns)
  .meta({ id: 'FlowRunsChange' })
export const flowRunsPause = z
  .strictObject({
    ...changeBody,
    /** Paused runs that nobody resumes fail after so long; null: they wait. */
    timeout_seconds: z.int().min(1).nullish(),
  })
  .refine(saysWhich, whichRuns)
  .meta({ id: 'FlowRunsPause' })
export type FlowRunsChange = z.infer<typeof flowRunsChange>
export type FlowRunsPause = z.infer<typeof flowRunsPause>

/** `job` is null when nothing was asked to be changed. */
export const flowRunsChanged = z
  .object({ chosen: z.int(), job: job.nullable() })
  .meta({ id: 'FlowRunsChanged' })
export type FlowRunsChanged = z.infer<typeof flowRunsChanged>
