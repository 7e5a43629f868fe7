import * as z from 'zod'
import { blockSchema } from './block-schema.ts'
import { blockType } from './block-type.ts'
import { jsonObject, stored, uuid } from './common.ts'

const blockDocumentName = z
  .string()
  .min(1)
  .max(255)
  .regex(
    /^[a-z0-9-]*$/,
    'Value error, Block document name must only contain lowercase letters, numbers, and dashes.',
  )

export const blockDocumentCreate = z
  .strictObject({
    name: blockDocumentName.nullish(),
    data: jsonObject.optional(),
    block_schema_id: uuid,
    block_type_id: uuid,
    is_anonymous: z.boolean().optional(),
  })
  .meta({ id: 'BlockDocumentCreate' })
export type BlockDocumentCreate = z.infer<typeof blockDocumentCreate>

export const blockDocumentUpdate = z
  .strictObject({
    block_schema_id: uuid.nullish(),
    data: jsonObject.optional(),
    /** Whether keys that the request does not name stay. Default true. */
    merge_existing_data: z.boolean().optional(),
  })
  .meta({ id: 'BlockDocumentUpdate' })
export type BlockDocumentUpdate = z.infer<typeof blockDocumentUpdate>

/** A document that another one refers to, whose data stands in the other's. */
const referenced = z.object({
  block_document: z.object({
    id: z.string(),
    name: z.string(),
    block_type: blockType,
    is_anonymous: z.boolean(),
    get block_document_references() {
      return references
    },
  }),
})
const references = z
  .record(z.string(), referenced)
  .register(z.globalRegistry, { id: 'BlockDocumentReferences' })

export const blockDocument = z
  .object({
    ...stored,
    name: z.string(),
    data: jsonObject,
    block_schema_id: z.string(),
    block_schema: blockSchema,
    block_type_id: z.string(),
    block_type_name: z.string(),
    block_type: blockType,
    block_document_references: references,
    is_anonymous: z.boolean(),
  })
  .meta({ id: 'BlockDocument' })
export type BlockDocument = z.infer<typeof blockDocument>
