import * as z from 'zod'
import { jsonObject, timestamp, uuid } from './common.ts'

const MAX_LABELS = 500
const MAX_RELATED = 100

const resource = z
  .record(z.string(), z.string())
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, {
    message: `A resource has at most ${MAX_LABELS} labels`,
  })
  .refine((labels) => Boolean(labels['prefect.resource.id']), {
    path: ['prefect.resource.id'],
    message: 'Field required',
  })
const relatedResource = resource.refine((labels) => Boolean(labels['prefect.resource.role']), {
  path: ['prefect.resource.role'],
  message: 'Field required',
})
export type ResourceLabels = Record<string, string>

// Not strict: clients of other versions send fields that are not known here, and an event must not be lost for that.
export const event = z
  .object({
    /** Minted by the emitter; an event is stored once per id. */
    id: uuid,
    occurred: timestamp,
    event: z.string().min(1).max(1024),
    resource,
    related: z.array(relatedResource).max(MAX_RELATED).optional(),
    payload: jsonObject.optional(),
    follows: uuid.nullish(),
  })
  .meta({ id: 'Event' })
export type Event = z.infer<typeof event>

/** An event as it is kept. */
const receivedEvent = z
  .object({
    id: z.string(),
    occurred: z.string(),
    event: z.string(),
    resource: z.record(z.string(), z.string()),
    related: z.array(z.record(z.string(), z.string())),
    payload: jsonObject,
    follows: z.string().nullable(),
    /** When it arrived. */
    received: z.string(),
  })
  .meta({ id: 'ReceivedEvent' })
export type ReceivedEvent = z.infer<typeof receivedEvent>

export const eventPage = z
  .object({
    events: z.array(receivedEvent),
    total: z.int(),
    /** A whole address, to be read with the same key. */
    next_page: z.string().nullable(),
  })
  .meta({ id: 'EventPage' })
export type EventPage = z.infer<typeof eventPage>

export const eventCount = z
  .object({
    value: z.string(),
    label: z.string(),
    count: z.int(),
    start_time: z.string(),
    end_time: z.string(),
  })
  .meta({ id: 'EventCount' })
export type EventCount = z.infer<typeof eventCount>
