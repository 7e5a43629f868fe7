import * as z from 'zod'
import { labels, objectName, stored, tags } from './common.ts'

export const flowCreate = z
  .strictObject({ name: objectName, tags: tags.nullish(), labels: labels.nullish() })
  .meta({ id: 'FlowCreate' })
export type FlowCreate = z.infer<typeof flowCreate>

export const flowUpdate = z.strictObject({ tags: tags.optional() }).meta({ id: 'FlowUpdate' })
export type FlowUpdate = z.infer<typeof flowUpdate>

export const flow = z
  .object({ ...stored, name: z.string(), tags: z.array(z.string()), labels })
  .meta({ id: 'Flow' })
export type Flow = z.infer<typeof flow>
