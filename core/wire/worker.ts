import * as z from 'zod'
import { objectName, stored, uuid } from './common.ts'

/** A worker is Prefect's record of a process that serves a work pool; our agent is one too. */
export const workerHeartbeat = z
  .strictObject({
    name: objectName,
    heartbeat_interval_seconds: z.int().positive().nullish(),
    metadata: z.unknown().optional(),
    return_id: z.boolean().nullish(),
    work_pool_id: uuid.nullish(),
  })
  .meta({ id: 'WorkerHeartbeat' })
export type WorkerHeartbeat = z.infer<typeof workerHeartbeat>

export const worker = z
  .object({
    ...stored,
    name: z.string(),
    work_pool_id: z.string(),
    last_heartbeat_time: z.string().nullable(),
    heartbeat_interval_seconds: z.int().nullable(),
    status: z.enum(['ONLINE', 'OFFLINE']),
  })
  .meta({ id: 'WorkerResponse' })
export type Worker = z.infer<typeof worker>
