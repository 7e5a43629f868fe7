import * as z from 'zod'
import { jsonObject, timestamp, uuid } from './common.ts'

const resource = z.record(z.string(), z.string())

export const event = z
  .strictObject({
    /** Minted by the emitter; an event is stored once per id. */
    id: uuid,
    occurred: timestamp,
    event: z.string().min(1).max(1024),
    resource,
    related: z.array(resource).max(100).optional(),
    payload: jsonObject.optional(),
    follows: uuid.nullish(),
  })
  .refine((value) => value.resource['prefect.resource.id'] !== undefined, {
    path: ['resource', 'prefect.resource.id'],
    message: 'Field required',
  })
  .meta({ id: 'Event' })
export type Event = z.infer<typeof event>
