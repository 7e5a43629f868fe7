import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatTimestamp, MICROS_PER_SECOND } from '#core/time.ts'
import { trigger, type Trigger } from '#core/wire/automation-trigger.ts'
import { judgeByEvent, judgeByTime, eventTriggers } from '#domain/automation-evaluation.ts'
import { withNewIds } from '#domain/automation.ts'
import { givenUp, inOrder } from '#domain/event-order.ts'
import { holdEvent, type HeldEvent } from '#domain/held-events.ts'
import { bucketKey, covers } from '#domain/trigger-matching.ts'
import { aReceivedEvent } from '../support/events.ts'
import { MapMemory } from '../support/trigger-memory.ts'

const START = 1_800_000_000 * MICROS_PER_SECOND
const at = (seconds: number) => formatTimestamp(START + seconds * MICROS_PER_SECOND)

function stored(given: object): Trigger {
  let id = 0
  return withNewIds(trigger.parse({ type: 'event', ...given }), () => String((id += 1)))
}

function eventTrigger(given: object) {
  const [made] = eventTriggers(stored(given))
  if (made === undefined) {
    throw new Error('no event trigger')
  }
  return made
}

/** How often events at these seconds make the automation fire. */
function firings(tree: Trigger, events: { second: number; name: string }[]): number {
  const memory = new MapMemory()
  const moment = { now: START, newId: () => 'firing' }
  return events.flatMap(
    ({ second, name }) =>
      judgeByEvent(tree, aReceivedEvent({ event: name, occurred: at(second) }), memory, moment)
        .firings,
  ).length
}

const seconds = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 40 })

describe('a Reactive trigger', () => {
  test('without a window fires by each event that it expects', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b')), (names) => {
        const tree = stored({ posture: 'Reactive', expect: ['a'] })
        const events = names.map((name, second) => ({ second, name }))
        expect(firings(tree, events)).toBe(names.filter((name) => name === 'a').length)
      }),
    )
  })

  test('fires at most once for so many events as its threshold, and at most once in a window', () => {
    fc.assert(
      fc.property(
        seconds,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 60 }),
        (times, threshold, within) => {
          const tree = stored({ posture: 'Reactive', expect: ['a'], threshold, within })
          const events = times.toSorted((a, b) => a - b).map((second) => ({ second, name: 'a' }))
          const count = firings(tree, events)
          expect(count).toBeLessThanOrEqual(Math.floor(times.length / threshold))
          expect(count).toBeLessThanOrEqual(Math.floor(300 / within) + 1)
        },
      ),
    )
  })

  test('with `after` fires only after that', () => {
    const given = { posture: 'Reactive', after: ['start'], expect: ['end'], within: 10 }
    const tree = stored(given)
    const start = { second: 0, name: 'start' }
    expect(firings(tree, [{ second: 0, name: 'end' }])).toBe(0)
    expect(firings(tree, [start, { second: 9, name: 'end' }])).toBe(1)
    expect(firings(tree, [start, { second: 10, name: 'end' }])).toBe(0)
    expect(firings(tree, [start, { second: 1, name: 'end' }, { second: 2, name: 'end' }])).toBe(1)
  })
})

describe('a Proactive trigger', () => {
  test('fires for each window in which too little came, and for no other', () => {
    fc.assert(
      fc.property(seconds, fc.integer({ min: 1, max: 3 }), (times, threshold) => {
        const one = eventTrigger({ posture: 'Proactive', expect: ['a'], within: 10, threshold })
        const memory = new MapMemory()
        const judge = (second: number) =>
          judgeByTime(one, one, [], memory, {
            now: START + second * MICROS_PER_SECOND,
            newId: () => 'firing',
          }).firings.length
        judge(0)
        for (let second = 0; second < 300; second += 10) {
          const inside = times.filter((time) => time >= second && time < second + 10)
          for (const time of inside) {
            judgeByEvent(one, aReceivedEvent({ event: 'a', occurred: at(time) }), memory, {
              now: START,
              newId: () => 'firing',
            })
          }
          expect(judge(second + 10)).toBe(inside.length < threshold ? 1 : 0)
          // The window that was good enough is followed by the next.
          judge(second + 10)
        }
      }),
    )
  })

  test('of heartbeats waits from the last one', () => {
    const one = eventTrigger({
      posture: 'Proactive',
      after: ['beat'],
      expect: ['beat', 'end'],
      within: 30,
    })
    const memory = new MapMemory()
    const moment = (second: number) => ({
      now: START + second * MICROS_PER_SECOND,
      newId: () => 'firing',
    })
    for (const second of [0, 20, 45]) {
      const event = aReceivedEvent({ event: 'beat', occurred: at(second) })
      expect(judgeByEvent(one, event, memory, moment(second)).firings).toEqual([])
      expect(judgeByTime(one, one, [], memory, moment(second + 29)).firings).toEqual([])
    }
    expect(judgeByTime(one, one, [], memory, moment(75)).firings).toHaveLength(1)
  })
})

test('held events count in every window as far as the threshold', () => {
  fc.assert(
    fc.property(
      seconds,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 10, max: 60 }),
      fc.integer({ min: 0, max: 300 }),
      (times, threshold, within, begin) => {
        const all = times.map((second, index) => ({
          id: String(index),
          occurred: START + second * MICROS_PER_SECOND,
        }))
        const held = all.reduce<HeldEvent[]>(
          (before, event) => holdEvent(before, event, { within, threshold }),
          [],
        )
        const inWindow = (events: HeldEvent[]) =>
          events.filter(({ occurred }) => {
            const second = (occurred - START) / MICROS_PER_SECOND
            return second >= begin && second < begin + within
          }).length
        expect(Math.min(threshold, inWindow(held))).toBe(Math.min(threshold, inWindow(all)))
        expect(held.length).toBeLessThanOrEqual(2 * threshold * (300 / within + 2))
      },
    ),
  )
})

describe('events that follow others', () => {
  test('are judged once and after them, in whatever order they come', () => {
    const chain = Array.from({ length: 12 }, (_, index) =>
      aReceivedEvent({
        id: String(index),
        follows: index === 0 ? null : String(index - 1),
        received: at(0),
        occurred: at(index),
      }),
    )
    fc.assert(
      fc.property(
        fc.shuffledSubarray(chain, { minLength: chain.length, maxLength: chain.length }),
        (events) => {
          const memory = new MapMemory()
          const judged = events.flatMap((event) => inOrder(event, memory, START))
          expect(judged.map(({ id }) => id)).toEqual(chain.map(({ id }) => id))
          expect(memory.parked.size).toBe(0)
        },
      ),
    )
  })

  test('wait for 15 minutes at most', () => {
    const memory = new MapMemory()
    const [second, third] = [
      aReceivedEvent({ id: '2', follows: '1', received: at(0), occurred: at(0) }),
      aReceivedEvent({ id: '3', follows: '2', received: at(60), occurred: at(60) }),
    ]
    const parked = () => [...memory.parked.values()]
    const later = (minutes: number) => START + minutes * 60 * MICROS_PER_SECOND
    expect(inOrder(third, memory, later(1))).toEqual([])
    expect(inOrder(second, memory, later(1))).toEqual([])
    expect(givenUp(parked(), memory, later(14))).toEqual([])
    expect(givenUp(parked(), memory, later(15))).toEqual([second, third])
    expect(parked()).toEqual([])
    const late = aReceivedEvent({ follows: 'lost', received: at(0) })
    expect(inOrder(late, memory, later(15))).toEqual([late])
  })
})

describe('what a trigger covers', () => {
  const event = aReceivedEvent({
    event: 'prefect.flow-run.Failed',
    resource: { 'prefect.resource.id': 'prefect.flow-run.1', color: 'red' },
    related: [
      { 'prefect.resource.id': 'prefect.flow.1', 'prefect.resource.role': 'flow', name: 'etl' },
      { 'prefect.resource.id': 'prefect.tag.a', 'prefect.resource.role': 'tag' },
    ],
  })

  test.each<[string, object, boolean]>([
    ['anything', {}, true],
    ['a name', { expect: ['prefect.flow-run.Failed'] }, true],
    ['a beginning of the name', { expect: ['prefect.flow-run.Fail'] }, false],
    ['a name with a wildcard', { expect: ['prefect.*.Failed'] }, true],
    ['a wildcard for nothing', { expect: ['prefect.flow-run.Failed*'] }, false],
    ['another name or this', { expect: ['x', 'prefect.*'] }, true],
    ['what it comes after', { expect: ['x'], after: ['prefect.flow-run.*'] }, true],
    ['an id', { match: { 'prefect.resource.id': 'prefect.flow-run.*' } }, true],
    ['all labels', { match: { 'prefect.resource.id': '*', color: 'blue' } }, false],
    ['one of the values', { match: { color: ['blue', 'red'] } }, true],
    ['not a value', { match: { color: '!red' } }, false],
    ['not a value of a label that is not there', { match: { size: '!red' } }, false],
    ['a related resource', { match_related: { name: 'etl' } }, true],
    [
      'labels of one and the same',
      { match_related: { name: 'etl', 'prefect.resource.role': 'tag' } },
      false,
    ],
    [
      'several related resources',
      { match_related: [{ name: 'e*' }, { 'prefect.resource.role': 'tag' }] },
      true,
    ],
    ['one too many', { match_related: [{ name: 'e*' }, { 'prefect.resource.role': 'x' }] }, false],
  ])('%s', (_what, given, covered) => {
    expect(covers(eventTrigger({ posture: 'Reactive', ...given }), event)).toBe(covered)
  })

  test('its buckets are told apart by labels of the event and of what is related', () => {
    const for_each = ['related:flow:name', 'color', 'related:none:name', 'none']
    const one = eventTrigger({ posture: 'Reactive', for_each })
    expect(bucketKey(one, event)).toEqual(['red', '', 'etl', ''])
  })
})
