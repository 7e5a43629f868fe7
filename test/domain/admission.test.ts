import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admit, admitOne, type AdmissionView } from '#domain/admission.ts'
import { NEW_CLOCK, turnCost, type Candidate, type Clock, type Line } from '#domain/turns.ts'
import { NOW } from '../support/a-home-run.ts'

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
interface Waiting {
  id: string
  deployment_id: string | null
  key?: string | null
  queue: string
}
interface World {
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

const aQueue = (id: string, given: Partial<Queue> = {}): Queue => ({
  id,
  name: id,
  priority: 1,
  paused: false,
  limit: null,
  live: 0,
  ...given,
})
const aWorld = (given: Partial<World> = {}): World => ({
  pool: { id: 'p', name: 'p', paused: false, limit: null, live: 0 },
  queues: [aQueue('q')],
  deployments: {},
  waiting: [],
  clocks: {},
  turns: {},
  ...given,
})

const clockOf = (world: World, queue: string) => world.clocks[queue] ?? NEW_CLOCK
const weightOf = (world: World, id: string, key: string) =>
  world.deployments[id]?.key?.weights[key] ?? 1
const turnOf = (world: World, queue: string, id: string, key: string) =>
  world.turns[`${queue} ${id} ${key}`] ??
  clockOf(world, queue).now + turnCost(weightOf(world, id, key))

/** Reads candidates page by page as the home does: deployments that are blocked when a page is read are left out of it. */
function viewOf(world: World, pageSize = 64, pages = { read: 0 }): AdmissionView {
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

const waiting = (length: number, deployment: string | null = null, queue = 'q') =>
  Array.from({ length }, (_, index) => ({
    id: `${deployment ?? 'none'} ${index}`,
    deployment_id: deployment,
    queue,
  }))
const ids = (candidates: Candidate[]) => candidates.map(({ id }) => id)

/** The same in a few lines: all waiting runs are looked at for each that is taken. */
function naive(world: World, wanted: number, only?: ReadonlySet<string>) {
  const admitted: string[] = []
  const cancelled: string[] = []
  const live: Record<string, number> = { pool: world.pool.live }
  for (const queue of world.queues) {
    live[`queue ${queue.id}`] = queue.live
  }
  for (const [id, deployment] of Object.entries(world.deployments)) {
    live[`deployment ${id}`] = deployment.live
    for (const [key, count] of Object.entries(deployment.key?.live ?? {})) {
      live[`key ${id} ${key}`] = count
    }
  }
  const fits = (limit: number | null | undefined, name: string) =>
    limit === null || limit === undefined || (live[name] ?? 0) < limit
  const queues = world.queues.toSorted((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1))
  for (const queue of queues) {
    const isOpen = !world.pool.paused && !queue.paused && (only?.has(queue.id) ?? true)
    let inLine = world.waiting.filter((run) => isOpen && run.queue === queue.id)
    const isKeyed = inLine.some(({ key }) => key)
    const clock = { ...clockOf(world, queue.id) }
    const turns: Record<string, number> = {}
    const lineOf = ({ deployment_id: id, key }: Waiting) => (key ? `${String(id)} ${key}` : '')
    const turn = (run: Waiting) =>
      run.key
        ? (turns[lineOf(run)] ?? turnOf(world, queue.id, run.deployment_id ?? '', run.key))
        : clock.plain
    while (
      admitted.length < wanted &&
      fits(world.pool.limit, 'pool') &&
      fits(queue.limit, `queue ${queue.id}`)
    ) {
      const open = inLine.filter((run) => {
        const deployment = world.deployments[run.deployment_id ?? '']
        const isFull = !fits(deployment?.limit, `deployment ${run.deployment_id ?? ''}`)
        // Nobody looks at the runs of a full key.
        const isKeyFull = run.key && !fits(deployment?.key?.limit, `key ${lineOf(run)}`)
        return !isKeyFull && (!isFull || deployment?.strategy === 'CANCEL_NEW')
      })
      const [first] = open.toSorted(
        (a, b) =>
          (isKeyed ? turn(a) - turn(b) : 0) || world.waiting.indexOf(a) - world.waiting.indexOf(b),
      )
      if (first === undefined) {
        break
      }
      inLine = inLine.filter((run) => run !== first)
      const { deployment_id: id } = first
      if (!fits(world.deployments[id ?? '']?.limit, `deployment ${id ?? ''}`)) {
        cancelled.push(first.id)
        continue
      }
      admitted.push(first.id)
      for (const name of [
        'pool',
        `queue ${queue.id}`,
        `deployment ${id ?? ''}`,
        `key ${lineOf(first)}`,
      ]) {
        live[name] = (live[name] ?? 0) + 1
      }
      clock.now = Math.max(clock.now, turn(first))
      const next = clock.now + turnCost(first.key ? weightOf(world, id ?? '', first.key) : 1)
      if (first.key) {
        turns[lineOf(first)] = next
      } else {
        clock.plain = next
      }
    }
  }
  return { admitted, cancelled }
}

const limit = fc.option(fc.integer({ min: 0, max: 6 }))
const live = fc.integer({ min: 0, max: 3 })
const queueIds = ['a', 'b', 'c', 'd']
const deploymentIds = ['x', 'y', 'z']
const keys = ['k', 'l', 'm']
const turn = fc.integer({ min: 0, max: 4 }).map((count) => count * turnCost(2))
const world: fc.Arbitrary<World> = fc
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

describe('admit', () => {
  it('does what counting every run does, however long its pages are', () => {
    const only = fc.option(fc.uniqueArray(fc.constantFrom(...queueIds)), { nil: undefined })
    fc.assert(
      fc.property(
        world,
        fc.integer({ min: 1, max: 12 }),
        only,
        fc.integer({ min: 1, max: 5 }),
        (made, wanted, names, pageSize) => {
          const served = names === undefined ? undefined : new Set(names)
          const { admitted, cancelled } = admit(viewOf(made, pageSize), wanted, served)
          const expected = naive(made, wanted, served)
          expect(ids(admitted)).toEqual(expected.admitted)
          expect(ids(cancelled)).toEqual(expected.cancelled)
        },
      ),
      { numRuns: 1000 },
    )
  })

  it.each<[string, Partial<World>, number, number]>([
    // what, the world, wanted, admitted of 5 waiting
    ['takes as many as are wanted', {}, 3, 3],
    ['takes no more than there are', {}, 9, 5],
    ['takes nothing when nothing is wanted', {}, 0, 0],
    [
      'knows the limit of the pool',
      { pool: { id: 'p', name: 'p', paused: false, limit: 4, live: 2 } },
      9,
      2,
    ],
    [
      'takes nothing of a paused pool',
      { pool: { id: 'p', name: 'p', paused: true, limit: null, live: 0 } },
      9,
      0,
    ],
    [
      'takes nothing beyond a limit that was lowered',
      { pool: { id: 'p', name: 'p', paused: false, limit: 1, live: 5 } },
      9,
      0,
    ],
    ['knows the limit of the queue', { queues: [aQueue('q', { limit: 3, live: 2 })] }, 9, 1],
    ['takes nothing of a paused queue', { queues: [aQueue('q', { paused: true })] }, 9, 0],
  ])('%s', (_name, given, wanted, expected) => {
    const { admitted } = admit(viewOf(aWorld({ waiting: waiting(5), ...given })), wanted)
    expect(ids(admitted)).toEqual(ids(waiting(5)).slice(0, expected))
  })

  it('serves the more urgent queue first, whatever waits longer, and equal ones by their ids', () => {
    const made = aWorld({
      queues: [
        aQueue('b', { priority: 2 }),
        aQueue('c', { priority: 1 }),
        aQueue('a', { priority: 2 }),
      ],
      waiting: ['b', 'a', 'c', 'b', 'a', 'c'].map((queue, index) => ({
        id: `${queue}${index}`,
        deployment_id: null,
        queue,
      })),
    })
    expect(ids(admit(viewOf(made), 5).admitted)).toEqual(['c2', 'c5', 'a1', 'a4', 'b0'])
    expect(ids(admit(viewOf(made), 5, new Set(['b'])).admitted)).toEqual(['b0', 'b3'])
    expect(admit(viewOf(made), 5, new Set())).toMatchObject({ admitted: [], cancelled: [] })
  })

  it('passes a full deployment by, and reads few pages for that', () => {
    const pages = { read: 0 }
    const made = aWorld({
      deployments: { full: { limit: 1, live: 1, strategy: 'ENQUEUE' } },
      waiting: [...waiting(5000, 'full'), ...waiting(2, 'free')],
    })
    expect(ids(admit(viewOf(made, 64, pages), 10).admitted)).toEqual(['free 0', 'free 1'])
    expect(pages.read).toBeLessThanOrEqual(2)
  })

  it('fills a deployment up to its limit and lets the others pass', () => {
    const made = aWorld({
      deployments: { d: { limit: 3, live: 1, strategy: 'ENQUEUE' } },
      waiting: [...waiting(4, 'd'), ...waiting(1, 'e')],
    })
    expect(admit(viewOf(made), 10)).toMatchObject({
      admitted: [{ id: 'd 0' }, { id: 'd 1' }, { id: 'e 0' }],
      cancelled: [],
    })
  })

  it('cancels what comes to a full deployment that wants that, though only where it looks', () => {
    const made = aWorld({
      queues: [aQueue('q'), aQueue('p', { paused: true })],
      deployments: { d: { limit: 1, live: 0, strategy: 'CANCEL_NEW' } },
      waiting: [...waiting(3, 'd'), ...waiting(2, 'd', 'p')],
    })
    expect(admit(viewOf(made), 10)).toMatchObject({
      admitted: [{ id: 'd 0' }],
      cancelled: [{ id: 'd 1' }, { id: 'd 2' }],
    })
    expect(admit(viewOf(made), 1)).toMatchObject({ admitted: [{ id: 'd 0' }], cancelled: [] })
  })
})

describe('admitOne', () => {
  const one = (
    given: Partial<World>,
    queue: string | null = 'q',
    deployment: string | null = 'd',
    key: string | null = null,
  ) =>
    admitOne(viewOf(aWorld(given)), {
      work_queue_id: queue,
      deployment_id: deployment,
      concurrency_key: key,
    })
  const pool = { id: 'p', name: 'p', paused: false, limit: null, live: 0 }

  it.each<[string, Partial<World>, object]>([
    ['nothing in the way', {}, { free: true }],
    [
      'a full deployment',
      { deployments: { d: { limit: 1, live: 1, strategy: 'CANCEL_NEW' } } },
      { free: false, strategy: 'CANCEL_NEW', rule: 'Deployment concurrency limit reached.' },
    ],
    [
      'room in the deployment',
      { deployments: { d: { limit: 2, live: 1, strategy: 'CANCEL_NEW' } } },
      { free: true },
    ],
    [
      'a paused pool',
      { pool: { ...pool, paused: true } },
      { free: false, strategy: 'ENQUEUE', rule: "work pool 'p' is paused" },
    ],
    [
      'a full pool',
      { pool: { ...pool, limit: 1, live: 1 } },
      { free: false, strategy: 'ENQUEUE', rule: "work pool 'p' has reached its limit" },
    ],
    [
      'a paused queue',
      { queues: [aQueue('q', { paused: true })] },
      { free: false, strategy: 'ENQUEUE', rule: "work queue 'q' is paused" },
    ],
    [
      'a full queue',
      { queues: [aQueue('q', { limit: 2, live: 2 })] },
      { free: false, strategy: 'ENQUEUE', rule: "work queue 'q' has reached its limit" },
    ],
  ])('%s', (_name, given, expected) => {
    expect(one(given)).toEqual(expected)
  })

  it('asks nothing of the pool for a run that waits in no queue', () => {
    expect(one({ pool: { ...pool, paused: true } }, null)).toEqual({ free: true })
    expect(one({ pool: { ...pool, paused: true } }, 'gone')).toEqual({ free: true })
    expect(
      one({ deployments: { d: { limit: 0, live: 0, strategy: 'ENQUEUE' } } }, null),
    ).toMatchObject({ free: false })
  })
})
