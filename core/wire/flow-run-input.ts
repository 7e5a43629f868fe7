import * as z from 'zod'
import { stored } from './common.ts'

/** Larger ones would not fit into a row of their home. */
const MAX_VALUE_CHARACTERS = 500_000

export const flowRunInputCreate = z
  .strictObject({
    key: z
      .string()
      .max(255)
      .regex(/^[a-z0-9-]*$/, 'value must only contain lowercase letters, numbers, and dashes.'),
    value: z.string().max(MAX_VALUE_CHARACTERS),
    sender: z.string().nullish(),
  })
  .meta({ id: 'FlowRunInputCreate' })
export type FlowRunInputCreate = z.infer<typeof flowRunInputCreate>

export const flowRunInputsQuery = z
  .strictObject({
    prefix: z.string(),
    limit: z.int().min(0).optional(),
    exclude_keys: z.array(z.string()).optional(),
  })
  .meta({ id: 'FlowRunInputsQuery' })
export type FlowRunInputsQuery = z.infer<typeof flowRunInputsQuery>

export const flowRunInput = z
  .object({
    ...stored,
    flow_run_id: z.string(),
    key: z.string(),
    value: z.string(),
    sender: z.string().nullable(),
  })
  .meta({ id: 'FlowRunInput' })
export type FlowRunInput = z.infer<typeof flowRunInput>
