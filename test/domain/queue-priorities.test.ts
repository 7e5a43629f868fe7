import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { firstFreePriority, rerank, type RankedQueue } from '#domain/queue-priorities.ts'

test.for([
  [[], 1],
  [[1], 2],
  [[1, 2, 3], 4],
  [[2, 3], 1],
  [[1, 4, 2], 3],
] as const)('the first free priority beside %j is %i', ([taken, free]) => {
  expect(firstFreePriority(taken)).toBe(free)
})

const queues = (...priorities: number[]): RankedQueue[] =>
  priorities.map((priority, index) => ({ id: `q${index}`, priority }))

test.for([
  ['a free priority moves nobody', queues(1, 2), { id: 'n', priority: 5 }, { n: 5 }],
  [
    'a taken one moves its holder down',
    queues(1, 2),
    { id: 'n', priority: 1 },
    { n: 1, q0: 2, q1: 3 },
  ],
  ['only as far as needed', queues(1, 2, 5), { id: 'n', priority: 1 }, { n: 1, q0: 2, q1: 3 }],
  ['a queue moves up', queues(1, 2, 3), { id: 'q2', priority: 1 }, { q2: 1, q0: 2, q1: 3 }],
  ['a queue moves down', queues(1, 2, 3), { id: 'q0', priority: 3 }, { q0: 3, q2: 4 }],
  ['its own priority changes nothing', queues(1, 2), { id: 'q1', priority: 2 }, {}],
] as const)('%s', ([, before, target, changed]) => {
  const after = rerank(before, target)
  expect(Object.fromEntries(after.map((queue) => [queue.id, queue.priority]))).toEqual(changed)
})

test('priorities stay unique, the target gets its own, the others keep their order', () => {
  const pools = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 12 })
  fc.assert(
    fc.property(pools, fc.nat(12), fc.integer({ min: 1, max: 30 }), (priorities, pick, wanted) => {
      const before = queues(...priorities)
      const target = { id: before[pick]?.id ?? 'new', priority: wanted }
      const changed = new Map(rerank(before, target).map((queue) => [queue.id, queue.priority]))
      const ids = [...new Set([...before.map((queue) => queue.id), target.id])]
      const old = new Map(before.map((queue) => [queue.id, queue.priority]))
      const after = new Map(ids.map((id) => [id, changed.get(id) ?? old.get(id) ?? 0]))
      expect(after.get(target.id)).toBe(wanted)
      expect(new Set(after.values()).size).toBe(ids.length)
      const order = (ranks: Map<string, number>) =>
        ids
          .filter((id) => id !== target.id)
          .toSorted((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0))
      expect(order(after)).toEqual(order(old))
    }),
  )
})
