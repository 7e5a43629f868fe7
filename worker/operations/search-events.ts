import type { EventFilter } from '#core/wire/event-filter.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { joinCounted, type Counted, type CountedThing } from '#domain/event-counts.ts'
import {
  compareEvents,
  isAfter,
  joinPages,
  type Order,
  type Place,
  type Span,
  type StreamPage,
} from '#domain/event-query.ts'
import type { Workspace } from '#storage/workspace.ts'
import { objectContext } from './object-context.ts'
import { eventStreamStubs } from './stubs.ts'

export interface EventQuestion {
  filter: EventFilter
  span: Span
  order: Order
}

/** With `distinct`, events of more resources than this are not told apart. */
const MAX_DISTINCT = 5000

/** The first events of all streams that pass, after a place. */
export async function searchEvents(
  workspace: Workspace,
  question: EventQuestion,
  after: Place | null,
  limit: number,
): Promise<StreamPage> {
  if (question.filter.resource?.distinct === true) {
    return pageOfDistinct(await listDistinct(workspace, question), question.order, after, limit)
  }
  const context = objectContext(workspace)
  const pages = await Promise.all(
    eventStreamStubs(workspace).map(
      async (stream) => await stream.searchEvents(context, { ...question, after, limit }),
    ),
  )
  return joinPages(pages, limit, question.order)
}

/** How many events pass. */
export async function countEvents(workspace: Workspace, question: EventQuestion): Promise<number> {
  if (question.filter.resource?.distinct === true) {
    return (await listDistinct(workspace, question)).length
  }
  const context = objectContext(workspace)
  const counts = await Promise.all(
    eventStreamStubs(workspace).map(
      async (stream) => await stream.countEvents(context, question.filter, question.span),
    ),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

export async function countEventsBy(
  workspace: Workspace,
  { filter, span }: EventQuestion,
  thing: CountedThing,
): Promise<Counted[]> {
  const context = objectContext(workspace)
  return joinCounted(
    await Promise.all(
      eventStreamStubs(workspace).map(
        async (stream) => await stream.countEventsBy(context, filter, span, thing),
      ),
    ),
  )
}

/** The first event of each resource. Every page needs all of them, since a resource may have events in several streams. */
async function listDistinct(
  workspace: Workspace,
  question: EventQuestion,
): Promise<ReceivedEvent[]> {
  const context = objectContext(workspace)
  const pages = await Promise.all(
    eventStreamStubs(workspace).map(
      async (stream) =>
        await stream.searchEvents(context, { ...question, after: null, limit: MAX_DISTINCT }),
    ),
  )
  const first = new Map<string, ReceivedEvent>()
  for (const event of pages.flatMap(({ events }) => events)) {
    const id = event.resource['prefect.resource.id'] ?? ''
    const known = first.get(id)
    if (known === undefined || compareEvents(event, known, question.order) < 0) {
      first.set(id, event)
    }
  }
  return [...first.values()].toSorted((a, b) => compareEvents(a, b, question.order))
}

function pageOfDistinct(
  events: readonly ReceivedEvent[],
  order: Order,
  after: Place | null,
  limit: number,
): StreamPage {
  const rest = events.filter((event) => after === null || isAfter(event, after, order))
  const last = rest[limit - 1]
  return {
    events: rest.slice(0, limit),
    next:
      rest.length > limit && last !== undefined ? { occurred: last.occurred, id: last.id } : null,
  }
}
