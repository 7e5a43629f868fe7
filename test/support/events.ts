import { formatTimestamp } from '#core/time.ts'
import type { Event, ReceivedEvent } from '#core/wire/event.ts'

/** An event that happened just now to a thing of its own. */
export function anEvent(given: Partial<Event> = {}): Event {
  return {
    id: crypto.randomUUID(),
    occurred: formatTimestamp(Date.now() * 1000),
    event: 'test.happened',
    resource: { 'prefect.resource.id': `test.thing.${crypto.randomUUID()}` },
    related: [],
    payload: {},
    ...given,
  }
}

/** The same as it is kept. */
export function aReceivedEvent(given: Partial<ReceivedEvent> = {}): ReceivedEvent {
  const event = anEvent()
  return {
    ...event,
    related: [],
    payload: {},
    follows: null,
    received: event.occurred,
    ...given,
  }
}
