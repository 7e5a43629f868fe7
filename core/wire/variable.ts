import * as z from 'zod'
import { json, stored, tags } from './common.ts'

const name = z
  .string()
  .max(255)
  .regex(
    /^[a-z0-9\-_]*$/,
    'Value error, Variable name must only contain lowercase letters, numbers, and dashes or underscores.',
  )

export const variableCreate = z
  .strictObject({
    name,
    value: json,
    tags: tags.optional(),
    /** Whether the value is sealed, and shown to those alone who may read secrets. */
    secret: z.boolean().nullish(),
  })
  .meta({ id: 'VariableCreate' })
export type VariableCreate = z.infer<typeof variableCreate>

export const variableUpdate = z
  .strictObject({
    name: name.nullish(),
    /** Of a secret variable the asterisks that stand for its value leave it as it is. */
    value: json.optional(),
    tags: tags.nullish(),
    /** `false` only with a new value. */
    secret: z.boolean().nullish(),
  })
  .meta({ id: 'VariableUpdate' })
export type VariableUpdate = z.infer<typeof variableUpdate>

export const variable = z
  .object({
    ...stored,
    name: z.string(),
    value: json,
    tags: z.array(z.string()),
    /** Not there unless it is true. */
    secret: z.boolean().optional(),
  })
  .meta({ id: 'Variable' })
export type Variable = z.infer<typeof variable>
