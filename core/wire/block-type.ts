import * as z from 'zod'
import { objectName, stored } from './common.ts'

/** The address of a block type in `slug/name`. */
const blockTypeSlug = z
  .string()
  .max(255)
  .regex(
    /^[a-z0-9-]*$/,
    'Value error, Block type slug must only contain lowercase letters, numbers, and dashes.',
  )

/** A row of D1 has 2 MB at most; a logo may be a data URL. */
const longText = z.string().max(200_000)

const presentation = {
  logo_url: longText.nullish(),
  documentation_url: longText.nullish(),
  description: longText.nullish(),
  code_example: longText.nullish(),
}

export const blockTypeCreate = z
  .strictObject({ name: objectName, slug: blockTypeSlug, ...presentation })
  .meta({ id: 'BlockTypeCreate' })
export type BlockTypeCreate = z.infer<typeof blockTypeCreate>

export const blockTypeUpdate = z.strictObject(presentation).meta({ id: 'BlockTypeUpdate' })
export type BlockTypeUpdate = z.infer<typeof blockTypeUpdate>

export const blockType = z
  .object({
    ...stored,
    name: z.string(),
    slug: z.string(),
    logo_url: z.string().nullable(),
    documentation_url: z.string().nullable(),
    description: z.string().nullable(),
    code_example: z.string().nullable(),
    is_protected: z.boolean(),
  })
  .meta({ id: 'BlockType' })
export type BlockType = z.infer<typeof blockType>
