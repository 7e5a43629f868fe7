import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admit, admitOne } from '#domain/admission.ts'
import { turnCost, type Candidate } from '#domain/turns.ts'
import {
  anyWorld,
  aQueue,
  aWorld,
  clockOf,
  queueIds,
  turnOf,
  viewOf,
  weightOf,
  type Waiting,
  type World,
} from '../support/admission-world.ts'

const waiting = (length: number, deployment: string | null = null, queue = 'q') =>
  Array.from({ length }, (_, index) => ({
    id: `${deployment ?? 'none'} ${index}`,
    deployment_id: deployment,
    queue,
  }))
const ids = (candidates: Pick<Candidate, 'id'>[]) => candidates.map(({ id }) => id)

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

describe('admit', () => {
  it('does what counting every run does, however long its pages are', () => {
    const only = fc.option(fc.uniqueArray(fc.constantFrom(...queueIds)), { nil: undefined })
    fc.assert(
      fc.property(
        anyWorld,
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

describe('keys', () => {
  const aKey = (weights: Record<string, number> = {}, limit: number | null = null) => ({
    d: { limit: null, live: 0, strategy: 'ENQUEUE' as const, key: { limit, weights } },
  })
  const inLine = (key: string | null, length: number): Waiting[] =>
    Array.from({ length }, (_, index) => ({
      id: `${key ?? 'plain'} ${index}`,
      deployment_id: key === null ? null : 'd',
      key,
      queue: 'q',
    }))
  const keysOf = (admitted: Pick<Candidate, 'id'>[]) =>
    admitted.map(({ id }) => id.split(' ')[0] ?? '').join('')

  it('take turns, whoever came first', () => {
    const made = aWorld({
      deployments: aKey(),
      waiting: [...inLine('a', 4), ...inLine('b', 2), ...inLine('c', 2)],
    })
    expect(keysOf(admit(viewOf(made), 8).admitted)).toBe('abcabcaa')
  })

  it('share a queue with the runs that have none', () => {
    const made = aWorld({
      deployments: aKey(),
      waiting: [...inLine(null, 3), ...inLine('a', 3)],
    })
    expect(keysOf(admit(viewOf(made), 6).admitted)).toBe('plainplainaplainaa')
  })

  it('share it by their weights, in every round', () => {
    const made = aWorld({
      deployments: aKey({ b: 3 }),
      waiting: [...inLine('a', 100), ...inLine('b', 300)],
    })
    const served = keysOf(admit(viewOf(made), 400).admitted)
    for (let round = 4; round <= 400; round += 4) {
      const heavy = served.slice(0, round).replaceAll('a', '').length
      expect(Math.abs(heavy - (round * 3) / 4)).toBeLessThanOrEqual(1)
    }
  })

  it('have a limit each, and a full one holds nobody up', () => {
    const made = aWorld({
      deployments: aKey({}, 2),
      waiting: [...inLine('a', 50), ...inLine('b', 1)],
    })
    expect(keysOf(admit(viewOf(made), 10).admitted)).toBe('aba')
  })

  it('gain nothing by having waited for a slot', () => {
    // For a long time nobody could serve `a`; it is served once, and then in its turn.
    const made = aWorld({
      deployments: aKey(),
      waiting: [...inLine('b', 4), ...inLine('a', 4)],
      clocks: { q: { now: turnCost(1) * 90, plain: 0 } },
      turns: { 'q d a': turnCost(1), 'q d b': turnCost(1) * 91 },
    })
    expect(keysOf(admit(viewOf(made), 8).admitted)).toBe('abababab')
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
