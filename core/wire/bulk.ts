import * as z from 'zod'
import { deploymentFilter, flowFilter, flowRunFilter } from './query.ts'
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
