import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { flowRunId } from '#core/flow-run-id.ts'
import { formatTimestamp } from '#core/time.ts'
import { newFlowRunRecord } from '#domain/flow-run.ts'
import { readHomeDeployment, type HomeDeployment } from '#storage/deployments.ts'
import { readHomeWorkPoolByName, type HomeWorkPool } from '#storage/work-pools.ts'
import type { HomeRun } from '#domain/execution.ts'
import type { Bindings } from '#storage/workspace.ts'
import { onAlarm } from '../../worker/durable/home-alarm.ts'
import { applyDeployment, applyWorkPool } from '../../worker/durable/home-config.ts'
import { accept, claim, finish, renew } from '../../worker/durable/home-executions.ts'
import { createFlowRuns, proposeState } from '../../worker/durable/home-runs.ts'
import { Home, type HomeContext, type NewFlowRun } from '../../worker/durable/home.ts'
import { homeContext } from '../../worker/operations/configure-home.ts'
import { PoolModel, type ModelDeployment, type ModelRun } from '../support/pool-model.ts'
import { bindings, aWorkspace } from '../support/workspace.ts'

// Random walks over the real home, on its real SQLite, beside a plain model of what it promises. After each step its answer is
// the model's: so no limit is exceeded, nothing is given out before what is more urgent, nothing is held twice; and what the
// home's tables hold is what the model holds: so nothing is lost. Between any two steps the object may be made anew from what is
// on its disk, and now and then workerd evicts it for good.

const WALKS = 8
const ENTRIES = 13
const STEPS = 1000

/** Waiting runs at most, so that all of them have their turn. */
const CROWD = 40

type Pick = (below: number) => number

function random(seed: number): Pick {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** A home that decides and keeps as every home does, and tells nobody: what is told has tests of its own, and takes its time. */
class SilentHome extends Home {
  constructor(state: DurableObjectState, env: Bindings) {
    super(state, env)
    this.presence.seen = () => undefined
  }

  override save(run: HomeRun): void {
    this.store.save(run, this.now())
  }
}

/** What a walk knows of the object while it is inside. */
interface Inside {
  home: Home
  state: DurableObjectState
  env: Bindings
}

class Walk {
  readonly model: PoolModel
  readonly trace: string[] = []
  readonly #pick: Pick
  readonly #context: HomeContext
  readonly #agents = Array.from({ length: 4 }, () => crypto.randomUUID())
  #pool: HomeWorkPool
  #deployments: HomeDeployment[]
  /** Every step is four milliseconds; alarms are heard in between, so that never two things are due at once. */
  #now: number
  #inside: Inside | undefined
  steps = 0

  constructor(seed: number, start: Start) {
    this.#pick = random(seed)
    this.#context = start.context
    this.#pool = start.pool
    this.#deployments = start.deployments
    // So far from now that no alarm of the platform comes by itself.
    this.#now = Math.ceil((Date.now() + 400 * 24 * 3600_000) / 4) * 4
    this.model = new PoolModel(
      start.pool.queues.map(({ id, name, priority }) => ({
        id,
        name,
        priority,
        limit: null,
        paused: false,
      })),
      start.deployments.map(({ deployment }) => deployment.id),
    )
  }

  get stub(): DurableObjectStub {
    const name = `${this.#context.workspace_id}:home:${this.#context.home_key}`
    return bindings.WORK_POOL.get(bindings.WORK_POOL.idFromName(name))
  }

  /** Goes so many steps within one life of the object, as the platform sees it. */
  async go(steps: number): Promise<void> {
    this.#tick()
    try {
      await runInDurableObject(this.stub, async (object, state) => {
        const { env } = object as unknown as { env: Bindings }
        this.#inside = { home: this.#awaken(state, env), state, env }
        for (let step = 0; step < steps; step += 1) {
          this.#tick()
          await this.#step()
          this.steps += 1
          if (step % 50 === 49) {
            await this.#check()
          }
        }
      })
    } finally {
      // Also after a failure, so that it disturbs nobody else.
      await evictDurableObject(this.stub)
    }
  }

  #awaken(state: DurableObjectState, env: Bindings): Home {
    const home = new SilentHome(state, env)
    home.know(this.#context)
    return home
  }

  get #home(): Home {
    if (this.#inside === undefined) {
      throw new Error('the walk is not inside of the object')
    }
    return this.#inside.home
  }

  #tick(): void {
    this.#now += 4
    vi.setSystemTime(this.#now)
  }

  async #step(): Promise<void> {
    const operations: (() => Promise<void>)[] = [
      ...times(3, () => () => this.#enqueue()),
      ...times(5, () => () => this.#claim()),
      ...times(4, () => () => this.#accept()),
      ...times(3, () => () => this.#begin()),
      ...times(3, () => () => this.#renew()),
      ...times(4, () => () => this.#finish()),
      ...times(1, () => () => this.#cancel()),
      ...times(1, () => () => (this.#pick(6) === 0 ? this.#overstay() : Promise.resolve())),
      ...times(3, () => () => this.#passTime()),
      ...times(2, () => () => this.#configure()),
      ...times(2, () => () => this.#restart()),
    ]
    await operations[this.#pick(operations.length)]?.()
  }

  #note(text: string): void {
    this.trace.push(`${this.#now} ${text}`)
    if (this.trace.length > 60) {
      this.trace.shift()
    }
  }

  async #enqueue(): Promise<void> {
    const count = Math.min(1 + this.#pick(3), CROWD - this.model.waiting.length)
    const requests = times(Math.max(0, count), () => this.#newRun())
    const expected = requests.map(({ record, state }) => {
      const time = state?.state_details?.scheduled_time ?? ''
      const { id, concurrency_key: key, start_before: until } = record
      const [queue, deployment] = [record.work_queue_id ?? '', record.deployment_id]
      const type = this.model.enqueue(
        {
          id,
          queue,
          deployment,
          key,
          startBefore: until === null ? null : Date.parse(until),
          due: Date.parse(time),
          retries: record.empirical_policy.infrastructure_retries ?? 0,
        },
        this.#now,
      )
      this.#note(
        `enqueue ${id} queue ${queue} due ${time} of ${String(deployment)} ${String(key)} until ${String(until)}: ${type}`,
      )
      return type
    })
    const made = await createFlowRuns(this.#home, requests, false)
    expect(made.map(({ created }) => created)).toEqual(requests.map(() => true))
    expect(made.map(({ run }) => run.state_type)).toEqual(expected)
  }

  /** Alone, or while another agent claims at the same time. */
  async #claim(): Promise<void> {
    await Promise.all(times(this.#pick(4) === 0 ? 2 : 1, () => this.#claimOnce()))
  }

  async #claimOnce(): Promise<void> {
    const agent = this.#anAgent()
    const limit = 1 + this.#pick(4)
    const served =
      this.#pick(4) === 0 ? this.model.queues.filter(() => this.#pick(2) === 0) : undefined
    const only = served === undefined ? null : new Set(served.map(({ id }) => id))
    const expected = this.model.claim(agent, limit, only, this.#now).map(keyOf)
    this.#note(`claim ${limit} by ${agent}: ${expected.join(', ')}`)
    const result = await claim(this.#home, {
      agent: identity(agent),
      limit,
      ...(served === undefined ? {} : { work_queue_names: served.map(({ name }) => name) }),
    })
    const { runs } = 'runs' in result ? result : { runs: [] }
    expect(runs.map(({ flow_run, fence }) => `${flow_run.id}.${fence}`)).toEqual(expected)
  }

  async #accept(): Promise<void> {
    const run = this.#oneOf(this.model.live.filter((one) => !one.accepted || this.#pick(8) === 0))
    if (run === undefined) {
      return
    }
    const [agent, fence] = this.#claimant(run)
    const expected = this.model.accept(run, agent, fence, this.#now)
    this.#note(`accept ${run.id}.${fence} by ${agent}: ${expected}`)
    const { results } = accept(this.#home, {
      agent_id: agent,
      executions: [{ flow_run_id: run.id, fence }],
    })
    expect(results.map(({ answer }) => answer)).toEqual([expected])
  }

  async #begin(): Promise<void> {
    const run = this.#oneOf(
      this.model.live.filter(({ type, accepted }) => accepted && type === 'PENDING'),
    )
    if (run !== undefined) {
      await this.#propose(run, run.fence, 'RUNNING')
    }
  }

  async #propose(run: ModelRun, fence: number, type: 'RUNNING' | 'COMPLETED'): Promise<void> {
    this.model.propose(run, fence, type)
    this.#note(`propose ${run.id}.${fence} ${type}`)
    const proposer = { kind: 'run', flow_run_id: run.id, fence } as const
    await proposeState(this.#home, run.id, { state: { type } }, proposer, false, false)
  }

  /** Of all that an agent holds, or of some: the others are as good as lost. */
  async #renew(): Promise<void> {
    const agent = this.#anAgent()
    const isForgetful = this.#pick(3) === 0
    const named = this.model.live.filter(
      (run) => run.agent === agent && run.accepted && !(isForgetful && this.#pick(2) === 0),
    )
    const stale = this.#pick(5) === 0 ? this.#oneOf(this.model.live) : undefined
    this.#renewAll(agent, named, stale)
    await Promise.resolve()
  }

  #renewAll(agent: string, named: ModelRun[], stale?: ModelRun): void {
    const executions = [
      ...named.map(({ id, fence }) => ({ flow_run_id: id, fence })),
      ...(stale === undefined ? [] : [{ flow_run_id: stale.id, fence: stale.fence + 1 }]),
    ]
    this.#note(`renew by ${agent}: ${named.map(keyOf).join(', ')}`)
    const expected = executions.map(({ flow_run_id: id, fence }) =>
      this.model.renew(this.#known(id), agent, fence, this.#now),
    )
    const { results } = renew(this.#home, {
      agent: identity(agent),
      executions,
    })
    expect(results.map(({ answer }) => (answer === 'stop' ? answer : 'current'))).toEqual(expected)
  }

  async #finish(): Promise<void> {
    const run = this.#oneOf(this.model.live.filter(({ accepted }) => accepted))
    if (run === undefined) {
      return
    }
    if (this.#pick(2) === 0) {
      await this.#propose(run, run.fence, 'COMPLETED')
    }
    const [agent, fence] = this.#claimant(run)
    const interrupted = this.#pick(4) === 0
    const expected = this.model.finish(run, agent, fence, interrupted, this.#now)
    this.#note(`finish ${run.id}.${fence} by ${agent}: ${expected}`)
    const { results } = finish(this.#home, {
      agent_id: agent,
      executions: [{ flow_run_id: run.id, fence, exit_code: 1, interrupted }],
    })
    expect(results.map(({ answer }) => answer)).toEqual([expected])
  }

  async #cancel(): Promise<void> {
    const run = this.#oneOf([...this.model.runs.values()])
    if (run === undefined) {
      return
    }
    await this.#cancelOne(run)
  }

  async #cancelOne(run: ModelRun): Promise<void> {
    this.model.cancel(run, this.#now)
    this.#note(`cancel ${run.id}`)
    const request = { state: { type: 'CANCELLING' as const } }
    await proposeState(this.#home, run.id, request, { kind: 'key' }, false, false)
  }

  async #passTime(): Promise<void> {
    // Seldom the control plane itself is away.
    const isOutage = this.#pick(40) === 0
    const steps = isOutage ? 1 : 1 + this.#pick(6)
    for (let step = 0; step < steps; step += 1) {
      this.#now += isOutage ? 4000 * (5 + this.#pick(60)) : 4 * (1 + this.#pick(4500))
      const heard = this.#now + (isOutage ? 1 : 3)
      this.#note(`alarm at ${heard}`)
      this.#ring(heard)
      this.#tick()
    }
  }

  #ring(heard: number): void {
    vi.setSystemTime(heard)
    const faults = this.model.alarm(heard, {
      ring: () => {
        // A run does one thing at a time; what is due as well comes with the next alarm.
        for (let rings = 0; rings < 3; rings += 1) {
          onAlarm(this.#home)
        }
      },
      isCancelled: (id) => this.#home.store.find(id)?.record.state_type === 'CANCELLED',
      turns: () => this.#turns(),
    })
    expect(faults).toEqual([])
  }

  /** Whose turn is next, as the object's tables have it. */
  #turns(): Map<string, number> {
    const rows = this.#inside?.state.storage.sql
      .exec<{ name: string; turn: number }>(
        `SELECT concat_ws(' ', queue_id, deployment_id, key) AS name, turn FROM line`,
      )
      .toArray()
    return new Map(rows?.map(({ name, turn }) => [name, turn]))
  }

  /** A run that is being cancelled goes on, under its lease, for as long as is waited for it; then its agent falls silent. */
  async #overstay(): Promise<void> {
    const run = this.#oneOf(
      this.model.live.filter(({ type, accepted, lost }) => accepted && !lost && type === 'RUNNING'),
    )
    if (run === undefined) {
      return
    }
    await this.#cancelOne(run)
    for (let passed = 0; passed < 9; passed += 1) {
      for (const agent of this.#agents) {
        this.#renewAll(
          agent,
          this.model.live.filter((one) => one.agent === agent && one.accepted),
        )
      }
      this.#now += 40_000
      this.#note(`alarm at ${this.#now + 1}`)
      this.#ring(this.#now + 1)
      this.#tick()
    }
    expect(run).toMatchObject({ type: 'CANCELLED', live: true })
    this.#now += 16_000
    this.#note(`alarm at ${this.#now + 1}, ${run.agent} is silent`)
    this.#ring(this.#now + 1)
    this.#tick()
    expect(run).toMatchObject({ lost: true, live: true })
    await this.#check()
  }

  async #configure(): Promise<void> {
    const queue = this.#oneOf(this.model.queues)
    const deployment = this.#oneOf(this.#deployments)
    if (queue === undefined || deployment === undefined) {
      return
    }
    const rules = this.model.deployments.get(deployment.deployment.id)
    switch (this.#pick(7)) {
      case 0:
        this.model.limit = this.#oneOf([null, 0, 2, 5]) ?? null
        break
      case 1:
        this.model.paused = this.#pick(4) === 0
        break
      case 2:
        queue.paused = this.#pick(3) === 0
        break
      case 3:
      case 4:
        this.#configureDeployment(deployment, rules)
        break
      default:
        queue.limit = this.#oneOf([null, 0, 1, 3]) ?? null
    }
    const limits = this.model.queues.map(({ limit, paused }) => `${String(limit)} ${paused}`)
    this.#note(
      `limits: pool ${String(this.model.limit)} ${this.model.paused}, ${limits.join(', ')}`,
    )
    await this.#applyConfiguration(deployment)
  }

  /** Each case of what comes too late, or as one too many, has a deployment of its own, so that they are told apart. */
  #configureDeployment(deployment: HomeDeployment, rules: ModelDeployment | undefined): void {
    if (rules === undefined) {
      return
    }
    const isFirst = deployment.deployment.id === this.#deployments[0]?.deployment.id
    rules.limit = this.#oneOf([null, null, 1, 2, 3]) ?? null
    rules.cancelsNew = isFirst && this.#pick(2) === 0
    rules.maxWaiting = isFirst ? (this.#oneOf([null, 2, 4]) ?? null) : null
    rules.keyLimit = this.#oneOf([null, 1, 1, 2]) ?? null
    rules.weights = this.#oneOf([{}, { a: 2, b: 3 }, { b: 7, c: 4 }]) ?? {}
    this.#note(`${deployment.deployment.id}: ${JSON.stringify(rules)}`)
  }

  async #applyConfiguration(deployment: HomeDeployment): Promise<void> {
    const { model } = this
    this.#pool = {
      ...this.#pool,
      version_number: this.#pool.version_number + 1,
      pool: { ...this.#pool.pool, concurrency_limit: model.limit, is_paused: model.paused },
      queues: this.#pool.queues.map((queue) => {
        const own = model.queues.find(({ id }) => id === queue.id)
        const { limit = null, paused = false } = own ?? {}
        return { ...queue, concurrency_limit: limit, is_paused: paused }
      }),
    }
    const { id } = deployment.deployment
    const rules = model.deployments.get(id)
    const changed: HomeDeployment = {
      ...deployment,
      version_number: deployment.version_number + 1,
      concurrency_limit: rules?.limit ?? null,
      deployment: {
        ...deployment.deployment,
        // It makes no new runs by itself; those that are there go on.
        paused: this.#pick(3) === 0,
        concurrency_options: {
          collision_strategy: rules?.cancelsNew === true ? 'CANCEL_NEW' : 'ENQUEUE',
        },
        concurrency_key: {
          template: '{{ parameters.key }}',
          limit: rules?.keyLimit ?? null,
          weights: rules?.weights ?? {},
        },
        max_waiting_runs: rules?.maxWaiting ?? null,
      },
    }
    this.#deployments = this.#deployments.map((one) => (one === deployment ? changed : one))
    await applyWorkPool(this.#home, this.#pool.pool.id, this.#pool)
    await applyDeployment(this.#home, id, changed)
  }

  /** All that it had in memory is gone. */
  async #restart(): Promise<void> {
    if (this.#inside === undefined) {
      return
    }
    this.#note('restart')
    const { state, env } = this.#inside
    this.#inside = { state, env, home: this.#awaken(state, env) }
    await Promise.resolve()
  }

  /** What the object's tables hold is what the model holds, and the alarm will come in time. */
  async #check(): Promise<void> {
    const storage = this.#inside?.state.storage
    const rows =
      storage?.sql
        .exec<Row>(
          `SELECT id, state_type, live, agent_id, body ->> '$.fence' AS fence, timer_at FROM run`,
        )
        .toArray() ?? []
    const over = new Set(this.model.forget())
    for (const id of over) {
      this.#home.store.remove(id)
    }
    const here = new Map(rows.map((row) => [row.id, row]))
    for (const run of this.model.runs.values()) {
      expect(here.get(run.id), keyOf(run)).toMatchObject({
        state_type: run.type,
        live: run.live ? 1 : 0,
        agent_id: run.agent,
        fence: run.fence,
      })
    }
    const unknown = rows.filter(({ id }) => !this.model.runs.has(id) && !over.has(id))
    expect(unknown.filter(({ state_type: type, live }) => live === 1 || !ENDS.has(type))).toEqual(
      [],
    )
    const timers = rows.map(({ timer_at: at }) => at).filter((at) => at !== null)
    if (timers.length > 0) {
      const first = Math.max(Math.ceil(Math.min(...timers) / 1000), this.#now + 2)
      expect(await storage?.getAlarm()).toBeLessThanOrEqual(first)
    }
  }

  #newRun(): NewFlowRun {
    const queue = this.#oneOf(this.model.queues)
    const deployment = this.#oneOf([null, null, ...this.#deployments]) ?? null
    const random10 = crypto.getRandomValues(new Uint8Array(10))
    const id = flowRunId(this.#context.home_key, this.#now, random10)
    const blank = newFlowRunRecord(id, this.#now * 1000)
    // Many at the same time, so that their order of arrival alone tells them apart.
    const due = this.#now + (this.#pick(3) === 0 ? 4000 * this.#pick(10) : -this.#now % 60_000)
    const isFirst = deployment?.deployment.id === this.#deployments[0]?.deployment.id
    const until = !isFirst && this.#pick(3) === 0 ? due + 4000 * (1 + this.#pick(15)) : null
    return {
      record: {
        ...blank,
        name: 'walk',
        concurrency_key: deployment === null ? null : (this.#oneOf([null, 'a', 'b', 'c']) ?? null),
        start_before: until === null ? null : formatTimestamp(until * 1000),
        flow_id: this.#deployments[0]?.deployment.flow_id ?? '',
        deployment_id: deployment?.deployment.id ?? null,
        work_queue_id: queue?.id ?? null,
        work_pool_id: this.#pool.pool.id,
        empirical_policy: { ...blank.empirical_policy, infrastructure_retries: this.#pick(3) },
      },
      flow_name: 'walk',
      deployment_name: null,
      state: { type: 'SCHEDULED', state_details: { scheduled_time: formatTimestamp(due * 1000) } },
    }
  }

  /** Who really holds it, or somebody who does not. */
  #claimant(run: ModelRun): [agent: string, fence: number] {
    const wrong = this.#pick(10)
    const agent = wrong === 0 ? this.#anAgent() : (run.agent ?? this.#anAgent())
    return [agent, run.fence + (wrong === 1 ? 1 : 0)]
  }

  #known(id: string): ModelRun {
    const run = this.model.runs.get(id)
    if (run === undefined) {
      throw new Error(`there is no run ${id}`)
    }
    return run
  }

  #anAgent(): string {
    return this.#oneOf(this.#agents) ?? ''
  }

  #oneOf<T>(list: readonly T[]): T | undefined {
    return list[this.#pick(Math.max(1, list.length))]
  }
}

interface Row extends Record<string, SqlStorageValue> {
  id: string
  state_type: string
  live: number
  agent_id: string | null
  fence: number
  timer_at: number | null
}

const ENDS: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'])

function times<T>(count: number, make: () => T): T[]
function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

function keyOf({ id, fence }: ModelRun): string {
  return `${id}.${fence}`
}

function identity(agent: string) {
  return { agent_id: agent, name: `agent-${agent.slice(0, 8)}`, version: '0.1.0' }
}

interface Start {
  context: HomeContext
  pool: HomeWorkPool
  deployments: HomeDeployment[]
}

async function aStart(): Promise<Start> {
  const { client, workspace } = await aWorkspace()
  const name = `pool ${crypto.randomUUID()}`
  await client.createWorkPool({ name, type: 'process' })
  for (const queue of ['urgent', 'bulk']) {
    await client.createWorkQueue(name, { name: queue })
  }
  const flow = await client.createFlow({ name: 'walk' })
  const deployments: HomeDeployment[] = []
  for (const deployment of ['one', 'other']) {
    const { id } = await client.createDeployment({
      name: deployment,
      flow_id: flow.id,
      work_pool_name: name,
    })
    const found = await readHomeDeployment(workspace, id)
    if (found !== undefined) {
      deployments.push(found)
    }
  }
  const pool = await readHomeWorkPoolByName(workspace, name)
  if (pool === undefined || deployments.length < 2) {
    throw new Error(`work pool '${name}' or its deployments can't be read`)
  }
  return { context: homeContext(workspace, pool.home_key), pool, deployments }
}

describe('the home beside its model', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it.for(Array.from({ length: WALKS }, (_, index) => index + 1))(
    'walk %i: nothing is lost, doubled, over a limit or out of order',
    { timeout: 300_000 },
    async (seed) => {
      const walk = new Walk(seed, await aStart())
      try {
        for (let entry = 0; entry < ENTRIES; entry += 1) {
          await walk.go(STEPS)
        }
      } catch (error) {
        throw new Error(`seed ${seed}, step ${walk.steps}:\n${walk.trace.join('\n')}`, {
          cause: error,
        })
      }
      expect(walk.steps).toBe(ENTRIES * STEPS)
    },
  )
})
