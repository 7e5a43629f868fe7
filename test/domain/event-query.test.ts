import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { intervalCounts, intervalOf, joinCounted, whyTooMany } from '#domain/event-counts.ts'
import {
  compareEvents,
  isAfter,
  joinPages,
  type Order,
  type Place,
  type StreamPage,
} from '#domain/event-query.ts'
import { aReceivedEvent } from '../support/events.ts'

/** What a stream answers that looks at no more than `reach` events before it says where it goes on. */
function pageOf(
  events: ReceivedEvent[],
  order: Order,
  after: Place | null,
  limit: number,
  reach: number,
): StreamPage {
  const rest = events
    .filter((event) => after === null || isAfter(event, after, order))
    .toSorted((a, b) => compareEvents(a, b, order))
  const stop = rest[reach]
  const seen =
    stop === undefined || stop.occurred === after?.occurred
      ? rest
      : rest.filter((event) => !isAfter(event, { occurred: stop.occurred, id: null }, order))
  const last = seen[limit - 1]
  if (seen.length > limit && last !== undefined) {
    return { events: seen.slice(0, limit), next: { occurred: last.occurred, id: last.id } }
  }
  return {
    events: seen,
    next:
      seen.length === rest.length || stop === undefined
        ? null
        : { occurred: stop.occurred, id: null },
  }
}

test('page after page, all events of all streams come once and in order', () => {
  const time = fc.integer({ min: 0, max: 5 }).map((second) => `2026-01-01T00:00:0${second}.000000Z`)
  const streams = fc.array(fc.array(time, { maxLength: 12 }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(
      streams,
      fc.constantFrom<Order>('ASC', 'DESC'),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 6 }),
      (times, order, limit, reach) => {
        const held = times.map((list) =>
          list.map((occurred) => aReceivedEvent({ occurred, id: crypto.randomUUID() })),
        )
        const read: ReceivedEvent[] = []
        let after: Place | null = null
        let pages = 0
        do {
          const page: StreamPage = joinPages(
            held.map((events) => pageOf(events, order, after, limit, reach)),
            limit,
            order,
          )
          expect(page.events.length).toBeLessThanOrEqual(limit)
          read.push(...page.events)
          after = page.next
          pages += 1
        } while (after !== null && pages < 200)
        const all = held.flat().toSorted((a, b) => compareEvents(a, b, order))
        expect(read.map(({ id }) => id)).toEqual(all.map(({ id }) => id))
      },
    ),
    { numRuns: 300 },
  )
})

test('counts of streams are joined: the latest label, the widest span, the largest first', () => {
  const counted = joinCounted([
    [{ value: 'a', label: 'old', count: 1, earliest: '1', latest: '3' }],
    [
      { value: 'b', label: 'b', count: 2, earliest: '2', latest: '2' },
      { value: 'a', label: 'new', count: 2, earliest: '2', latest: '4' },
    ],
  ])
  expect(counted).toEqual([
    { value: 'a', label: 'new', count: 3, earliest: '1', latest: '4' },
    { value: 'b', label: 'b', count: 2, earliest: '2', latest: '2' },
  ])
})

test('intervals begin where Prefect’s do, and empty ones are there', () => {
  const span = { since: '2026-01-01T10:00:00Z', until: '2026-01-03T01:00:00Z' }
  const now = Date.UTC(2026, 5, 1) * 1000
  const [day] = intervalCounts([], span, 'day', intervalOf('day', 1), now)
  // 2024-04-01 is day 0.
  const counted = [{ value: '641', label: '', count: 4, earliest: '', latest: '' }]
  expect(intervalCounts(counted, span, 'day', intervalOf('day', 1), now)).toEqual([
    day,
    {
      value: '1',
      label: '2026-01-02T00:00:00.000000Z',
      count: 4,
      start_time: '2026-01-02T00:00:00.000000Z',
      end_time: '2026-01-02T23:59:59.999999Z',
    },
    {
      value: '2',
      label: '2026-01-03T00:00:00.000000Z',
      count: 0,
      start_time: '2026-01-03T00:00:00.000000Z',
      end_time: '2026-01-03T23:59:59.999999Z',
    },
  ])
  expect(day?.start_time).toBe('2026-01-01T00:00:00.000000Z')
})

test('there are at most 1000 intervals', () => {
  const span = { since: '2026-01-01T00:00:00Z', until: '2026-01-01T00:16:40Z' }
  expect(whyTooMany(span, intervalOf('second', 1))).toBeUndefined()
  expect(whyTooMany({ ...span, until: '2026-01-01T00:16:41Z' }, intervalOf('second', 1))).toContain(
    '1001 buckets',
  )
})
