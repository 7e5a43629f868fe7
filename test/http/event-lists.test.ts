import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import type { Event, EventPage } from '#core/wire/event.ts'
import type { EventStream } from '../../worker/durable/event-stream.ts'
import { eventStreamStub } from '../../worker/operations/stubs.ts'
import { call, faults } from '../support/call.ts'
import { anEvent } from '../support/events.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, API_URL, clientOf, fetchWorker } from '../support/workspace.ts'

const NOW = Date.now() * 1000
const secondsAgo = (seconds: number) => formatTimestamp(NOW - seconds * 1_000_000)

/** Events of many flow runs, so that they lie in several streams; one a second, the newest first. */
async function someEvents(count: number) {
  const made = await aWorkspace()
  const events: Event[] = Array.from({ length: count }, (_, index) => {
    const flowRun = { 'prefect.resource.id': `prefect.flow-run.${crypto.randomUUID()}` }
    return anEvent({
      event: index % 3 === 0 ? 'third' : 'other',
      occurred: secondsAgo(index + 1),
      resource: {
        'prefect.resource.id': `thing.${index % 4}`,
        'prefect.resource.name': `T${index % 4}`,
      },
      related: [{ ...flowRun, 'prefect.resource.role': 'flow-run' }],
    })
  })
  // Late ones and early ones in one batch.
  await made.client.createEvents(events.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
  return { ...made, events }
}

const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id)

describe('a list of events', () => {
  test('begins with the newest, of all streams, and goes on page after page', async () => {
    const { key, events } = await someEvents(120)
    const workspaceUrl = `${API_URL}/events/filter`
    const read: string[] = []
    let url: string | null = workspaceUrl
    let pages = 0
    while (url !== null) {
      const response: Response = await fetchWorker(url, {
        method: url === workspaceUrl ? 'POST' : 'GET',
        headers: { Authorization: `Bearer ${key}` },
        ...(url === workspaceUrl ? { body: '{"limit":50}' } : {}),
      })
      expect(response.status).toBe(200)
      const page = (await response.json()) as EventPage
      expect(page.total).toBe(120)
      read.push(...ids(page.events))
      url = page.next_page
      pages += 1
    }
    expect(pages).toBe(3)
    expect(read).toEqual(ids(events))
  })

  test('tells what was asked for, as it was sent, with the time of its arrival', async () => {
    const { client, events } = await someEvents(10)
    const [first] = events
    const page = await client.filterEvents({ filter: { event: { name: ['third'] } }, limit: 2 })
    expect(page.total).toBe(4)
    expect(ids(page.events)).toEqual([events[0]?.id, events[3]?.id])
    expect(page.events[0]).toEqual({
      ...first,
      follows: null,
      received: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    expect(page.next_page).not.toBeNull()
  })

  test('goes the other way, keeps to its span and shows a resource once', async () => {
    const { client, events } = await someEvents(12)
    const span = { since: secondsAgo(8), until: secondsAgo(3) }
    const up = await client.filterEvents({ filter: { occurred: span, order: 'ASC' } })
    expect(ids(up.events)).toEqual(ids(events.slice(2, 8).toReversed()))
    const distinct = await client.filterEvents({
      filter: { resource: { distinct: true } },
      limit: 3,
    })
    expect(distinct.total).toBe(4)
    expect(ids(distinct.events)).toEqual(ids(events.slice(0, 3)))
    const token = new URL(distinct.next_page ?? '').searchParams.get('page-token') ?? ''
    const rest = await client.readNextEvents(token)
    expect(ids(rest.events)).toEqual(ids(events.slice(3, 4)))
    expect(rest.next_page).toBeNull()
  })

  test('of which nobody has asked for any has none, and more than 50 are 50', async () => {
    const { client } = await someEvents(51)
    expect((await client.filterEvents({ limit: 0 })).events).toEqual([])
    const page = await client.filterEvents({ limit: 100 })
    expect(page.events).toHaveLength(50)
    expect(page.next_page).not.toBeNull()
  })

  test('names the next page under the address that was used', async () => {
    const { key, workspace } = await someEvents(3)
    const base = `${API_URL}/accounts/${workspace.account_id}/workspaces/${workspace.id}`
    const page = await clientOf(key, base).filterEvents({ limit: 1 })
    expect(page.next_page).toContain(`${base}/events/filter/next?page-token=`)
    const next = await fetchWorker(page.next_page ?? '', {
      headers: { Authorization: `Bearer ${key}` },
    })
    expect(await next.json()).toMatchObject({ events: [{}], next_page: expect.any(String) })
  })

  test('is its own workspace’s', async () => {
    const { client } = await someEvents(1)
    const stranger = await aWorkspace()
    const page = await client.filterEvents({ limit: 1 })
    expect(page.total).toBe(1)
    expect((await stranger.client.filterEvents()).total).toBe(0)
  })

  test.each(['nonsense', btoa('{}'), btoa(encodeURIComponent('{"filter":{}}')), ''])(
    'refuses the token %j',
    async (token) => {
      const { key } = await aWorkspace()
      const answer = await call(key, 'GET', `/events/filter/next?page-token=${token}`)
      expect(answer.status).toBe(403)
    },
  )

  test.each<[unknown, unknown]>([
    [{ filter: { colour: 'red' } }, [['body', 'filter', 'colour']]],
    [{ filter: { event: { like: 'x' } } }, [['body', 'filter', 'event', 'like']]],
    [{ limit: -1 }, [['body', 'limit']]],
    [{ filter: { occurred: { since: 'yesterday' } } }, [['body', 'filter', 'occurred', 'since']]],
  ])('refuses %j', async (body, places) => {
    const { key } = await aWorkspace()
    const answer = await call(key, 'POST', '/events/filter', body)
    expect(answer.status).toBe(422)
    expect(faults(answer.body)).toEqual(places)
  })
})

describe('counts', () => {
  test('by name and by resource, the most frequent first', async () => {
    const { client, events } = await someEvents(10)
    const byName = await client.countEventsBy('event', { filter: {} })
    expect(byName.map(({ value, label, count }) => [value, label, count])).toEqual([
      ['other', 'other', 6],
      ['third', 'third', 4],
    ])
    expect(byName[1]).toMatchObject({
      start_time: events[9]?.occurred,
      end_time: events[0]?.occurred,
    })
    const byResource = await client.countEventsBy('resource', {
      filter: { event: { name: ['third'] } },
    })
    expect(byResource.map(({ label, count }) => [label, count])).toEqual([
      ['T0', 1],
      ['T1', 1],
      ['T2', 1],
      ['T3', 1],
    ])
  })

  test('by intervals of time, the empty ones too', async () => {
    const { client, events } = await someEvents(4)
    const filter = {
      occurred: { since: events[3]?.occurred ?? '', until: formatTimestamp(NOW) },
    }
    const counts = await client.countEventsBy('time', {
      filter,
      time_unit: 'second',
      time_interval: 2,
    })
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(4)
    expect(counts.map(({ value }) => value)).toEqual(counts.map((_count, index) => String(index)))
    const days = await client.countEventsBy('day', { filter })
    expect(days.at(-1)?.count).toBeGreaterThan(0)
  })

  test.each<[string, unknown]>([
    ['time', { filter: {}, time_unit: 'second' }],
    ['colour', { filter: {} }],
    ['event', {}],
    ['time', { filter: {}, time_interval: 0 }],
    ['time', { filter: {}, time_unit: 'month' }],
  ])('by %s are refused with %j', async (countable, body) => {
    const { key } = await aWorkspace()
    expect((await call(key, 'POST', `/events/count-by/${countable}`, body)).status).toBe(422)
  })
})

test('events are kept seven days, and their numbers go on', async () => {
  const { workspace, client } = await aWorkspace()
  const stub = asStub(eventStreamStub(workspace, null)) as DurableObjectStub<EventStream>
  await client.createEvents([anEvent(), anEvent()])
  const age = async (days: number) => {
    await runInDurableObject(stub, (object, { storage }) => {
      storage.sql.exec('UPDATE event_chunk SET received = ?', Date.now() - days * 86_400_000)
      object.sweep()
    })
  }
  await age(6.9)
  expect((await client.filterEvents()).total).toBe(2)
  await age(7.1)
  expect((await client.filterEvents()).total).toBe(0)
  await client.createEvents([anEvent()])
  const first = await runInDurableObject(
    stub,
    (_object, { storage }) =>
      storage.sql.exec<{ seq: number }>('SELECT first_seq AS seq FROM event_chunk').one().seq,
  )
  expect(first).toBe(3)
})
