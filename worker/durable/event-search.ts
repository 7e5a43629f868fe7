import type { EventFilter } from '#core/wire/event-filter.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { countInto, type Counted, type CountedThing } from '#domain/event-counts.ts'
import { eventMatcher, isOnlySpan, neededTexts } from '#domain/event-filter.ts'
import {
  compareEvents,
  isAfter,
  type Order,
  type Place,
  type Span,
  type StreamPage,
} from '#domain/event-query.ts'
import { parseEvent, type ChunkHead, type EventLog } from './event-log.ts'

/** Chunks opened for one question: 64 MB of text, some hundred milliseconds. What lies beyond is the next question's. */
const MAX_CHUNKS = 1000

export interface EventSearch {
  filter: EventFilter
  span: Span
  order: Order
  /** Only events after this place. */
  after: Place | null
  limit: number
}

/** The first events that pass, in an order; stops opening chunks once no later one can hold an earlier event. */
export function searchEvents(log: EventLog, search: EventSearch): StreamPage {
  const { order, after, limit } = search
  const distinct = search.filter.resource?.distinct === true
  const read = reader(log, search)
  const byOrder = (a: ReceivedEvent, b: ReceivedEvent) => compareEvents(a, b, order)
  let found: ReceivedEvent[] = []
  let opened = 0
  let stopped: Place | null = null
  for (const head of log.heads(search.span, order, after)) {
    const edge: Place = { occurred: order === 'ASC' ? head.first : head.last, id: null }
    const beyond = found[limit]
    if (beyond !== undefined && !isAfter(beyond, edge, order)) {
      break
    }
    // Never without having come any further.
    if (opened >= MAX_CHUNKS && (after === null || isBeyond(edge, after, order))) {
      stopped = edge
      break
    }
    opened += 1
    found.push(...read(head).filter((event) => after === null || isAfter(event, after, order)))
    if (distinct) {
      found = firstOfEach(found.toSorted(byOrder))
    }
    if (found.length > limit) {
      found = found.toSorted(byOrder).slice(0, limit + 1)
    }
  }
  const sure = found
    .filter((event) => stopped === null || !isAfter(event, stopped, order))
    .toSorted(byOrder)
  const last = sure[limit - 1]
  if (sure.length > limit && last !== undefined) {
    return { events: sure.slice(0, limit), next: { occurred: last.occurred, id: last.id } }
  }
  return { events: sure, next: stopped }
}

/** How many events pass; where there is too much to look at, how many of the newest do. */
export function countMatching(log: EventLog, filter: EventFilter, span: Span): number {
  const read = reader(log, { filter, span })
  const counted = isOnlySpan(filter)
  let count = 0
  let opened = 0
  for (const head of log.heads(span, 'DESC', null)) {
    if (counted && span.since <= head.first && head.last <= span.until) {
      count += head.count
    } else if (opened < MAX_CHUNKS) {
      opened += 1
      count += read(head).length
    }
  }
  return count
}

/** The events that pass, counted by what is asked for; where there is too much to look at, the newest of them. */
export function countBy(
  log: EventLog,
  filter: EventFilter,
  span: Span,
  thing: CountedThing,
): Counted[] {
  const read = reader(log, { filter, span })
  const counts = new Map<string, Counted>()
  for (const head of log.heads(span, 'DESC', null).slice(0, MAX_CHUNKS)) {
    countInto(counts, read(head), thing)
  }
  return [...counts.values()]
}

/** The events of a chunk that pass the filter and lie in the span. */
function reader(
  log: EventLog,
  { filter, span }: { filter: EventFilter; span: Span },
): (head: ChunkHead) => ReceivedEvent[] {
  const matches = eventMatcher(filter)
  const needed = neededTexts(filter)
  const mayMatch = (text: string) =>
    needed.every((choices) => choices.some((choice) => text.includes(choice)))
  return ({ position, received }) => {
    const body = log.body(position)
    if (!mayMatch(body)) {
      return []
    }
    return body
      .split('\n')
      .filter(mayMatch)
      .map((line) => parseEvent(line, received))
      .filter(
        (event) => span.since <= event.occurred && event.occurred <= span.until && matches(event),
      )
  }
}

/** Of events in order, the first one of each resource. */
function firstOfEach(events: readonly ReceivedEvent[]): ReceivedEvent[] {
  const seen = new Set<string>()
  return events.filter(({ resource }) => {
    const id = resource['prefect.resource.id'] ?? ''
    const isFirst = !seen.has(id)
    seen.add(id)
    return isFirst
  })
}

function isBeyond(edge: Place, place: Place, order: Order): boolean {
  return order === 'ASC' ? edge.occurred > place.occurred : edge.occurred < place.occurred
}
