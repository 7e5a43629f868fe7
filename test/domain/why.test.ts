import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Why } from '#core/wire/why.ts'
import { admit } from '#domain/admission.ts'
import { explainWait } from '#domain/why.ts'
import { aHomeRun, at, inState, seconds } from '../support/a-home-run.ts'
import {
  anyWorld,
  aQueue,
  aWorld,
  queueIds,
  viewOf,
  type Waiting,
  type World,
} from '../support/admission-world.ts'

const all = (world: World) => new Set(world.queues.map(({ id }) => id))

function waitingRun(world: World, run: Waiting, due = -10) {
  const record = inState(
    { type: 'SCHEDULED', state_details: { scheduled_time: at(due) } },
    {
      id: run.id,
      deployment_id: run.deployment_id,
      work_queue_id: run.queue,
      concurrency_key: run.key ?? null,
    },
  )
  return aHomeRun(record, { position: world.waiting.indexOf(run) })
}

function explain(world: World, run: Waiting, served = all(world)): Why {
  return explainWait(waitingRun(world, run), { view: viewOf(world), served, position: () => 1 })
}

/** Does what the rule asks for. */
function lift(world: World, served: Set<string>, { rule }: Why): void {
  const id = rule?.id ?? ''
  const queue = world.queues.find((each) => each.id === id)
  const deployment = world.deployments[id]
  switch (rule?.kind) {
    case 'pool_paused':
      world.pool.paused = false
      return
    case 'pool_limit':
      world.pool.limit = world.pool.live + 1
      return
    case 'queue_paused':
      Object.assign(queue ?? {}, { paused: false })
      return
    case 'queue_limit':
      Object.assign(queue ?? {}, { limit: (queue?.live ?? 0) + 1 })
      return
    case 'no_agent':
      served.add(id)
      return
    case 'deployment_limit':
      Object.assign(deployment ?? {}, { limit: (deployment?.live ?? 0) + 1 })
      return
    case 'key_limit':
      Object.assign(deployment?.key ?? {}, { limit: (rule.live ?? 0) + 1 })
      return
    case 'behind_others':
      world.waiting = world.waiting.filter((run) => run.id !== id)
      return
    default:
      throw new Error(`nothing lifts ${String(rule?.kind)}`)
  }
}

describe('why a run waits', () => {
  it('names one rule after the other; when each is lifted the run is the next to be claimed', () => {
    fc.assert(
      fc.property(
        anyWorld,
        fc.boolean(),
        fc.subarray(queueIds),
        fc.nat(),
        (made, paused, names, which) => {
          const world = structuredClone({ ...made, pool: { ...made.pool, paused } })
          const run = world.waiting[which % Math.max(1, world.waiting.length)]
          fc.pre(run !== undefined)
          const served = new Set(names)
          const most = world.waiting.length + 20
          let why = explain(world, run, served)
          for (let step = 0; why.rule?.kind !== 'next'; step += 1) {
            expect(step).toBeLessThan(most)
            expect(why.message).not.toContain('undefined')
            lift(world, served, why)
            why = explain(world, run, served)
          }
          expect(admit(viewOf(world), 1, served).admitted[0]?.id).toBe(run.id)
        },
      ),
      { numRuns: 500 },
    )
  })

  const run: Waiting = { id: 'run', deployment_id: 'd', key: 'acme', queue: 'q' }
  const full = { limit: 2, live: 2, strategy: 'ENQUEUE' as const }
  it.each<[string, Partial<World>, object]>([
    [
      'a paused pool',
      { pool: { id: 'p', name: 'gpu', paused: true, limit: null, live: 0 } },
      { kind: 'pool_paused', message: "Work pool 'gpu' is paused." },
    ],
    [
      'a full pool',
      { pool: { id: 'p', name: 'gpu', paused: false, limit: 3, live: 3 } },
      {
        kind: 'pool_limit',
        message: "Work pool 'gpu' has reached its limit: 3 of 3 runs are live.",
      },
    ],
    [
      'a paused queue',
      { queues: [aQueue('q', { paused: true })] },
      { kind: 'queue_paused', message: "Work queue 'q' is paused." },
    ],
    [
      'a full queue',
      { queues: [aQueue('q', { limit: 1, live: 1 })] },
      {
        kind: 'queue_limit',
        message: "Work queue 'q' has reached its limit: 1 of 1 runs is live.",
      },
    ],
    [
      'a full deployment',
      { deployments: { d: full } },
      {
        kind: 'deployment_limit',
        message: "Deployment 'd' has reached its limit: 2 of 2 runs are live.",
      },
    ],
    [
      'a full key',
      {
        deployments: {
          d: { ...full, limit: null, key: { limit: 1, weights: {}, live: { acme: 1 } } },
        },
      },
      {
        kind: 'key_limit',
        message: "Key 'acme' of deployment 'd' has reached its limit: 1 of 1 runs is live.",
      },
    ],
    [
      'others before it',
      { waiting: [{ id: 'other', deployment_id: null, queue: 'q' }] },
      {
        kind: 'behind_others',
        message: 'It is number 1 in its line, and other runs go first.',
      },
    ],
    ['nothing', {}, { kind: 'next', message: "It is the next run of work queue 'q'." }],
  ])('%s', (_name, given, { kind, message }: { kind?: string; message?: string }) => {
    const world = aWorld(given)
    world.waiting = [...world.waiting, run]
    const why = explain(world, run)
    expect(why).toMatchObject({ waiting: true, rule: { kind }, message })
    expect(why.lifted_by).toEqual(expect.any(String))
  })

  it('nobody who serves the queue', () => {
    expect(explain(aWorld({ waiting: [run] }), run, new Set())).toMatchObject({
      rule: { kind: 'no_agent' },
      message: "Nobody serves work queue 'q'.",
    })
  })

  it('its time, its own process, an earlier execution, no queue', () => {
    const world = aWorld({ waiting: [run] })
    const surroundings = { view: viewOf(world), served: all(world), position: () => 1 }
    const later = waitingRun(world, run, 60)
    const now = waitingRun(world, run)
    const policy = { ...now.record.empirical_policy, retry_type: 'in_process' as const }
    const kindOf = (given: typeof now) => explainWait(given, surroundings).rule?.kind
    expect(explainWait(later, surroundings)).toMatchObject({
      position: null,
      rule: { kind: 'scheduled_later', until: at(60) },
    })
    expect(kindOf({ ...now, record: { ...now.record, empirical_policy: policy } })).toBe(
      'in_process',
    )
    expect(kindOf({ ...now, live: true })).toBe('earlier_execution')
    expect(kindOf({ ...now, record: { ...now.record, work_queue_id: null } })).toBe('no_queue')
  })

  it('says of a run that does not wait that it does not', () => {
    const running = aHomeRun(inState({ type: 'RUNNING' }, {}, at(-1)), { lease_until: seconds(5) })
    const world = aWorld()
    expect(
      explainWait(running, { view: viewOf(world), served: all(world), position: () => 1 }),
    ).toEqual({
      waiting: false,
      position: null,
      rule: null,
      message: 'The run is Running: it does not wait to be started.',
      lifted_by: null,
    })
  })
})
