import * as z from 'zod'
import { timestamp, uuid } from './common.ts'

/** Long work that goes on after the answer; each kind's steps stand in `worker/operations/job-kinds.ts`. */
export const jobKind = z.enum([
  'backfill',
  'delete_flow',
  'cancel_flow_runs',
  'pause_flow_runs',
  'retry_flow_runs',
  'delete_flow_runs',
  'diagnostics',
  'rotate_key',
])
export type JobKindName = z.infer<typeof jobKind>

export const jobState = z.enum(['RUNNING', 'COMPLETED', 'CANCELLED', 'FAILED'])
export type JobState = z.infer<typeof jobState>

export const job = z
  .object({
    id: uuid,
    kind: jobKind,
    state: jobState,
    /** Why it waits to be tried again, or why it failed. */
    message: z.string().nullable(),
    /** How many things it is about; null while nobody has counted. */
    chosen: z.int().nullable(),
    done: z.int(),
    skipped: z.int(),
    /** Why things were skipped, each with how many. */
    reasons: z.record(z.string(), z.int()),
    created: timestamp,
    finished: timestamp.nullable(),
  })
  .meta({ id: 'Job' })
export type Job = z.infer<typeof job>
