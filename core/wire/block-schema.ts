import * as z from 'zod'
import { blockType } from './block-type.ts'
import { jsonObject, stored, uuid } from './common.ts'

/** Prefect's word for a schema whose class names no version. */
export const UNVERSIONED = 'non-versioned'

export const blockSchemaCreate = z
  .strictObject({
    fields: jsonObject.optional(),
    block_type_id: uuid,
    capabilities: z.array(z.string().max(255)).max(1000).optional(),
    version: z.string().max(255).optional(),
  })
  .meta({ id: 'BlockSchemaCreate' })
export type BlockSchemaCreate = z.infer<typeof blockSchemaCreate>

export const blockSchema = z
  .object({
    ...stored,
    checksum: z.string(),
    fields: jsonObject,
    block_type_id: z.string(),
    block_type: blockType,
    capabilities: z.array(z.string()),
    version: z.string(),
  })
  .meta({ id: 'BlockSchema' })
export type BlockSchema = z.infer<typeof blockSchema>
