import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import type { ReceivedEvent } from '#core/wire/event.ts'
import type { EventHub } from '../../worker/durable/event-hub.ts'
import { takeEvents } from '../../worker/durable/hub-intake.ts'
import { objectContext } from '../../worker/operations/object-context.ts'
import { eventHubStub, eventStreamStub } from '../../worker/operations/stubs.ts'
import { anEvent, aReceivedEvent } from '../support/events.ts'
import { setFault, type Fault } from '../support/faulty-binding.ts'
import { asStub } from '../support/objects.ts'
import { aSocket } from '../support/test-socket.ts'
import { aWorkspace } from '../support/workspace.ts'

async function aStream() {
  const { workspace, key } = await aWorkspace()
  const stub = eventStreamStub(workspace, null)
  const socket = await aSocket<{ [key: string]: unknown; type?: string; event: ReceivedEvent }>(
    '/events/out',
    key,
  )
  socket.send({ type: 'filter', filter: {}, backfill: false })
  return {
    workspace,
    hub: asStub(eventHubStub(workspace)),
    stream: asStub(stub),
    record: async (...events: Parameters<typeof stub.record>[1]) => {
      await stub.record(objectContext(workspace), events, Date.now() * 1000)
    },
    heard: () => socket.frames.filter(({ type }) => type === 'event').map(({ event }) => event.id),
  }
}

async function valueOf(object: DurableObjectStub, query: string): Promise<number | undefined> {
  return await runInDurableObject(
    object,
    (_object, state) => state.storage.sql.exec<{ n: number }>(query).toArray()[0]?.n,
  )
}

/** Waits until the socket hears events at all. */
async function listening(stream: Awaited<ReturnType<typeof aStream>>): Promise<number> {
  await expect
    .poll(async () => {
      await stream.record(anEvent({ event: 'probe' }))
      return stream.heard().length
    })
    .toBeGreaterThan(0)
  return stream.heard().length
}

describe('while the hub is away', () => {
  test.each<Fault>(['refuses', 'takes and fails'])(
    'that %s, every event is told later, once and in order',
    async (fault) => {
      const it = await aStream()
      await listening(it)
      await setFault(it.stream, 'EVENT_HUB', 'publishEvents', fault)
      const events = Array.from({ length: 450 }, () =>
        anEvent({ payload: { text: 'x'.repeat(2000) } }),
      )
      for (let index = 0; index < events.length; index += 90) {
        await it.record(...events.slice(index, index + 90))
      }
      await evictDurableObject(it.stream)
      await evictDurableObject(it.hub, { webSockets: 'hibernate' })
      await setFault(it.stream, 'EVENT_HUB', 'publishEvents', 'none')
      const last = anEvent()
      const ids = [...events, last].map(({ id }) => id)
      await expect
        .poll(
          async () => {
            await runDurableObjectAlarm(it.stream)
            return it.heard().length
          },
          { timeout: 10_000 },
        )
        .toBeGreaterThanOrEqual(450)
      await it.record(last)
      await expect.poll(() => it.heard().at(-1)).toBe(last.id)
      expect(it.heard().filter((id) => ids.includes(id))).toEqual(ids)
      const newest = await valueOf(
        it.stream,
        'SELECT first_seq + count - 1 AS n FROM event_chunk ORDER BY position DESC LIMIT 1',
      )
      expect(await valueOf(it.hub, 'SELECT max(seq) AS n FROM intake')).toBe(newest)
    },
  )
})

test('what the hub has taken is noted once for a burst', async () => {
  const it = await aStream()
  const probes = await listening(it)
  await it.record(anEvent())
  await it.record(anEvent())
  await expect.poll(() => it.heard().length).toBeGreaterThanOrEqual(probes + 2)
  const noted = 'SELECT taken AS n FROM publication'
  const before = await valueOf(it.stream, noted)
  await expect
    .poll(
      async () => {
        await runDurableObjectAlarm(it.stream)
        return await valueOf(it.stream, noted)
      },
      { timeout: 15_000, interval: 500 },
    )
    .toBe(await valueOf(it.hub, 'SELECT max(seq) AS n FROM intake'))
  expect(before).toBe(0)
})

describe('the intake', () => {
  test('judges each event once, in one transaction with the note of it', async () => {
    const { workspace } = await aWorkspace()
    const hub = asStub(eventHubStub(workspace)) as DurableObjectStub<EventHub>
    await runInDurableObject(hub, (_object, { storage }) => {
      const judged: string[] = []
      const events = [1, 2, 3].map((seq) => ({ seq, event: aReceivedEvent({ event: `e${seq}` }) }))
      const take = (count: number) =>
        takeEvents(storage, 7, events.slice(0, count), ({ event }) => {
          if (event === 'e3' && judged.length === 2) {
            judged.push('failed')
            throw new Error('the judge fails')
          }
          judged.push(event)
        }).taken
      expect(take(2)).toBe(2)
      expect(take(2)).toBe(2)
      expect(() => take(3)).toThrow('the judge fails')
      expect(take(3)).toBe(3)
      expect(take(3)).toBe(3)
      expect(judged).toEqual(['e1', 'e2', 'failed', 'e3'])
    })
  })

  test('streams are counted apart', async () => {
    const { workspace } = await aWorkspace()
    const hub = eventHubStub(workspace)
    const context = objectContext(workspace)
    expect(await hub.publishEvents(context, 0, [{ seq: 5, event: aReceivedEvent() }])).toBe(5)
    expect(await hub.publishEvents(context, 1, [{ seq: 2, event: aReceivedEvent() }])).toBe(2)
    expect(await hub.publishEvents(context, 0, [{ seq: 4, event: aReceivedEvent() }])).toBe(5)
  })
})
