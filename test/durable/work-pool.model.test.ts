import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { flowRunId } from '#core/flow-run-id.ts'
import { newFlowRunRecord } from '#domain/flow-run.ts'
import { readHomeWorkPoolByName } from '#storage/work-pools.ts'
import type { HomeContext, NewFlowRun } from '../../worker/durable/work-pool.ts'
import { homeContext } from '../../worker/operations/configure-home.ts'
import { bindings, aWorkspace, type TestWorkspace } from '../support/workspace.ts'

// A random walk over the real object beside a plain model: no run is lost, none is held twice, no limit is exceeded, and a
// run of a more urgent queue is always taken first.

interface ModelRun {
  queue: string
  order: number
  status: 'waiting' | 'live' | 'over'
  agent: string | null
  fence: number
  accepted: boolean
  /** Seconds since the claim, or since the last renewal. */
  silent: number
  lost: boolean
}

interface ModelQueue {
  id: string
  name: string
  priority: number
  limit: number | null
  paused: boolean
}

const ACCEPT = 15
const LEASE = 45
const GRACE = 300
const STEP = 7

function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

class Walk {
  readonly runs = new Map<string, ModelRun>()
  readonly agents = Array.from({ length: 4 }, () => crypto.randomUUID())
  readonly #pick: (below: number) => number
  readonly #test: TestWorkspace
  readonly #pool: string
  readonly #queues: ModelQueue[]
  readonly #context: HomeContext
  #order = 0
  #now = Date.now()
  #poolLimit: number | null = null

  constructor(
    seed: number,
    test: TestWorkspace,
    pool: string,
    queues: ModelQueue[],
    context: HomeContext,
  ) {
    this.#pick = random(seed)
    this.#test = test
    this.#pool = pool
    this.#queues = queues
    this.#context = context
  }

  get stub() {
    const name = `${this.#context.workspace_id}:home:${this.#context.home_key}`
    return bindings.WORK_POOL.get(bindings.WORK_POOL.idFromName(name))
  }

  get #home() {
    return this.stub as unknown as Record<
      'claim' | 'accept' | 'renew' | 'finish' | 'createFlowRuns' | 'proposeState',
      (...args: unknown[]) => Promise<never>
    >
  }

  async step(): Promise<void> {
    const operations = [
      () => this.#enqueue(),
      () => this.#enqueue(),
      () => this.#claim(),
      () => this.#claim(),
      () => this.#accept(),
      () => this.#accept(),
      () => this.#renew(),
      () => this.#finish(),
      () => this.#finish(),
      () => this.#cancel(),
      () => this.#passTime(),
      () => this.#configure(),
      () => this.#evict(),
    ]
    await operations[this.#pick(operations.length)]?.()
  }

  async #enqueue(): Promise<void> {
    const requests = Array.from({ length: 1 + this.#pick(3) }, () => this.#newRun())
    const made: { run: { id: string } }[] = await this.#home.createFlowRuns(
      this.#context,
      requests,
      false,
    )
    expect(made).toHaveLength(requests.length)
    for (const { record } of requests) {
      this.runs.set(record.id, {
        queue: record.work_queue_id ?? '',
        order: (this.#order += 1),
        status: 'waiting',
        agent: null,
        fence: 0,
        accepted: false,
        silent: 0,
        lost: false,
      })
    }
  }

  async #claim(): Promise<void> {
    const agent = this.#anAgent()
    const limit = 1 + this.#pick(4)
    const expected = this.#admissible(limit)
    const { runs }: { runs: { fence: number; flow_run: { id: string } }[] } =
      await this.#home.claim(this.#context, { agent: identity(agent), limit })
    expect(runs.map(({ flow_run }) => flow_run.id)).toEqual(expected)
    for (const { fence, flow_run } of runs) {
      const run = this.#run(flow_run.id)
      expect(run.status).toBe('waiting')
      expect(fence).toBeGreaterThan(run.fence)
      Object.assign(run, { status: 'live', agent, fence, accepted: false, silent: 0, lost: false })
    }
  }

  /** The model of admission in a few lines: sort all waiting runs, take them while limits allow. */
  #admissible(limit: number): string[] {
    const live = [...this.runs.values()].filter(({ status }) => status === 'live')
    const taken: string[] = []
    let poolRoom = (this.#poolLimit ?? Infinity) - live.length
    for (const queue of this.#queues.toSorted((a, b) => a.priority - b.priority)) {
      let room =
        (queue.paused ? 0 : (queue.limit ?? Infinity)) -
        live.filter((run) => run.queue === queue.id).length
      const waiting = [...this.runs].filter(
        ([, run]) => run.status === 'waiting' && run.queue === queue.id,
      )
      for (const [id] of waiting.toSorted(([, a], [, b]) => a.order - b.order)) {
        if (room > 0 && poolRoom > 0 && taken.length < limit) {
          taken.push(id)
          room -= 1
          poolRoom -= 1
        }
      }
    }
    return taken
  }

  async #accept(): Promise<void> {
    const [id, run] = this.#aLiveRun() ?? []
    if (id === undefined || run === undefined || run.accepted) {
      return
    }
    const { results }: { results: { answer: string }[] } = await this.#home.accept(this.#context, {
      agent_id: run.agent,
      executions: [{ flow_run_id: id, fence: run.fence }],
    })
    expect(results[0]?.answer).toBe('go')
    Object.assign(run, { accepted: true, silent: 0 })
    await this.#propose(id, run.fence, 'RUNNING')
  }

  async #renew(): Promise<void> {
    const agent = this.#anAgent()
    const held = [...this.runs].filter(
      ([, run]) => run.status === 'live' && run.agent === agent && run.accepted,
    )
    const { results }: { results: { answer: string }[] } = await this.#home.renew(this.#context, {
      agent: identity(agent),
      executions: held.map(([id, run]) => ({ flow_run_id: id, fence: run.fence })),
    })
    expect(results.filter(({ answer }) => answer === 'stop')).toEqual([])
    for (const [, run] of held) {
      Object.assign(run, { silent: 0, lost: false })
    }
  }

  async #finish(): Promise<void> {
    const [id, run] = this.#aLiveRun() ?? []
    if (id === undefined || run === undefined || !run.accepted) {
      return
    }
    if (this.#pick(2) === 0) {
      await this.#propose(id, run.fence, 'COMPLETED')
    }
    const end = { flow_run_id: id, fence: run.fence, exit_code: 0 }
    const { results }: { results: { answer: string }[] } = await this.#home.finish(this.#context, {
      agent_id: run.agent,
      executions: [end, { ...end, fence: run.fence + 1 }],
    })
    expect(results.map(({ answer }) => answer)).toEqual(['ended', 'stale'])
    run.status = 'over'
  }

  async #propose(id: string, fence: number, type: string): Promise<void> {
    const proposer = { kind: 'run', flow_run_id: id, fence }
    await this.#home.proposeState(this.#context, id, { state: { type } }, proposer, false)
  }

  /** Only of waiting runs: they have nothing to stop. */
  async #cancel(): Promise<void> {
    const waiting = [...this.runs].filter(([, run]) => run.status === 'waiting')
    const [id, run] = waiting[this.#pick(Math.max(1, waiting.length))] ?? []
    if (id === undefined || run === undefined || this.#pick(4) > 0) {
      return
    }
    const request = { state: { type: 'CANCELLING' } }
    await this.#home.proposeState(this.#context, id, request, { kind: 'key' }, false)
    run.status = 'over'
  }

  async #passTime(): Promise<void> {
    for (let steps = 1 + this.#pick(4); steps > 0; steps -= 1) {
      this.#now += STEP * 1000
      vi.setSystemTime(this.#now)
      for (const run of this.runs.values()) {
        if (run.status === 'live') {
          run.silent += STEP
          this.#age(run)
        }
      }
      await runDurableObjectAlarm(this.stub)
    }
  }

  #age(run: ModelRun): void {
    if (!run.accepted && run.silent >= ACCEPT) {
      Object.assign(run, { status: 'waiting', agent: null })
    } else if (run.accepted && run.silent >= LEASE + GRACE) {
      run.status = 'over'
    } else if (run.accepted && run.silent >= LEASE) {
      run.lost = true
    }
  }

  async #configure(): Promise<void> {
    const queue = this.#queues[this.#pick(this.#queues.length)]
    if (queue === undefined) {
      return
    }
    const what = this.#pick(4)
    if (what === 0) {
      this.#poolLimit = [null, 2, 5][this.#pick(3)] ?? null
      await this.#test.client.updateWorkPool(this.#pool, { concurrency_limit: this.#poolLimit })
    } else if (what === 1) {
      queue.paused = !queue.paused
      await this.#test.client.updateWorkQueue(this.#pool, queue.name, { is_paused: queue.paused })
    } else {
      queue.limit = [null, 0, 1, 3][this.#pick(4)] ?? null
      await this.#test.client.updateWorkQueue(this.#pool, queue.name, {
        concurrency_limit: queue.limit,
      })
    }
  }

  async #evict(): Promise<void> {
    // It must be awake to be evicted.
    await this.stub.fetch('https://home/')
    await evictDurableObject(this.stub)
  }

  /** What the object itself holds agrees with the model, and nothing is missing. */
  async check(): Promise<void> {
    const live = await runInDurableObject(this.stub, (_, state) =>
      state.storage.sql
        .exec<{ id: string; queue_id: string }>('SELECT id, queue_id FROM run WHERE live = 1')
        .toArray(),
    )
    const expected = [...this.runs].filter(([, run]) => run.status === 'live').map(([id]) => id)
    expect(live.map(({ id }) => id).toSorted()).toEqual(expected.toSorted())
    for (const [id, run] of this.runs) {
      const found = await this.#test.client.readFlowRun(id)
      const types = {
        waiting: ['SCHEDULED'],
        live: run.accepted ? ['RUNNING', 'CRASHED'] : ['PENDING'],
        over: ['COMPLETED', 'CRASHED', 'CANCELLED'],
      }
      expect(types[run.status], `${id} is ${String(found.state_name)}`).toContain(found.state_type)
    }
  }

  #newRun(): NewFlowRun {
    const queue = this.#queues[this.#pick(this.#queues.length)]
    const id = flowRunId(
      this.#context.home_key,
      this.#now,
      crypto.getRandomValues(new Uint8Array(10)),
    )
    return {
      record: {
        ...newFlowRunRecord(id, this.#now * 1000),
        name: 'walk',
        flow_id: crypto.randomUUID(),
        work_queue_id: queue?.id ?? null,
      },
      flow_name: 'walk',
      deployment_name: null,
      // All due at one time: only their order of arrival tells them apart.
      state: {
        type: 'SCHEDULED',
        state_details: { scheduled_time: '2020-01-01T00:00:00.000000Z' },
      },
    }
  }

  #aLiveRun(): [string, ModelRun] | undefined {
    const live = [...this.runs].filter(([, run]) => run.status === 'live')
    return live[this.#pick(Math.max(1, live.length))]
  }

  #anAgent(): string {
    return this.agents[this.#pick(this.agents.length)] ?? ''
  }

  #run(id: string): ModelRun {
    const run = this.runs.get(id)
    if (run === undefined) {
      throw new Error(`the home handed out run ${id}, which nobody made`)
    }
    return run
  }
}

function identity(agent: string) {
  return { agent_id: agent, name: `agent-${agent.slice(0, 8)}`, version: '0.1.0' }
}

async function aWalk(seed: number): Promise<Walk> {
  const test = await aWorkspace()
  const name = `pool ${crypto.randomUUID()}`
  await test.client.createWorkPool({ name, type: 'process' })
  for (const queue of ['urgent', 'bulk']) {
    await test.client.createWorkQueue(name, { name: queue })
  }
  const pool = await readHomeWorkPoolByName(test.workspace, name)
  if (pool === undefined) {
    throw new Error(`work pool '${name}' can't be read`)
  }
  const queues = pool.queues.map((queue) => ({
    id: queue.id,
    name: queue.name,
    priority: queue.priority,
    limit: null,
    paused: false,
  }))
  return new Walk(seed, test, name, queues, homeContext(test.workspace, pool.home_key))
}

describe('the home beside its model', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it.for([1, 2, 3, 4, 5, 6])(
    'walk %i: nothing is lost, doubled, over a limit or out of order',
    { timeout: 120_000 },
    async (seed) => {
      const walk = await aWalk(seed)
      for (let step = 0; step < 250; step += 1) {
        await walk.step()
        if (step % 50 === 49) {
          await walk.check()
        }
      }
      expect(walk.runs.size).toBeGreaterThan(20)
    },
  )
})
