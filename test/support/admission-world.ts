import fc from 'fast-check'
import type { AdmissionView } from '#domain/admission.ts'
import { NEW_CLOCK, turnCost, type Candidate, type Clock, type Line } from '#domain/turns.ts'
import { NOW } from './a-home-run.ts'

// What admission sees, as plain values.

interface Queue {
  id: string
  name: string
  priority: number
  paused: boolean
  limit: number | null
  live: number
}
interface Deployment {
  limit: number | null
  live: number
  strategy: 'ENQUEUE' | 'CANCEL_NEW'
  key?: { limit: number | null; weights: Record<string, number>; live?: Record<string, number> }
}
export interface Waiting {
  id: string
  deployment_id: string | null
  key?: string | null
  queue: string
}
export interface World {
  pool: { id: string; name: string; paused: boolean; limit: number | null; live: number }
  queues: Queue[]
  deployments: Record<string, Deployment>
  /** In the order in which they are due. */
  waiting: Waiting[]
  /** By queue. */
  clocks: Record<string, Clock>
  /** By queue, deployment and key; what is not named has just come. */
  turns: Record<string, number>
}

export const aQueue = (id: string, given: Partial<Queue> = {}): Queue => ({
  id,
  name: id,
  priority: 1,
  paused: false,
  limit: null,
  live: 0,
  ...given,
})
export const aWorld = (given: Partial<World> = {}): World => ({
  pool: { id: 'p', name: 'p', paused: false, limit: null, live: 0 },
  queues: [aQueue('q')],
  deployments: {},
  waiting: [],
  clocks: {},
  turns: {},
  ...given,
})

export const clockOf = (world: World, queue: string) => world.clocks[queue] ?? NEW_CLOCK
export const weightOf = (world: World, id: string, key: string) =>
  world.deployments[id]?.key?.weights[key] ?? 1
export const turnOf = (world: World, queue: string, id: string, key: string) =>
  world.turns[`${queue} ${id} ${key}`] ??
  clockOf(world, queue).now + turnCost(weightOf(world, id, key))

/** Reads candidates page by page as the home does: deployments that are blocked when a page is read are left out of it. */
export function viewOf(world: World, pageSize = 64, pages = { read: 0 }): AdmissionView {
  const candidates = (queue: string): Candidate[] =>
    world.waiting.flatMap((run, position) =>
      run.queue === queue
        ? [{ id: run.id, deployment_id: run.deployment_id, key: run.key ?? null, due: 1, position }]
        : [],
    )
  return {
    now: NOW,
    pool: world.pool,
    queues: world.queues,
    deployment: (id) => {
      const deployment = world.deployments[id]
      return deployment && { name: id, key: null, ...deployment }
    },
    liveOfKeys: (id) => new Map(Object.entries(world.deployments[id]?.key?.live ?? {})),
    *candidates(queueId, blocked) {
      const all = candidates(queueId).filter(({ key }) => key === null)
      let next = 0
      for (;;) {
        const page: Candidate[] = []
        pages.read += 1
        for (; next < all.length && page.length < pageSize; next += 1) {
          const candidate = all[next]
          if (candidate && !blocked.has(candidate.deployment_id ?? '')) {
            page.push(candidate)
          }
        }
        yield* page
        if (page.length < pageSize) {
          return
        }
      }
    },
    keyed(queueId) {
      const lines = new Map<string, Line & { runs: Candidate[] }>()
      for (const run of candidates(queueId)) {
        const { deployment_id: id, key, due, position } = run
        if (id !== null && key) {
          const turn = turnOf(world, queueId, id, key)
          const fresh = { deployment_id: id, key, turn, due, position, runs: [] }
          const line = lines.get(`${id} ${key}`) ?? fresh
          line.runs.push(run)
          lines.set(`${id} ${key}`, line)
        }
      }
      if (lines.size === 0) {
        return undefined
      }
      const all = [...lines.values()].toSorted((a, b) => a.turn - b.turn || a.position - b.position)
      return {
        clock: clockOf(world, queueId),
        deployments: [...new Set(all.map((line) => line.deployment_id))],
        lines: (id, without) =>
          all.filter((line) => line.deployment_id === id && !without.has(line.key)),
        runs: ({ deployment_id: id, key }) => lines.get(`${id} ${key}`)?.runs ?? [],
      }
    },
  }
}

const limit = fc.option(fc.integer({ min: 0, max: 6 }))
const live = fc.integer({ min: 0, max: 3 })
export const queueIds = ['a', 'b', 'c', 'd']
const deploymentIds = ['x', 'y', 'z']
const keys = ['k', 'l', 'm']
const turn = fc.integer({ min: 0, max: 4 }).map((count) => count * turnCost(2))
export const anyWorld: fc.Arbitrary<World> = fc
  .record({
    pool: fc.record({
      id: fc.constant('p'),
      name: fc.constant('p'),
      paused: fc.constant(false),
      limit,
      live,
    }),
    queues: fc.tuple(
      ...queueIds.map((id) =>
        fc.record({
          id: fc.constant(id),
          name: fc.constant(id),
          priority: fc.integer({ min: 1, max: 3 }),
          paused: fc.constantFrom(false, false, false, true),
          limit,
          live,
        }),
      ),
    ),
    deployments: fc.record(
      Object.fromEntries(
        deploymentIds.map((id) => [
          id,
          fc.record({
            limit,
            live,
            strategy: fc.constantFrom('ENQUEUE' as const, 'CANCEL_NEW' as const),
            key: fc.record({
              limit: fc.option(fc.integer({ min: 1, max: 3 })),
              weights: fc.dictionary(fc.constantFrom(...keys), fc.integer({ min: 1, max: 4 })),
              live: fc.dictionary(fc.constantFrom(...keys), fc.integer({ min: 0, max: 3 })),
            }),
          }),
        ]),
      ),
    ),
    waiting: fc.array(
      fc.record({
        queue: fc.constantFrom(...queueIds),
        deployment_id: fc.option(fc.constantFrom(...deploymentIds, 'unlimited')),
        key: fc.option(fc.constantFrom(...keys)),
      }),
      { maxLength: 40 },
    ),
    clocks: fc.dictionary(fc.constantFrom(...queueIds), fc.record({ now: turn, plain: turn })),
    turns: fc.dictionary(
      fc
        .tuple(
          fc.constantFrom(...queueIds),
          fc.constantFrom(...deploymentIds),
          fc.constantFrom(...keys),
        )
        .map((names) => names.join(' ')),
      turn,
    ),
  })
  .map((made) => ({
    ...made,
    waiting: made.waiting.map((run, index) => ({
      ...run,
      // Who has no deployment has no key.
      key: run.deployment_id === null ? null : run.key,
      id: String(index),
    })),
  }))
