import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventFilter, type EventFilter } from '#core/wire/event-filter.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import {
  eventMatcher,
  isOnlySpan,
  liveMatcher,
  neededTexts,
  occurredSpan,
} from '#domain/event-filter.ts'
import { matchesLabel } from '#domain/event-labels.ts'
import { aReceivedEvent } from '../support/events.ts'

/** What Prefect's own classes say (3.9.1): made once, by running them. */
const { labels, events, filters } = JSON.parse(
  readFileSync(new URL('fixtures/event-filter.json', import.meta.url), 'utf8'),
) as {
  labels: { pattern: string; value: string | null; matches: boolean }[]
  events: ReceivedEvent[]
  filters: { filter: unknown; matches: number[] }[]
}

test('patterns of labels fit as in Prefect', () => {
  const wrong = labels.filter(
    ({ pattern, value, matches }) => matchesLabel(pattern, value ?? undefined) !== matches,
  )
  expect(wrong).toEqual([])
})

test('filters let the same events pass as Prefect’s', () => {
  const wrong = filters.filter(({ filter, matches }) => {
    const passes = eventMatcher(eventFilter.parse(filter))
    const passed = events.flatMap((event, index) => (passes(event) ? [index] : []))
    return JSON.stringify(passed) !== JSON.stringify(matches)
  })
  expect(wrong).toEqual([])
})

test('a chunk that holds none of the needed texts holds no event that passes', () => {
  for (const { filter, matches } of filters) {
    const needed = neededTexts(eventFilter.parse(filter))
    for (const index of matches) {
      const text = JSON.stringify(events[index])
      expect(needed.every((choices) => choices.some((choice) => text.includes(choice)))).toBe(true)
    }
  }
})

describe('related resources', () => {
  const event = aReceivedEvent({
    related: [
      { 'prefect.resource.id': 'a', 'prefect.resource.role': 'flow', color: 'red' },
      { 'prefect.resource.id': 'b', 'prefect.resource.role': 'tag', color: 'blue' },
    ],
  })
  const passes = (related: EventFilter['related']) => eventMatcher({ related })(event)

  test.each<[EventFilter['related'], boolean]>([
    [{}, true],
    [[], true],
    [{ id: ['a'] }, true],
    [{ id: ['c'] }, false],
    [{ role: ['tag', 'other'] }, true],
    // One and the same resource must have it all …
    [{ id: ['a'], role: ['tag'] }, false],
    [{ id: ['a'], labels: { color: 'red' } }, true],
    [{ id: ['a'], labels: { color: 'blue' } }, false],
    // … but each filter may find its own.
    [[{ id: ['a'] }, { labels: { color: 'bl*' } }], true],
    [[{ id: ['a'] }, { id: ['c'] }], false],
    [{ resources_in_roles: [['a', 'flow']] }, true],
    [{ resources_in_roles: [['a', 'tag']] }, false],
    [{ labels: { color: [] } }, false],
  ])('%j: %s', (related, expected) => {
    expect(passes(related)).toBe(expected)
  })

  test('the main resource is none of them', () => {
    const id = event.resource['prefect.resource.id'] ?? ''
    expect(passes({ id: [id] })).toBe(false)
  })
})

describe('time', () => {
  const now = Date.UTC(2026, 6, 10, 12) * 1000

  test('without a word it reaches 180 days back', () => {
    expect(occurredSpan({}, now)).toEqual({
      since: '2026-01-11T00:00:00.000000Z',
      until: '2026-07-10T12:00:00.000000Z',
    })
  })

  test('an arriving event is held against what the filter says of it, and nothing else', () => {
    const event = aReceivedEvent({ occurred: '2026-07-10T00:00:00.000000Z' })
    const at = (occurred: EventFilter['occurred']) =>
      liveMatcher(occurred === undefined ? {} : { occurred })(event)
    expect(at(undefined)).toBe(true)
    expect(at({ since: event.occurred, until: event.occurred })).toBe(true)
    expect(at({ since: '2026-07-10T00:00:00.000001Z' })).toBe(false)
    expect(at({ until: '2026-07-09T23:59:59.999999Z' })).toBe(false)
  })
})

test.each<[EventFilter, boolean]>([
  [{}, true],
  [{ order: 'ASC', occurred: { since: '2026-01-01' }, event: { name: [] }, related: [{}] }, true],
  [{ text: { query: ' ' } }, true],
  [{ event: { name: ['a'] } }, false],
  [{ resource: { distinct: true } }, false],
  [{ resource: { labels: { a: [] } } }, false],
])('%j asks for nothing but time: %s', (filter, expected) => {
  expect(isOnlySpan(filter)).toBe(expected)
})
