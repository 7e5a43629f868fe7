import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { homeKeyOf } from '#core/flow-run-id.ts'
import { findFlowRun } from '#storage/flow-runs.ts'
import type { WorkPool } from '../../worker/durable/work-pool.ts'
import { homeStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, bindings, clientOf, type TestWorkspace } from '../support/workspace.ts'

// The home while its store is away, hangs or refuses rows. The fault stands before the one statement by which homes write
// runs; whatever else is asked of the store goes through.

type Fault = 'fails' | 'hangs' | ((json: string) => Error | undefined)

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** How long a statement of a store that hangs takes before it is given up; D1 takes 30 s. */
const HANG_MS = 3000

/** A database that takes no runs, or only some. */
function faulty(database: D1Database, fault: Fault): D1Database {
  const write = async (real: D1PreparedStatement, json: string): Promise<unknown> => {
    if (fault === 'hangs') {
      await sleep(HANG_MS)
    }
    const error = typeof fault === 'function' ? fault(json) : new Error('D1_ERROR: Network lost.')
    if (error !== undefined) {
      throw error
    }
    return await real.bind(json).run()
  }
  return new Proxy(database, {
    get: (target, key) => {
      if (key !== 'prepare') {
        const method: unknown = Reflect.get(target, key)
        return typeof method === 'function' ? method.bind(target) : method
      }
      return (query: string) => {
        const real = target.prepare(query)
        return query.startsWith('INSERT INTO flow_run (')
          ? { bind: (json: string) => ({ run: async () => await write(real, json) }) }
          : real
      }
    },
  })
}

const realDatabase = bindings.DB

class FaultyHome {
  readonly test: TestWorkspace
  readonly pool: string
  readonly deploymentId: string
  readonly flowId: string
  readonly stub: DurableObjectStub<WorkPool>
  readonly agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }

  constructor(
    test: TestWorkspace,
    pool: string,
    deployment: { id: string; flow_id: string },
    key: string,
  ) {
    this.test = test
    this.pool = pool
    this.deploymentId = deployment.id
    this.flowId = deployment.flow_id
    this.stub = asStub(homeStub(test.workspace, key)) as DurableObjectStub<WorkPool>
  }

  /** Puts a fault between homes and their store; undefined takes it away. */
  async break(fault: Fault | undefined): Promise<void> {
    broken = { restore: async () => await this.break(undefined) }
    await runInDurableObject(this.stub, (object) => {
      const { env } = object as unknown as { env: { DB: D1Database } }
      env.DB = fault === undefined ? realDatabase : faulty(realDatabase, fault)
    })
  }

  async alarm(): Promise<void> {
    await runDurableObjectAlarm(this.stub)
    // It does not wait for what it has started.
    await sleep(50)
  }

  /** Lets the alarm ring until nothing is left to flush. */
  async settle(): Promise<void> {
    for (let rings = 0; rings < 8 && (await this.#unflushed()); rings += 1) {
      const at = await runInDurableObject(this.stub, (_, state) => state.storage.getAlarm())
      vi.setSystemTime(Math.max(Date.now(), at ?? 0) + 1)
      await this.alarm()
    }
    expect(await this.#unflushed()).toBe(false)
  }

  async #unflushed(): Promise<boolean> {
    return await runInDurableObject(
      this.stub,
      (_, state) =>
        state.storage.sql
          .exec("SELECT 1 FROM meta WHERE key = 'dirty' AND value NOT LIKE 'clean%'")
          .toArray().length > 0,
    )
  }

  /** Lets the alarm ring until all runs have left: one stays until its last event has been told, too. */
  async empties(): Promise<void> {
    await expect
      .poll(async () => {
        vi.setSystemTime(Date.now() + 1000)
        await this.alarm()
        return await this.runsAtHome()
      })
      .toEqual([])
  }

  async runsAtHome(): Promise<string[]> {
    return await runInDurableObject(this.stub, (_, state) =>
      state.storage.sql
        .exec<{ id: string }>('SELECT id FROM run')
        .toArray()
        .map(({ id }) => id),
    )
  }

  async stored(id: string) {
    return await findFlowRun(this.test.workspace, id, Date.now() * 1000)
  }

  get client() {
    return this.test.client
  }

  async claim() {
    return (await this.client.claim(this.pool, { agent: this.agent, limit: 10 })).runs
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  // A day ahead, so that no alarm rings by itself.
  vi.setSystemTime(Date.now() + 86_400_000)
})
afterEach(async () => {
  vi.useRealTimers()
  await broken?.restore()
  broken = undefined
})

let broken: { restore: () => Promise<void> } | undefined

async function aHome(): Promise<FaultyHome> {
  const test = await aWorkspace()
  const { client } = test
  const pool = await client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' })
  const flow = await client.createFlow({ name: 'flow' })
  const deployment = await client.createDeployment({
    name: 'deployment',
    flow_id: flow.id,
    work_pool_name: pool.name,
    enforce_parameter_schema: false,
  })
  const first = await client.createFlowRunFromDeployment(deployment.id, {
    state: { type: 'COMPLETED' },
  })
  return new FaultyHome(test, pool.name, deployment, homeKeyOf(first.id))
}

const waiting = { state_type: 'SCHEDULED' }

describe('while the store hangs', () => {
  it('makes runs, hands them out and ends them, and tells the store of all that later', async () => {
    const home = await aHome()
    await home.break('hangs')
    const start = Date.now()
    const made = await Promise.all(
      [1, 2, 3].map(async () => await home.client.createFlowRunFromDeployment(home.deploymentId)),
    )
    expect(Date.now() - start).toBeLessThan(2000)
    for (const { id } of made) {
      expect(await home.client.readFlowRun(id)).toMatchObject(waiting)
      expect(await home.stored(id)).toBeUndefined()
    }

    const runs = await home.claim()
    expect(runs.map(({ flow_run }) => flow_run.id).toSorted()).toEqual(
      made.map(({ id }) => id).toSorted(),
    )
    const executions = runs.map(({ fence, flow_run }) => ({ flow_run_id: flow_run.id, fence }))
    const { agent_id } = home.agent
    await home.client.accept(home.pool, { agent_id, executions })
    for (const { flow_run, run_token } of runs) {
      const running = await clientOf(run_token).setFlowRunState(flow_run.id, { type: 'RUNNING' })
      expect(running.status).toBe('ACCEPT')
    }
    const ends = executions.map((execution) => ({ ...execution, exit_code: 1 }))
    const { results } = await home.client.finish(home.pool, { agent_id, executions: ends })
    expect(results.map(({ answer }) => answer)).toEqual(['ended', 'ended', 'ended'])

    await home.break(undefined)
    await sleep(HANG_MS)
    await home.settle()
    for (const { id } of made) {
      expect(await home.stored(id)).toMatchObject({ state_type: 'CRASHED', run_count: 1 })
      expect(await home.client.readFlowRun(id)).toMatchObject({ state_type: 'CRASHED' })
    }
    // They leave home once what they had started was ended as well.
    vi.setSystemTime(Date.now() + 10_000)
    await home.alarm()
    await home.settle()
    await home.empties()
  })
})

describe('while the store fails', () => {
  it('loses nothing when the object dies in the middle', async () => {
    const home = await aHome()
    await home.break('fails')
    const made = await home.client.createFlowRunFromDeployment(home.deploymentId)
    const [claimed] = await home.claim()
    expect(claimed?.flow_run.id).toBe(made.id)
    const executions = [{ flow_run_id: made.id, fence: claimed?.fence ?? 0 }]
    const { agent_id } = home.agent
    const { results } = await home.client.accept(home.pool, { agent_id, executions })
    expect(results).toMatchObject([{ answer: 'go' }])
    expect(await home.stored(made.id)).toBeUndefined()

    await evictDurableObject(home.stub)
    expect(await home.client.readFlowRun(made.id)).toMatchObject({ state_type: 'PENDING' })
    await home.break(undefined)
    await home.settle()
    expect(await home.stored(made.id)).toMatchObject({ state_type: 'PENDING' })
    const renewed = await home.client.renew(home.pool, { agent: home.agent, executions })
    expect(renewed.results).toMatchObject([{ answer: 'keep' }])
  })

  it('keeps a deleted run deleted', async () => {
    const home = await aHome()
    const made = await home.client.createFlowRunFromDeployment(home.deploymentId)
    expect(await home.stored(made.id)).toMatchObject(waiting)
    await home.break('fails')
    await home.client.deleteFlowRun(made.id)
    await expect(home.client.readFlowRun(made.id)).rejects.toThrow('not found')
    await home.break(undefined)
    await home.settle()
    expect(await home.stored(made.id)).toBeUndefined()
    await expect(home.client.readFlowRun(made.id)).rejects.toThrow('not found')
    await home.empties()
  })

  it('tries again and again, ever more seldom', async () => {
    const home = await aHome()
    await home.break('fails')
    await home.client.createFlowRunFromDeployment(home.deploymentId)
    const waits: number[] = []
    for (let tries = 0; tries < 7; tries += 1) {
      const at = await runInDurableObject(home.stub, (_, state) => state.storage.getAlarm())
      waits.push((at ?? Number.NaN) - Date.now())
      vi.setSystemTime((at ?? 0) + 1)
      await home.alarm()
    }
    // The alarm rings for other things in between.
    expect(Math.max(...waits)).toBeGreaterThan(3000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_001)
  })
})

describe('a row that the store refuses', () => {
  it('is set aside, and all others go through', async () => {
    const home = await aHome()
    await home.break('fails')
    const made = await Promise.all(
      Array.from(
        { length: 7 },
        async (_, index) =>
          await home.client.createFlowRunFromDeployment(home.deploymentId, {
            name: `run ${index}`,
          }),
      ),
    )
    await home.break((json) =>
      json.includes('"run 3"') ? new Error('D1_ERROR: SQLITE_CONSTRAINT: no') : undefined,
    )
    await home.settle()
    for (const { id, name } of made) {
      const stored = await home.stored(id)
      expect(stored?.name).toBe(name === 'run 3' ? undefined : name)
      // At home it is there and can be worked with.
      expect(await home.client.readFlowRun(id)).toMatchObject({ name })
    }
    expect(await home.claim()).toHaveLength(7)
    // With its next change it is tried again.
    await home.break(undefined)
    await home.settle()
    expect(await home.stored(made[3]?.id ?? '')).toMatchObject({ state_type: 'PENDING' })
  })
})

describe('leases', () => {
  it('are extended when the whole control plane was away, so that no run is given up for that', async () => {
    const home = await aHome()
    const made = await home.client.createFlowRunFromDeployment(home.deploymentId)
    const [claimed] = await home.claim()
    const executions = [{ flow_run_id: made.id, fence: claimed?.fence ?? 0 }]
    const { agent_id } = home.agent
    await home.client.accept(home.pool, { agent_id, executions })
    await clientOf(claimed?.run_token).setFlowRunState(made.id, { type: 'RUNNING' })

    // No alarm rings for an hour; then it does, before the agent gets through.
    vi.setSystemTime(Date.now() + 3_600_000)
    await home.alarm()
    expect(await home.client.readFlowRun(made.id)).toMatchObject({ state_type: 'RUNNING' })
    const renewed = await home.client.renew(home.pool, { agent: home.agent, executions })
    expect(renewed.results).toMatchObject([{ answer: 'keep' }])

    // An agent that stays away is given up a lease later.
    vi.setSystemTime(Date.now() + 46_000)
    await home.alarm()
    expect(await home.client.readFlowRun(made.id)).toMatchObject({ state_type: 'CRASHED' })
  })
})

describe('a pool that is deleted', () => {
  it('leaves its waiting runs to be seen and cancelled, and lets the live ones end', async () => {
    const home = await aHome()
    const live = await home.client.createFlowRunFromDeployment(home.deploymentId)
    const [claimed] = await home.claim()
    const executions = [{ flow_run_id: live.id, fence: claimed?.fence ?? 0 }]
    const { agent_id } = home.agent
    await home.client.accept(home.pool, { agent_id, executions })
    const inside = clientOf(claimed?.run_token)
    await inside.setFlowRunState(live.id, { type: 'RUNNING' })
    const waits = await home.client.createFlowRunFromDeployment(home.deploymentId)

    await home.client.deleteWorkPool(home.pool)
    await home.settle()
    for (const id of [waits.id, live.id]) {
      const seen = { work_pool_id: null, work_queue_id: null, work_pool_name: null }
      expect(await home.client.readFlowRun(id)).toMatchObject(seen)
      expect(await home.stored(id)).toMatchObject(seen)
    }
    const cancelled = await home.client.setFlowRunState(waits.id, { type: 'CANCELLING' })
    expect(cancelled.state).toMatchObject({ type: 'CANCELLED' })
    expect(await inside.setFlowRunState(live.id, { type: 'COMPLETED' })).toMatchObject({
      status: 'ACCEPT',
    })
    expect(await home.claim().catch(() => [])).toEqual([])
    vi.setSystemTime(Date.now() + 6000)
    await expect(home.claim()).rejects.toThrow('not found')
    await home.settle()
    expect(await home.client.readFlowRun(live.id)).toMatchObject({ state_type: 'COMPLETED' })
    expect(await home.client.readFlowRun(waits.id)).toMatchObject({ state_type: 'CANCELLED' })
  })
})
