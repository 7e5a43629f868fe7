import * as z from 'zod'
import { json, timestamp, uuid } from './common.ts'

export const stateType = z
  .enum([
    'SCHEDULED',
    'PENDING',
    'RUNNING',
    'COMPLETED',
    'FAILED',
    'CANCELLED',
    'CRASHED',
    'PAUSED',
    'CANCELLING',
  ])
  .meta({ id: 'StateType' })
export type StateType = z.infer<typeof stateType>

/** Unknown keys are kept: newer clients add some and read them back. */
export const stateDetails = z
  .looseObject({
    flow_run_id: uuid.nullish(),
    task_run_id: uuid.nullish(),
    child_flow_run_id: uuid.nullish(),
    scheduled_time: timestamp.nullish(),
    cache_key: z.string().nullish(),
    cache_expiration: timestamp.nullish(),
    deferred: z.boolean().nullish(),
    untrackable_result: z.boolean().optional(),
    pause_timeout: timestamp.nullish(),
    pause_reschedule: z.boolean().optional(),
    pause_key: z.string().nullish(),
    run_input_keyset: z.record(z.string(), z.string()).nullish(),
    refresh_cache: z.boolean().nullish(),
    retriable: z.boolean().nullish(),
    transition_id: uuid.nullish(),
    task_parameters_id: uuid.nullish(),
    traceparent: z.string().nullish(),
    deployment_concurrency_lease_id: uuid.nullish(),
  })
  .meta({ id: 'StateDetails' })

export const stateCreate = z
  .strictObject({
    type: stateType,
    name: z.string().nullish(),
    message: z.string().nullish(),
    data: json.nullish(),
    state_details: stateDetails.nullish(),
    // Sent by Prefect's client with whole states; the server mints its own.
    id: uuid.nullish(),
    timestamp: timestamp.nullish(),
  })
  .meta({ id: 'StateCreate' })
export type StateCreate = z.infer<typeof stateCreate>

export const state = z
  .object({
    id: z.string(),
    type: stateType,
    name: z.string(),
    timestamp: z.string(),
    message: z.string().nullable(),
    data: json.nullable(),
    state_details: stateDetails,
  })
  .meta({ id: 'State' })
export type State = z.infer<typeof state>

export const setState = z
  .strictObject({ state: stateCreate, force: z.boolean().nullish() })
  .meta({ id: 'SetState' })
export type SetState = z.infer<typeof setState>

export const orchestrationResult = z
  .object({
    state: state.nullable(),
    status: z.enum(['ACCEPT', 'REJECT', 'WAIT', 'ABORT']),
    details: z.discriminatedUnion('type', [
      z.object({ type: z.literal('accept_details') }),
      z.object({ type: z.literal('reject_details'), reason: z.string().nullable() }),
      z.object({
        type: z.literal('wait_details'),
        delay_seconds: z.number(),
        reason: z.string().nullable(),
      }),
      z.object({ type: z.literal('abort_details'), reason: z.string().nullable() }),
    ]),
  })
  .meta({ id: 'OrchestrationResult' })
export type OrchestrationResult = z.infer<typeof orchestrationResult>
