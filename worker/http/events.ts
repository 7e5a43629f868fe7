import * as z from 'zod'
import { event, type Event } from '#core/wire/event.ts'
import { DomainError } from '#domain/errors.ts'
import { emitEvents } from '../operations/emit-events.ts'
import { endpoint, type Api } from './endpoint.ts'
import { MAX_EVENT_CHARS } from './event-intake.ts'

export function addEventRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/events',
      tag: 'Events',
      summary: 'Keep events, once per id, and record the task runs that they report',
      body: z.array(event),
      answers: { 204: null },
      errors: [403, 413, 503],
      survivesOutage: true,
    },
    async ({ workspace, body, now }) => {
      refuseTooLarge(body)
      await emitEvents(workspace, body, now)
      return { status: 204 }
    },
  )
}

function refuseTooLarge(events: readonly Event[]): void {
  const index = events.findIndex((item) => JSON.stringify(item).length > MAX_EVENT_CHARS)
  if (index >= 0) {
    throw new DomainError(
      'invalid',
      `An event has at most ${MAX_EVENT_CHARS} characters; this one has more.`,
      { field: [index] },
    )
  }
}
