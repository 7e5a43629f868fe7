import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import type { Action } from '#core/wire/automation-action.ts'
import type { AutomationCreateInput } from '#core/wire/automation.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { formatTimestamp } from '#core/time.ts'
import * as automations from '#storage/automations.ts'
import { commit } from '#storage/commit.ts'
import { objectContext } from '../../worker/operations/object-context.ts'
import { eventHubStub } from '../../worker/operations/stubs.ts'
import { anAutomation } from '../support/automations.ts'
import { aReceivedEvent } from '../support/events.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace } from '../support/workspace.ts'

/** A stream that no real one is, whose events come from the tests alone. */
const STREAM = 1000

const ORDER = [
  'prefect.automation.triggered',
  'prefect.automation.action.triggered',
  'prefect.automation.action.executed',
  'prefect.automation.action.failed',
]

async function aHub() {
  const { workspace, client } = await aWorkspace()
  const stub = eventHubStub(workspace)
  const context = objectContext(workspace)
  let seq = 0
  return {
    workspace,
    client,
    stub,
    context,
    publish: async (...events: ReceivedEvent[]) => {
      const numbered = events.map((event) => ({ seq: (seq += 1), event }))
      await stub.publishEvents(context, STREAM, numbered)
      return numbered
    },
    alarm: async () => await runDurableObjectAlarm(asStub(stub)),
    evict: async () => {
      await evictDurableObject(asStub(stub))
    },
    sql: async (query: string, ...parameters: (string | number)[]) =>
      await runInDurableObject(asStub(stub), (_hub, { storage }) =>
        storage.sql.exec(query, ...parameters).toArray(),
      ),
    /** The automation's own events, when there are so many. */
    told: async (automationId: string, count: number) => {
      const read = async () => {
        const { events } = await client.filterEvents({
          filter: {
            resource: { id: [`prefect.automation.${automationId}`] },
            event: { exclude_name: ['prefect.automation.created', 'prefect.automation.updated'] },
            order: 'ASC',
          },
        })
        return events
      }
      await expect.poll(async () => (await read()).length).toBe(count)
      // Some are of the same time.
      return (await read()).toSorted((a, b) => ORDER.indexOf(a.event) - ORDER.indexOf(b.event))
    },
  }
}

const names = (events: { event: string }[]) => events.map(({ event }) => event)
const start = (given: Partial<ReceivedEvent> = {}) => aReceivedEvent({ event: 'start', ...given })
const silence = (given: Partial<AutomationCreateInput> = {}) =>
  anAutomation({
    trigger: { type: 'event', posture: 'Proactive', expect: ['beat'], within: 10 },
    ...given,
  })

describe('an event that fits', () => {
  test('triggers the automation, whose actions are told with what they did', async () => {
    const hub = await aHub()
    const { id, name } = await hub.client.createAutomation(anAutomation())
    const event = start()
    await hub.publish(event, aReceivedEvent({ event: 'other' }))
    const [triggered, action, executed] = await hub.told(id, 3)
    const resource = {
      'prefect.resource.id': `prefect.automation.${id}`,
      'prefect.resource.name': name,
      'prefect.posture': 'Reactive',
    }
    const cause = {
      'prefect.resource.id': `prefect.event.${event.id}`,
      'prefect.resource.role': 'triggering-event',
    }
    expect(triggered).toMatchObject({
      event: 'prefect.automation.triggered',
      resource,
      related: [cause],
      payload: { triggering_labels: {}, triggering_event: { id: event.id, event: 'start' } },
    })
    const related = [
      {
        'prefect.resource.id': `prefect.event.${triggered?.id ?? ''}`,
        'prefect.resource.role': 'automation-triggered-event',
      },
      cause,
    ]
    const payload = { action_index: 0, action_type: 'do-nothing', invocation: expect.any(String) }
    expect(action).toMatchObject({
      event: 'prefect.automation.action.triggered',
      resource: { ...resource, 'prefect.trigger-type': 'event' },
      related,
      payload,
      follows: event.id,
    })
    expect(executed).toMatchObject({
      event: 'prefect.automation.action.executed',
      related,
      payload,
      follows: action?.id,
    })
    expect(await hub.client.explainAutomation(id)).toMatchObject({
      evaluated: true,
      firings: 1,
      triggers: [{ events: 1, firings: 1, last_event: { id: event.id, outcome: 'fired' } }],
      pending_actions: [],
    })
  })

  test('does so once, however often it is sent and whatever is evicted', async () => {
    const hub = await aHub()
    const { id } = await hub.client.createAutomation(anAutomation())
    const numbered = await hub.publish(start())
    await hub.stub.publishEvents(hub.context, STREAM, numbered)
    await hub.evict()
    await hub.stub.publishEvents(hub.context, STREAM, numbered)
    await hub.told(id, 3)
    expect(await hub.client.explainAutomation(id)).toMatchObject({ firings: 1 })
  })

  test('does nothing to one that is disabled, changed or deleted', async () => {
    const hub = await aHub()
    const [disabled, changed, deleted] = [
      await hub.client.createAutomation(anAutomation()),
      await hub.client.createAutomation(anAutomation()),
      await hub.client.createAutomation(anAutomation()),
    ]
    await hub.client.enableAutomation(disabled.id, false)
    const trigger = { type: 'event' as const, posture: 'Reactive' as const, expect: ['end'] }
    await hub.client.updateAutomation(changed.id, { name: 'x', trigger, actions: [] })
    await hub.client.deleteAutomation(deleted.id)
    await hub.publish(start(), aReceivedEvent({ event: 'end' }))
    expect(names(await hub.told(changed.id, 1))).toEqual(['prefect.automation.triggered'])
    expect(names(await hub.told(deleted.id, 1))).toEqual(['prefect.automation.deleted'])
    expect(await hub.told(disabled.id, 0)).toEqual([])
  })

  test('waits for the one that it follows', async () => {
    const hub = await aHub()
    // What the hub remembers must go further back than five minutes.
    await hub.client.createAutomation(anAutomation())
    await hub.sql('UPDATE memory SET since = 0')
    await hub.evict()
    const trigger = {
      type: 'event' as const,
      posture: 'Reactive' as const,
      after: ['start'],
      expect: ['end'],
      within: 60,
    }
    const { id } = await hub.client.createAutomation(anAutomation({ trigger }))
    const first = start()
    const later = formatTimestamp(Date.now() * 1000 + 1000)
    await hub.publish(aReceivedEvent({ event: 'end', follows: first.id, occurred: later }))
    expect(await hub.client.explainAutomation(id)).toMatchObject({ parked_events: 1, firings: 0 })
    await hub.evict()
    await hub.publish(first)
    expect(await hub.client.explainAutomation(id)).toMatchObject({ parked_events: 0, firings: 1 })
  })
})

test('automations that fit every event do not trigger themselves or each other for ever', async () => {
  const hub = await aHub()
  const trigger = { type: 'event' as const, posture: 'Reactive' as const }
  const made = [
    await hub.client.createAutomation(anAutomation({ trigger })),
    await hub.client.createAutomation(anAutomation({ trigger })),
  ]
  const firings = async () => {
    const explained = await Promise.all(made.map(({ id }) => hub.client.explainAutomation(id)))
    return explained.map((one) => [one.firings, one.pending_actions.length])
  }
  await hub.publish(start())
  // Each by the event itself, by three events of the other, and by three of each of those; more by the second's creation.
  const last = await settled(firings)
  expect(
    last.every(([count = 0, pending]) => count >= 1 + 3 + 9 && count < 60 && pending === 0),
  ).toBe(true)
})

/** What is read when it has not changed for a second. */
async function settled<T>(read: () => Promise<T>): Promise<T> {
  let [before, after] = [await read(), await read()]
  do {
    before = after
    await new Promise((resolve) => setTimeout(resolve, 1000))
    after = await read()
  } while (JSON.stringify(before) !== JSON.stringify(after))
  return after
}

test('events are counted over evictions, until there are enough', async () => {
  const hub = await aHub()
  const trigger = {
    type: 'event' as const,
    posture: 'Reactive' as const,
    expect: ['start'],
    for_each: ['prefect.resource.id'],
    threshold: 3,
    within: 60,
  }
  const { id } = await hub.client.createAutomation(anAutomation({ trigger }))
  const resource = { 'prefect.resource.id': 'thing.1' }
  await hub.publish(start({ resource }), start())
  await hub.evict()
  await hub.publish(start({ resource }))
  const waiting = await hub.client.explainAutomation(id)
  expect(waiting).toMatchObject({ firings: 0, triggers: [{ events: 3 }] })
  expect(waiting.triggers[0]?.buckets).toContainEqual(
    expect.objectContaining({ for_each: resource, count: 2, threshold: 3 }),
  )
  await hub.evict()
  await hub.publish(start({ resource }))
  const [triggered] = await hub.told(id, 3)
  expect(triggered?.payload).toMatchObject({ triggering_labels: resource })
})

test('parts of a composite trigger wait for each other over evictions', async () => {
  const hub = await aHub()
  const part = (name: string) => ({
    type: 'event' as const,
    posture: 'Reactive' as const,
    expect: [name],
  })
  const trigger = {
    type: 'sequence' as const,
    triggers: [part('start'), part('end')],
    within: 60,
  }
  const { id } = await hub.client.createAutomation(anAutomation({ trigger }))
  await hub.publish(aReceivedEvent({ event: 'end' }), start())
  expect((await hub.client.explainAutomation(id)).triggers[0]?.waiting_firings.length).toBe(2)
  await hub.evict()
  const end = aReceivedEvent({ event: 'end' })
  await hub.publish(end)
  const [triggered] = await hub.told(id, 3)
  expect(triggered?.payload).toMatchObject({ triggering_event: { id: end.id } })
  expect(await hub.client.explainAutomation(id)).toMatchObject({
    firings: 1,
    triggers: [{ firings: 1, waiting_firings: [] }, { firings: 1 }, { firings: 2 }],
  })
})

describe('silence', () => {
  test('triggers when its window is over, again and again', async () => {
    const hub = await aHub()
    const { id } = await hub.client.createAutomation(silence())
    expect(await hub.client.explainAutomation(id)).toMatchObject({
      triggers: [{ buckets: [{ count: 0, threshold: 1 }] }],
    })
    const past = (Date.now() - 13_000) * 1000
    await hub.sql('UPDATE bucket SET until = ?, due = ?', past, past)
    await hub.evict()
    await hub.alarm()
    const [triggered] = await hub.told(id, 3)
    expect(triggered).toMatchObject({
      resource: { 'prefect.posture': 'Proactive' },
      related: [],
      payload: { triggering_event: null },
    })
    const explained = await hub.client.explainAutomation(id)
    expect(explained).toMatchObject({ firings: 1, triggers: [{ buckets: [{ count: 0 }] }] })
  })

  test('is none when what was expected came, and the next window opens', async () => {
    const hub = await aHub()
    const { id } = await hub.client.createAutomation(silence())
    await hub.publish(aReceivedEvent({ event: 'beat' }))
    const past = (Date.now() - 13_000) * 1000
    await hub.sql('UPDATE bucket SET until = ?, due = ?', past, past)
    await hub.evict()
    await hub.alarm()
    expect(await hub.client.explainAutomation(id)).toMatchObject({
      firings: 0,
      triggers: [{ events: 1, buckets: [{ count: 0 }] }],
    })
  })
})

describe('a change of automations', () => {
  test('that was announced and never sent is read from the store', async () => {
    const hub = await aHub()
    const made = await hub.client.createAutomation(anAutomation())
    await hub.stub.expectAutomations(hub.context, [made.id])
    await commit(hub.workspace, [
      automations.updateAutomation(
        hub.workspace,
        made.id,
        1,
        { enabled: false },
        Date.now() * 1000,
      ),
    ])
    expect(await hub.client.explainAutomation(made.id)).toMatchObject({ evaluated: true })
    await hub.sql('UPDATE pending_automation SET due = 0')
    await hub.evict()
    await hub.alarm()
    expect(await hub.client.explainAutomation(made.id)).toMatchObject({ evaluated: false })
  })

  test('that comes late does not undo a newer one', async () => {
    const hub = await aHub()
    const made = await hub.client.createAutomation(anAutomation())
    const old = (await automations.findAutomation(hub.workspace, made.id)) ?? null
    await hub.client.deleteAutomation(made.id)
    await hub.stub.applyAutomations(hub.context, [{ id: made.id, stored: old }])
    expect(
      await hub.client.explainAutomation(made.id).catch((error: unknown) => error),
    ).toMatchObject({ status: 404 })
    expect(await hub.stub.explainAutomation(hub.context, made.id)).toMatchObject({
      evaluated: false,
    })
  })
})

describe('actions', () => {
  test('left over by an eviction are carried out by the next life, once', async () => {
    const hub = await aHub()
    const { client } = hub
    const flow = await client.createFlow({ name: 'flow' })
    const deployment = await client.createDeployment({ name: 'it', flow_id: flow.id })
    const { id, name } = await client.createAutomation(
      anAutomation({ actions: [{ type: 'run-deployment', deployment_id: deployment.id }] }),
    )
    // Judged, and gone before anything else could be done.
    await hub.publish(start())
    await hub.evict()
    await hub.alarm()
    const told = await hub.told(id, 3)
    expect(names(told)).toEqual([
      'prefect.automation.triggered',
      'prefect.automation.action.triggered',
      'prefect.automation.action.executed',
    ])
    const runs = await client.filterFlowRuns({
      flow_runs: { deployment_id: { any_: [deployment.id] } },
    })
    expect(runs).toHaveLength(1)
    expect(runs[0]).toMatchObject({
      created_by: { type: 'AUTOMATION', id, display_value: name },
      idempotency_key: expect.stringMatching(`^automation ${id}, action 0, invocation `),
      state_name: 'Scheduled',
    })
    expect(told[2]).toMatchObject({
      payload: { status_code: 201 },
      related: expect.arrayContaining([
        {
          'prefect.resource.id': `prefect.flow-run.${runs[0]?.id ?? ''}`,
          'prefect.resource.role': 'flow-run',
          'prefect.resource.name': runs[0]?.name,
        },
      ]),
    })
  })

  test.each<[string, Action[], string]>([
    ['no event to infer from', [{ type: 'cancel-flow-run' }], 'No flow run could be inferred'],
    [
      'an object that is not there',
      [
        {
          type: 'pause-deployment',
          source: 'selected',
          deployment_id: '00000000-0000-4000-8000-000000000000',
        },
      ],
      "Unexpected status from 'pause-deployment' action: 404",
    ],
  ])('fail with a reason: %s', async (_what, actions, reason) => {
    const hub = await aHub()
    const { id } = await hub.client.createAutomation(anAutomation({ actions }))
    await hub.publish(start())
    const told = await hub.told(id, 3)
    expect(told[2]).toMatchObject({
      event: 'prefect.automation.action.failed',
      payload: { reason, action_type: actions[0]?.type },
    })
  })

  test('of the trigger come after the automation has been triggered, about that event', async () => {
    const hub = await aHub()
    const paused = await hub.client.createAutomation(anAutomation())
    const { id } = await hub.client.createAutomation(
      anAutomation({
        trigger: { type: 'event', posture: 'Reactive', expect: ['go'] },
        actions: [{ type: 'pause-automation', automation_id: paused.id }],
        actions_on_trigger: [{ type: 'pause-automation', source: 'inferred' }],
      }),
    )
    await hub.publish(aReceivedEvent({ event: 'go' }))
    await hub.told(id, 5)
    await expect.poll(async () => (await hub.client.readAutomation(id)).enabled).toBe(false)
    expect(await hub.client.readAutomation(paused.id)).toMatchObject({ enabled: false })
  })
})
