import * as z from 'zod'
import { formatTimestamp, parseTimestamp } from '../time.ts'

export const uuid = z
  .string()
  .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'Input should be a valid UUID')
  .transform((text) => text.toLowerCase())
  .meta({ format: 'uuid' })

/** Any ISO 8601 time in; UTC with six digits of fraction out. */
export const timestamp = z
  .string()
  .meta({ format: 'date-time' })
  .transform((text, context) => {
    const time = parseTimestamp(text)
    if (time === undefined) {
      context.addIssue({ code: 'custom', message: 'Input should be a valid datetime', input: text })
      return z.NEVER
    }
    return formatTimestamp(time)
  })

export const objectName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^/%&><]+$/, 'Input should not contain any of / % & > <')

/** Registered, not wrapped by `meta`, so that it names itself where it contains itself. */
export const json: z.ZodType<Json> = z.json().register(z.globalRegistry, { id: 'Json' })
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

export const jsonObject = z.record(z.string(), json)
export type JsonObject = z.infer<typeof jsonObject>

export const labels = z.record(z.string(), z.union([z.boolean(), z.number(), z.string()]))

/** What a request may say of tags: strings; null as well as absent means none. */
export const tags = z.array(z.string())

export const createdBy = z
  .object({
    id: z.string().nullable(),
    type: z.string().nullable(),
    display_value: z.string().nullable(),
  })
  .meta({ id: 'CreatedBy' })
export type CreatedBy = z.infer<typeof createdBy>

/** The columns that every stored object has. */
export const stored = { id: z.string(), created: z.string(), updated: z.string() }

/** Parameters larger than this are refused, as Prefect does (section 9.14 of its contract). */
export const MAX_PARAMETERS_BYTES = 524_288
