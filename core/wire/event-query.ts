import * as z from 'zod'
import { eventFilter } from './event-filter.ts'

export const eventsQuery = z
  .strictObject({
    filter: eventFilter.nullish(),
    /** More than 50 are 50: Prefect's client asks for 100, which its own server refuses. */
    limit: z.int().min(0).optional(),
  })
  .meta({ id: 'EventsQuery' })
export type EventsQuery = z.infer<typeof eventsQuery>

export const eventCountsQuery = z
  .strictObject({
    filter: eventFilter,
    time_unit: z.enum(['week', 'day', 'hour', 'minute', 'second']).optional(),
    time_interval: z.number().min(0.01).optional(),
  })
  .meta({ id: 'EventCountsQuery' })
export type EventCountsQuery = z.infer<typeof eventCountsQuery>
