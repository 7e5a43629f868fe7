import * as z from 'zod'
import { event, type Event } from '#core/wire/event.ts'
import { DomainError } from '#domain/errors.ts'
import { emitEvents } from '../operations/emit-events.ts'
import { flowRunNotFound } from '../operations/flow-run-home.ts'
import { endpoint, type Api } from './endpoint.ts'
import { MAX_EVENT_CHARS } from './event-intake.ts'
import { mayTell } from './run-reach.ts'

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
      errors: [403, 404, 413, 503],
      survivesOutage: true,
    },
    async (request) => {
      const { workspace, body, now } = request
      refuseTooLarge(body)
      for (const sent of body) {
        // oxlint-disable-next-line no-await-in-loop -- of the token's own run, or few
        if (!(await mayTell(request, sent))) {
          throw flowRunNotFound()
        }
      }
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
