import type { ReceivedEvent } from '#core/wire/event.ts'
import { compare } from './log-query.ts'

/** The span of time that a filter asks for, both ends included. */
export interface Span {
  since: string
  until: string
}

export type Order = 'ASC' | 'DESC'

/** A place in the order of events: right after the event with that time and id; without an id, right before all of that time. */
export interface Place {
  occurred: string
  id: string | null
}

/** The order of events: by time; of one time, by id. */
export function compareEvents(a: ReceivedEvent, b: ReceivedEvent, order: Order): number {
  const sign = order === 'ASC' ? 1 : -1
  return sign * (compare(a.occurred, b.occurred) || compare(a.id, b.id))
}

/** Whether an event lies after a place. */
export function isAfter(event: ReceivedEvent, place: Place, order: Order): boolean {
  const sign = order === 'ASC' ? 1 : -1
  const time = sign * compare(event.occurred, place.occurred)
  return time > 0 || (time === 0 && (place.id === null || sign * compare(event.id, place.id) > 0))
}

/** What one stream answers: the first of its events in that order. */
export interface StreamPage {
  events: ReceivedEvent[]
  /** It looked no further than to here, where the next look begins; null: it has nothing more to look at. */
  next: Place | null
}

/**
 * Joins the pages of several streams to the first `limit` events of all of them. Where one stream has not looked far enough,
 * what others have beyond that place waits for the next page.
 */
export function joinPages(pages: readonly StreamPage[], limit: number, order: Order): StreamPage {
  const nearest = pages
    .flatMap(({ next }) => next ?? [])
    .toSorted((a, b) => comparePlaces(a, b, order))[0]
  const events = pages
    .flatMap((page) => page.events)
    .filter((event) => nearest === undefined || !isAfter(event, nearest, order))
    .toSorted((a, b) => compareEvents(a, b, order))
  const last = events[limit - 1]
  if (last === undefined) {
    return { events, next: nearest ?? null }
  }
  const isAll = events.length === limit && nearest === undefined
  return {
    events: events.slice(0, limit),
    next: isAll ? null : { occurred: last.occurred, id: last.id },
  }
}

function comparePlaces(a: Place, b: Place, order: Order): number {
  const sign = order === 'ASC' ? 1 : -1
  const time = sign * compare(a.occurred, b.occurred)
  if (time !== 0 || a.id === b.id) {
    return time
  }
  return a.id === null ? -1 : b.id === null ? 1 : sign * compare(a.id, b.id)
}
