import { evictDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import type { Event, ReceivedEvent } from '#core/wire/event.ts'
import { eventHubStub, eventStreamStubs, logShardStub } from '../../worker/operations/stubs.ts'
import { anEvent } from '../support/events.ts'
import { asStub } from '../support/objects.ts'
import { aTaskRunEvent } from '../support/task-run-events.ts'
import { aSocket, openSocket, type TestSocket } from '../support/test-socket.ts'
import { API_URL, aWorkspace, fetchWorker } from '../support/workspace.ts'

interface EventFrame {
  [key: string]: unknown
  type?: string
  event: ReceivedEvent
}

async function listen(
  key: string,
  filter: unknown,
  more: Record<string, unknown> = {},
): Promise<TestSocket<EventFrame>> {
  const socket = await aSocket<EventFrame>('/events/out', key)
  socket.send({ type: 'filter', filter, ...more })
  return socket
}

/** The ids that came, without those of other tests' filters. */
function idsOf(socket: TestSocket<EventFrame>): string[] {
  return socket.frames.filter(({ type }) => type === 'event').map(({ event }) => event.id)
}

const ofName = (name: string) => ({ event: { name: [name] } })

describe('who is there', () => {
  const paths = ['/events/in', '/events/out', '/logs/out']

  test.each(paths)('%s takes the key from the auth frame, alone or as a password', async (path) => {
    const { key } = await aWorkspace()
    for (const token of [key, `admin:${key}`]) {
      const socket = await openSocket(path)
      expect(socket.protocol).toBe('prefect')
      socket.send({ type: 'auth', token })
      await socket.until('auth_success')
      expect(socket.frames).toEqual([{ type: 'auth_success' }])
    }
  })

  test.each(paths)('%s takes the key from the upgrade when the frame has none', async (path) => {
    const { key } = await aWorkspace()
    for (const header of [`Bearer ${key}`, `Basic ${btoa(key)}`, `Basic ${btoa(`${key}:x`)}`]) {
      const socket = await openSocket(path, {
        'Sec-WebSocket-Protocol': 'prefect',
        Authorization: header,
      })
      socket.send({ type: 'auth', token: null })
      await socket.until('auth_success')
      expect(socket.frames).toEqual([{ type: 'auth_success' }])
    }
  })

  test.each(paths)('%s names the setting that is missing', async (path) => {
    const socket = await openSocket(path)
    socket.send({ type: 'auth', token: null })
    await expect.poll(() => socket.ended?.code).toBe(1008)
    expect(socket.ended?.reason).toContain('PREFECT_API_AUTH_STRING')
  })

  test('without the subprotocol the header alone opens it, and a wrong one does not', async () => {
    const { key, client } = await aWorkspace()
    const event = anEvent()
    const socket = await openSocket('/events/in', { Authorization: `bearer ${key}` })
    expect(socket.protocol).toBeNull()
    socket.send(event)
    await socket.close()
    expect((await client.filterEvents({ filter: { id: { id: [event.id] } } })).total).toBe(1)
    const refused = await fetchWorker(`${API_URL}/events/in`, {
      headers: { Upgrade: 'websocket', Authorization: 'bearer hg_key_wrong' },
    })
    expect(refused.status).toBe(401)
    expect(await refused.json()).toEqual({ exception_message: 'Unauthorized' })
  })
})

describe('/events/in', () => {
  test('what was sent before the close is kept when the close is answered', async () => {
    const { key, client } = await aWorkspace()
    const events = Array.from({ length: 700 }, () => anEvent({ event: 'burst' }))
    const socket = await aSocket('/events/in', key)
    for (const event of events) {
      socket.send(event)
    }
    await socket.close()
    expect(socket.ended?.code).toBe(1000)
    const page = await client.filterEvents({ filter: ofName('burst') })
    expect(page.total).toBe(700)
  })

  test('what is no event, or too large, costs the others nothing; what comes again is kept once', async () => {
    const { key, client } = await aWorkspace()
    const event = anEvent({ event: 'once' })
    const socket = await aSocket('/events/in', key)
    socket.send('hello')
    socket.send({ ...anEvent({ event: 'once' }), resource: {} })
    socket.send({ ...anEvent({ event: 'once' }), payload: { text: 'x'.repeat(1_500_000) } })
    socket.send(event)
    socket.send(event)
    await socket.close()
    const again = await aSocket('/events/in', key)
    again.send(event)
    await again.close()
    const page = await client.filterEvents({ filter: ofName('once') })
    expect(page.events.map(({ id }) => id)).toEqual([event.id])
    expect(page.events[0]).toMatchObject({ ...event, follows: null })
  })

  test('records the task runs that are reported', async () => {
    const { key, client } = await aWorkspace()
    const taskRunId = crypto.randomUUID()
    const socket = await aSocket('/events/in', key)
    const event = aTaskRunEvent({
      taskRunId,
      flowRunId: crypto.randomUUID(),
      type: 'RUNNING',
      at: Date.now() * 1000,
    })
    socket.send(event)
    await socket.close()
    expect(await client.readTaskRun(taskRunId)).toMatchObject({
      state_type: 'RUNNING',
      state: { id: event.id },
    })
  })

  test('loses nothing while a stream is being replaced', async () => {
    const { key, client, workspace } = await aWorkspace()
    const socket = await aSocket('/events/in', key)
    for (let round = 0; round < 10; round += 1) {
      socket.send(anEvent({ event: 'shaken' }))
      await Promise.all(
        eventStreamStubs(workspace).map(async (stream) => {
          // One that is not awake can't be put to sleep.
          await evictDurableObject(asStub(stream)).catch(() => undefined)
        }),
      )
    }
    await socket.close()
    expect((await client.filterEvents({ filter: ofName('shaken') })).total).toBe(10)
  })
})

describe('/events/out', () => {
  test('sends the events of the last minutes first, then those that come, each once', async () => {
    const { key, client } = await aWorkspace()
    const before = Array.from({ length: 3 }, () => anEvent({ event: 'wanted' }))
    const long = 20 * 60 * 1_000_000
    const old = anEvent({ event: 'wanted', occurred: formatTimestamp(Date.now() * 1000 - long) })
    await client.createEvents([old, ...before.toReversed(), anEvent({ event: 'other' })])
    const since = formatTimestamp(Date.now() * 1000 - 2 * long)
    const socket = await listen(key, { ...ofName('wanted'), occurred: { since } })
    await socket.until('event', 3)
    const after = anEvent({ event: 'wanted' })
    await client.createEvents([after, anEvent({ event: 'other' })])
    await socket.until('event', 4)
    expect(idsOf(socket)).toEqual([...before.toSorted(byPlace).map(({ id }) => id), after.id])
    expect(socket.frames.every(({ type }) => type === 'event' || type === 'auth_success')).toBe(
      true,
    )
  })

  test('sends only what comes when that is asked for', async () => {
    const { key, client } = await aWorkspace()
    await client.createEvents([anEvent({ event: 'before' })])
    const socket = await listen(key, { event: { name: ['before', 'after'] } }, { backfill: false })
    const after = anEvent({ event: 'after' })
    // It says nothing when it begins, so that the event is sent until it arrives.
    await expect
      .poll(async () => {
        await client.createEvents([{ ...after, id: crypto.randomUUID() }])
        return idsOf(socket).length
      })
      .toBeGreaterThan(0)
    expect(socket.frames.some((frame) => frame.event?.event === 'before')).toBe(false)
  })

  test('nothing is missed or doubled while events come in', async () => {
    const { key, client } = await aWorkspace()
    const sent: Event[] = []
    const emit = async () => {
      for (let round = 0; round < 15; round += 1) {
        const batch = Array.from({ length: 20 }, () => anEvent({ event: 'flood' }))
        sent.push(...batch)
        await client.createEvents(batch)
      }
    }
    const emitting = emit()
    const socket = await listen(key, ofName('flood'))
    await emitting
    await socket.until('event', 300)
    expect(idsOf(socket).toSorted()).toEqual(sent.map(({ id }) => id).toSorted())
  })

  test('a sleeping hub keeps what a socket wants, be it long', async () => {
    const { key, client, workspace } = await aWorkspace()
    const other = await aWorkspace()
    const many = Array.from({ length: 200 }, (_, index) => `name ${index}`)
    const sockets = [
      await listen(key, { event: { name: many } }),
      await listen(key, { resource: { labels: { color: ['re?', '!*'] } } }),
      await listen(other.key, {}),
    ]
    const first = anEvent({
      event: 'name 7',
      resource: { 'prefect.resource.id': 'x', color: 'red' },
    })
    await client.createEvents([first])
    await sockets[0]?.until('event')
    await sockets[1]?.until('event')
    await evictDurableObject(asStub(eventHubStub(workspace)), { webSockets: 'hibernate' })
    const second = { ...first, id: crypto.randomUUID() }
    await client.createEvents([second, anEvent()])
    await sockets[0]?.until('event', 2)
    await sockets[1]?.until('event', 2)
    expect(sockets.map(idsOf)).toEqual([[first.id, second.id], [first.id, second.id], []])
  })

  test.each<[unknown, string]>([
    [{ type: 'subscribe' }, "Expected 'filter' message"],
    [{ type: 'filter', filter: { colour: 'red' } }, 'Invalid filter:  Unrecognized key: "colour"'],
    ['hello', "Expected 'filter' message"],
  ])('%j ends the connection', async (frame, reason) => {
    const { key } = await aWorkspace()
    const socket = await aSocket('/events/out', key)
    socket.send(frame)
    await expect.poll(() => socket.ended).toEqual({ code: 1002, reason })
  })

  test('a plain close is answered', async () => {
    const { key } = await aWorkspace()
    const socket = await listen(key, {})
    await socket.close()
    expect(socket.ended?.code).toBe(1000)
  })
})

describe('/logs/out', () => {
  test('sends the lines that pass as they come, also out of a shard that slept', async () => {
    const { key, client, workspace } = await aWorkspace()
    const [run, other] = [crypto.randomUUID(), crypto.randomUUID()]
    const line = (flow_run_id: string, message: string, level = 20) => ({
      name: 'x',
      level,
      message,
      timestamp: formatTimestamp(Date.now() * 1000),
      flow_run_id,
    })
    const socket = await aSocket('/logs/out', key)
    socket.send({ type: 'filter', filter: { flow_run_id: { any_: [run] }, level: { ge_: 20 } } })
    const everything = await aSocket('/logs/out', key)
    everything.send({ type: 'filter', filter: {} })
    await expect
      .poll(async () => {
        await client.createLogs([line(run, `probe ${crypto.randomUUID()}`)])
        return socket.frames.length > 1 && everything.frames.length > 1
      })
      .toBe(true)
    await evictDurableObject(asStub(logShardStub(workspace, run)), { webSockets: 'hibernate' })
    await client.createLogs([line(run, 'low', 10), line(run, 'one'), line(other, 'two')])
    await expect.poll(() => JSON.stringify(everything.frames)).toContain('"two"')
    await expect.poll(() => JSON.stringify(socket.frames)).toContain('"one"')
    expect(JSON.stringify(socket.frames)).not.toMatch(/"(low|two)"/)
    const [stored] = await client.filterLogs({ logs: { text: { query: 'one' } } })
    expect(socket.frames.at(-1)).toEqual({ type: 'log', log: stored })
  })
})

test('there is no channel for workers: they poll', async () => {
  const { key } = await aWorkspace()
  const response = await fetchWorker(`${API_URL}/work_pools/any/workers/connect`, {
    headers: { Upgrade: 'websocket', Authorization: `Bearer ${key}` },
  })
  expect(response.status).toBe(404)
})

function byPlace(a: Event, b: Event): number {
  return a.occurred < b.occurred || (a.occurred === b.occurred && a.id < b.id) ? -1 : 1
}
