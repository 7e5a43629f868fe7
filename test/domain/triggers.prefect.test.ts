import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { formatTimestamp, parseTimestamp, type Micros } from '#core/time.ts'
import { trigger, type EventTrigger, type Trigger } from '#core/wire/automation-trigger.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { eventTriggers, judgeByEvent, judgeByTime } from '#domain/automation-evaluation.ts'
import { withNewIds } from '#domain/automation.ts'
import { givenUp, inOrder } from '#domain/event-order.ts'
import { withoutExpired } from '#domain/trigger-buckets.ts'
import type { Firing } from '#domain/trigger-firings.ts'
import { MapMemory } from '../support/trigger-memory.ts'

// What Prefect's server made of random events for random automations: see fixtures/generate_triggers.py.

interface WrittenFiring {
  trigger: number
  labels: Record<string, string>
  event: number | null
  parts: WrittenFiring[]
}
type WrittenBucket = [trigger: number, key: string[], start: number, end: number, count: number]
interface Step {
  tick?: Micros
  now?: Micros
  event?: {
    number: number
    event: string
    occurred: Micros
    resource: Record<string, string>
    related: Record<string, string>[]
    follows: number | null
  }
  fired: WrittenFiring[]
  buckets: WrittenBucket[]
}
interface Case {
  trigger: object
  steps: Step[]
}

const BEGIN = parseTimestamp('2026-06-01T12:00:00Z') ?? 0
const cases = JSON.parse(
  readFileSync(new URL('fixtures/triggers.json', import.meta.url), 'utf8'),
) as Case[]

test.each(cases.map((one, number) => ({ ...one, number })))(
  'case $number',
  ({ trigger: given, steps }) => {
    // The ids are the places in the tree.
    let place = 0
    const tree = withNewIds(trigger.parse(given), () => String(place++))
    const memory = new MapMemory()
    for (const [number, step] of steps.entries()) {
      const moment = { now: BEGIN + (step.tick ?? step.now ?? 0), newId: () => 'firing' }
      const events =
        step.event === undefined
          ? givenUp([...memory.parked.values()], memory, moment.now)
          : inOrder(received(step.event, moment.now), memory, moment.now)
      const firings = events.flatMap((event) => judgeByEvent(tree, event, memory, moment).firings)
      if (step.tick !== undefined) {
        firings.push(...tick(tree, memory, moment.now))
      }
      expect({ number, fired: firings.map((firing) => written(firing)) }).toEqual({
        number,
        fired: step.fired,
      })
      expect({ number, buckets: buckets(memory) }).toEqual({ number, buckets: step.buckets })
    }
  },
)

test('the cases are many, and many of them fire', () => {
  expect(cases.length).toBeGreaterThan(200)
  const firing = cases.filter(({ steps }) => steps.some(({ fired }) => fired.length > 0))
  expect(firing.length).toBeGreaterThan(cases.length / 3)
})

function tick(tree: Trigger, memory: MapMemory, now: Micros): Firing[] {
  const moment = { now, newId: () => 'firing' }
  const firings = eventTriggers(tree)
    .filter(({ posture }) => posture === 'Proactive')
    .flatMap((one) =>
      keysOf(one, memory).flatMap((key) => judgeByTime(tree, one, key, memory, moment).firings),
    )
  for (const { trigger: one, key, slot } of memory.slots.values()) {
    memory.writeSlot(one, key, withoutExpired(slot, now))
  }
  return firings
}

/** In the order in which their windows began, as Prefect reads them. */
function keysOf(one: EventTrigger, memory: MapMemory): (readonly string[])[] {
  const known = [...memory.slots.values()].filter(({ trigger: { id } }) => id === one.id)
  const begin = (slot: (typeof known)[number]): number => slot.slot.bucket?.start ?? 0
  const keys = known
    .toSorted((a, b) => begin(a) - begin(b) || (String(a.key) < String(b.key) ? -1 : 1))
    .map(({ key }) => key)
  return keys.length === 0 && one.for_each.length === 0 ? [[]] : keys
}

function received(event: NonNullable<Step['event']>, now: Micros): ReceivedEvent {
  return {
    id: String(event.number),
    event: event.event,
    occurred: formatTimestamp(BEGIN + event.occurred),
    received: formatTimestamp(now),
    resource: event.resource,
    related: event.related,
    payload: {},
    follows: event.follows === null ? null : String(event.follows),
  }
}

function written(firing: Firing): WrittenFiring {
  return {
    trigger: Number(firing.trigger.id),
    labels: firing.triggering_labels,
    event: firing.triggering_event === null ? null : Number(firing.triggering_event.id),
    parts: firing.triggering_firings
      .map((part) => written(part))
      .toSorted((a, b) => a.trigger - b.trigger),
  }
}

function buckets(memory: MapMemory): WrittenBucket[] {
  return [...memory.slots.values()]
    .flatMap(({ trigger: one, key, slot: { bucket } }): WrittenBucket[] =>
      bucket === null
        ? []
        : [[Number(one.id), [...key], bucket.start - BEGIN, bucket.end - BEGIN, bucket.count]],
    )
    .toSorted((a, b) => a[0] - b[0] || (String(a[1]) < String(b[1]) ? -1 : 1))
}
