import * as z from 'zod'
import { json, stored } from './common.ts'

const savedSearchFilter = z
  .object({
    object: z.string(),
    property: z.string(),
    type: z.string(),
    operation: z.string(),
    value: json,
  })
  .meta({ id: 'SavedSearchFilter' })
const filters = z.array(savedSearchFilter)
export type SavedSearchFilter = z.infer<typeof savedSearchFilter>

export const savedSearchCreate = z
  .strictObject({ name: z.string().max(255), filters: filters.optional() })
  .meta({ id: 'SavedSearchCreate' })
export type SavedSearchCreate = z.infer<typeof savedSearchCreate>

export const savedSearch = z
  .object({ ...stored, name: z.string(), filters })
  .meta({ id: 'SavedSearch' })
export type SavedSearch = z.infer<typeof savedSearch>
