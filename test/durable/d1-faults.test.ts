import { afterEach, expect, it } from 'vitest'
import { ApiError } from '#core/client.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import { d1, setD1Faults, type D1Faults } from '../support/d1-faults.ts'
import { aWorkspace, clientOf } from '../support/workspace.ts'

// Load, while calls of D1 fail, hang, come late or lose their answers at random.

afterEach(() => setD1Faults({}))

const RUNS = 24
const LIMIT = 7
const PHASES: D1Faults[] = [
  { fail: 0.2, lose: 0.1, slow: 0.1, slow_ms: 50 },
  { hang: 0.15, hang_ms: 300, fail: 0.1 },
  { full: 0.5, lose: 0.2 },
  { fail: 1 },
]

/** Asks until it is answered; all that may come instead is that the store is away. */
async function ask<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 503) {
      throw error
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
    return await ask(attempt)
  }
}

it('no run is lost, none runs twice, no limit is exceeded, and D1 has everything in the end', async () => {
  const { client } = await aWorkspace()
  const pool = await client.createWorkPool({
    name: `pool ${crypto.randomUUID()}`,
    type: 'process',
    concurrency_limit: LIMIT,
  })
  const flow = await client.createFlow({ name: 'flow' })
  const deployment = await client.createDeployment({
    name: 'deployment',
    flow_id: flow.id,
    work_pool_name: pool.name,
    enforce_parameter_schema: false,
  })
  const began = new Map<string, number>()
  const ended = new Set<string>()
  const made: FlowRun[] = []
  let live = 0
  let mostLive = 0

  const makeRuns = async () => {
    for (let index = 0; index < RUNS; index += 1) {
      setD1Faults(PHASES[Math.floor((index * PHASES.length) / RUNS)] ?? {})
      made.push(await ask(() => client.createFlowRunFromDeployment(deployment.id)))
    }
  }
  const serve = async (name: string) => {
    const agent = { agent_id: crypto.randomUUID(), name, version: '0.1.0' }
    const { agent_id } = agent
    while (ended.size < RUNS) {
      const { runs } = await ask(() => client.claim(pool.name, { agent, limit: 3 }))
      const executions = runs.map(({ flow_run, fence }) => ({ flow_run_id: flow_run.id, fence }))
      if (runs.length === 0) {
        await new Promise((resolve) => {
          setTimeout(resolve, 20)
        })
        continue
      }
      const { results } = await ask(() => client.accept(pool.name, { agent_id, executions }))
      for (const { flow_run, run_token } of runs) {
        expect(results.find(({ flow_run_id }) => flow_run_id === flow_run.id)?.answer).toBe('go')
        began.set(flow_run.id, (began.get(flow_run.id) ?? 0) + 1)
        live += 1
        mostLive = Math.max(mostLive, live)
        const inside = clientOf(run_token)
        for (const type of ['RUNNING', 'COMPLETED'] as const) {
          const { status } = await ask(() => inside.setFlowRunState(flow_run.id, { type }))
          expect([type, status]).toEqual([type, 'ACCEPT'])
        }
      }
      await ask(() => client.renew(pool.name, { agent, executions }))
      live -= runs.length
      const ends = executions.map((execution) => ({ ...execution, exit_code: 0 }))
      await ask(() => client.finish(pool.name, { agent_id, executions: ends }))
      for (const { flow_run } of runs) {
        ended.add(flow_run.id)
      }
    }
  }
  await Promise.all([makeRuns(), serve('one'), serve('two'), serve('three')])
  expect(d1.calls).toBeGreaterThan(0)

  // At home all is known while D1 is away still.
  for (const { id } of made) {
    expect(began.get(id)).toBe(1)
  }
  expect(mostLive).toBeLessThanOrEqual(LIMIT)

  setD1Faults({})
  await expect
    .poll(
      async () =>
        (await client.filterFlowRuns({ limit: 200 }))
          .map(({ id, state_type, run_count }) => `${id} ${state_type} ${run_count}`)
          .toSorted(),
      { timeout: 100_000, interval: 500 },
    )
    .toEqual(made.map(({ id }) => `${id} COMPLETED 1`).toSorted())
})
