import * as z from 'zod'
import { jsonObject, objectName, stored, uuid } from './common.ts'

const limit = z.int().min(0)
const storageConfiguration = z
  .strictObject({
    bundle_upload_step: jsonObject.nullable().default(null),
    bundle_execution_step: jsonObject.nullable().default(null),
    default_result_storage_block_id: uuid.nullable().default(null),
  })
  .meta({ id: 'WorkPoolStorageConfiguration' })
export const NO_STORAGE: z.output<typeof storageConfiguration> = {
  bundle_upload_step: null,
  bundle_execution_step: null,
  default_result_storage_block_id: null,
}

export const workPoolCreate = z
  .strictObject({
    name: objectName,
    description: z.string().nullish(),
    type: z.string().min(1).optional(),
    base_job_template: jsonObject.optional(),
    is_paused: z.boolean().optional(),
    concurrency_limit: limit.nullish(),
    storage_configuration: storageConfiguration.optional(),
  })
  .meta({ id: 'WorkPoolCreate' })
export type WorkPoolCreate = z.infer<typeof workPoolCreate>

export const workPoolUpdate = z
  .strictObject({
    description: z.string().nullish(),
    is_paused: z.boolean().nullish(),
    base_job_template: jsonObject.nullish(),
    concurrency_limit: limit.nullish(),
    storage_configuration: storageConfiguration.nullish(),
  })
  .meta({ id: 'WorkPoolUpdate' })
export type WorkPoolUpdate = z.infer<typeof workPoolUpdate>

export const workPool = z
  .object({
    ...stored,
    name: z.string(),
    description: z.string().nullable(),
    type: z.string(),
    base_job_template: jsonObject,
    is_paused: z.boolean(),
    concurrency_limit: z.int().nullable(),
    status: z.enum(['READY', 'NOT_READY', 'PAUSED']).nullable(),
    default_queue_id: z.string(),
    storage_configuration: storageConfiguration,
    active_slots: z.int().nullable(),
  })
  .meta({ id: 'WorkPoolResponse' })
export type WorkPool = z.infer<typeof workPool>
