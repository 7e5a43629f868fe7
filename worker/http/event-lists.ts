import * as z from 'zod'
import { eventFilter } from '#core/wire/event-filter.ts'
import { eventCountsQuery, eventsQuery } from '#core/wire/event-query.ts'
import { eventCount, eventPage, type EventPage } from '#core/wire/event.ts'
import { DomainError } from '#domain/errors.ts'
import { intervalCounts, intervalOf, toEventCount, whyTooMany } from '#domain/event-counts.ts'
import { occurredSpan } from '#domain/event-filter.ts'
import type { Workspace } from '#storage/workspace.ts'
import {
  countEvents,
  countEventsBy,
  searchEvents,
  type EventQuestion,
} from '../operations/search-events.ts'
import { endpoint, type Api } from './endpoint.ts'

const tag = 'Events'
/** As in Prefect. */
const MAX_PAGE = 50

/** Events as they are searched and counted: out of the streams, which keep them seven days. */
export function addEventListRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/events/filter',
      tag,
      summary: 'List events, the newest first; `next_page` is the address of the next page',
      body: eventsQuery,
      bodyOptional: true,
      answers: { 200: eventPage },
      errors: [503],
    },
    async ({ workspace, body, now, context }) => {
      const filter = body.filter ?? {}
      const question = { filter, span: occurredSpan(filter, now), order: filter.order ?? 'DESC' }
      const limit = Math.min(body.limit ?? MAX_PAGE, MAX_PAGE)
      const total = await countEvents(workspace, question)
      const bookmark = { ...question, total, shown: 0, limit, after: null }
      return { status: 200, body: await readPage(workspace, bookmark, context.req.url) }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/events/filter/next',
      tag,
      summary: 'The next page of a list of events',
      query: z.object({ 'page-token': z.string() }),
      answers: { 200: eventPage },
      errors: [403, 503],
    },
    async ({ workspace, query, context }) => ({
      status: 200,
      body: await readPage(workspace, parseToken(query['page-token']), context.req.url),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/events/count-by/{countable}',
      tag,
      summary: 'Count events by name, by resource, by day, or by intervals of time',
      params: z.object({ countable: z.string() }),
      body: eventCountsQuery,
      answers: { 200: z.array(eventCount) },
      errors: [503],
    },
    async ({ workspace, params, body, now }) => {
      const { filter } = body
      const byDay = params.countable === 'day'
      const unit = byDay ? 'day' : (body.time_unit ?? 'day')
      const interval = intervalOf(unit, byDay ? 1 : (body.time_interval ?? 1))
      const span = occurredSpan(filter, now)
      const tooMany = whyTooMany(span, interval)
      if (tooMany !== undefined) {
        throw new DomainError('invalid', tooMany, { field: ['time_interval'] })
      }
      const question: EventQuestion = { filter, span, order: 'DESC' }
      switch (params.countable) {
        case 'day':
        case 'time': {
          const counted = await countEventsBy(workspace, question, { interval })
          return { status: 200, body: intervalCounts(counted, span, unit, interval, now) }
        }
        case 'event':
        case 'resource': {
          const counted = await countEventsBy(workspace, question, params.countable)
          return { status: 200, body: counted.map(toEventCount) }
        }
        default:
          throw new DomainError('invalid', "Input should be 'day', 'time', 'event' or 'resource'")
      }
    },
  )
}

/** All that the next page needs, so that nothing is kept for it here. */
const bookmark = z.object({
  filter: eventFilter,
  span: z.object({ since: z.string(), until: z.string() }),
  order: z.enum(['ASC', 'DESC']),
  total: z.int(),
  shown: z.int(),
  limit: z.int().min(1).max(MAX_PAGE),
  after: z.object({ occurred: z.string(), id: z.string().nullable() }).nullable(),
})
type Bookmark = z.infer<typeof bookmark>

async function readPage(workspace: Workspace, place: Bookmark, url: string): Promise<EventPage> {
  const { total, shown, limit, after, ...question } = place
  if (limit === 0) {
    return { events: [], total, next_page: null }
  }
  const { events, next } = await searchEvents(workspace, question, after, limit)
  const seen = shown + events.length
  const token = next === null ? null : toToken({ ...place, shown: seen, after: next })
  return { events, total: Math.max(total, seen), next_page: token && nextAddress(url, token) }
}

/** Under the address that the caller used, so that the same key opens it. */
function nextAddress(url: string, token: string): string {
  const next = new URL(url)
  next.pathname = next.pathname.replace(/\/events\/filter(\/next)?\/?$/, '/events/filter/next')
  next.search = new URLSearchParams({ 'page-token': token }).toString()
  return next.toString()
}

function toToken(place: Bookmark): string {
  return btoa(encodeURIComponent(JSON.stringify(place)))
}

function parseToken(token: string): Bookmark {
  const parsed = bookmark.safeParse(decode(token))
  if (!parsed.success) {
    throw new DomainError('forbidden', 'Forbidden')
  }
  return parsed.data
}

function decode(token: string): unknown {
  try {
    return JSON.parse(decodeURIComponent(atob(token)))
  } catch {
    // Not written by `toToken`.
    return undefined
  }
}
