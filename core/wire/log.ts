import * as z from 'zod'
import { stored, timestamp, uuid } from './common.ts'

export const logCreate = z
  .strictObject({
    name: z.string(),
    /** Python's levels: 10 debug, 20 info, 30 warning, 40 error, 50 critical; others are possible. */
    level: z.int(),
    message: z.string(),
    timestamp,
    flow_run_id: uuid.nullish(),
    task_run_id: uuid.nullish(),
    worker_id: uuid.nullish(),
  })
  .meta({ id: 'LogCreate' })
export type LogCreate = z.infer<typeof logCreate>

export const log = z
  .object({
    ...stored,
    name: z.string(),
    level: z.int(),
    message: z.string(),
    timestamp: z.string(),
    flow_run_id: z.string().nullable(),
    task_run_id: z.string().nullable(),
  })
  .meta({ id: 'Log' })
export type Log = z.infer<typeof log>
