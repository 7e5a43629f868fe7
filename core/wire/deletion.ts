import * as z from 'zod'
import { uuid } from './common.ts'

/** What is deleted whole, as a job that goes on until nothing is left. */
export const deletion = z
  .object({
    /** Tells how far it is to whoever has it. */
    id: uuid,
    account_id: z.string(),
    /** Null: the account with all its workspaces. */
    workspace_id: z.string().nullable(),
    state: z.enum(['RUNNING', 'COMPLETED']),
    /** Why it waits: for a last look, or to try a step again that failed. */
    message: z.string().nullable(),
    /** How many objects and rows were deleted so far. */
    objects: z.int(),
    rows: z.int(),
    created: z.string(),
    finished: z.string().nullable(),
  })
  .meta({ id: 'Deletion' })
export type Deletion = z.infer<typeof deletion>

/** What is to be deleted, once more, by its name. */
export const deletionRequest = z.strictObject({ name: z.string() }).meta({ id: 'DeletionRequest' })
