import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { ClaimResult } from '../core/wire/execution.ts'
import { until } from '../test/support/node/until.ts'
import type { BenchContext, MeasuredServer } from './context.ts'
import { type BenchDeployment, makeDeployment } from './deployment.ts'
import { multiplyRow } from './fill.ts'
import { headgateLifeCycle } from './life-cycle.ts'
import type { BenchResult, Figures } from './result.ts'
import { latency } from './statistics.ts'

const DEPTHS = [100, 10_000, 1_000_000]
const HISTORY = 1_000_000
const WARM_UP = 50
const SAMPLES = 200
const GOAL = 1.5
const AGENT_ID = randomUUID()

/** What a claim costs with so many runs waiting in the pool, and with so many finished ones behind it. */
export async function depth(context: BenchContext): Promise<BenchResult> {
  const figures: Figures = {}
  const pools: Pool[] = []
  for (const waiting of DEPTHS) {
    const deployment = await makeDeployment(await context.headgate())
    const template = await createRun(await context.headgate(), deployment)
    pools.push({
      name: `${waiting.toLocaleString('en')} runs waiting`,
      deployment,
      template,
      waiting,
    })
  }
  const finished = await finishOne(await context.headgate())
  // What was told of the template must not be told again of each copy.
  await wait(3000)
  await context.stopHeadgate()
  for (const { template, waiting } of pools) {
    const id = "printf('%08x', n) || substr(id, 9)"
    multiplyRow(context.headgateState, {
      table: 'run',
      id: template,
      times: waiting - 1,
      set: {
        id,
        body: `json_set(body, '$.record.id', ${id})`,
        position: 'position + n',
        // That they are late was said long ago.
        timer_at: 'NULL',
      },
    })
  }
  await measure(context, pools, figures)
  await context.stopHeadgate()
  multiplyRow(context.headgateState, { table: 'flow_run', id: finished, times: HISTORY })
  const history = `${HISTORY.toLocaleString('en')} finished`
  await measure(
    context,
    pools.slice(0, 1).map((pool) => ({ ...pool, name: `${pool.name}, ${history}` })),
    figures,
  )
  const p50 = (name: string) => figures[name]?.['p50_ms'] ?? Number.NaN
  const [least = '', ...others] = Object.keys(figures)
  return {
    figures,
    goals: others.map((name) => ({
      what: `claim with ${name}, beside ${least}`,
      goal: `≤ ${GOAL} times`,
      reached: p50(name) / p50(least),
      met: p50(name) / p50(least) <= GOAL,
    })),
    notes: [
      'The runs are multiplied in the stopped server’s databases. Each claim is a request of its own that takes one run, after which another is made; the pools take turns. First claim: the one that wakes the home after a restart.',
    ],
  }
}

interface Pool {
  name: string
  deployment: BenchDeployment
  /** One of its waiting runs. */
  template: string
  waiting: number
}

async function measure(context: BenchContext, pools: Pool[], figures: Figures): Promise<void> {
  const server = await context.headgate()
  const first = new Map<Pool, number>()
  const took = new Map<Pool, number[]>(pools.map((pool) => [pool, []]))
  for (let sample = -WARM_UP; sample < SAMPLES; sample += 1) {
    for (const pool of pools) {
      const milliseconds = await claimOne(server, pool.deployment)
      if (!first.has(pool)) {
        first.set(pool, milliseconds)
      }
      if (sample >= 0) {
        took.get(pool)?.push(milliseconds)
      }
      await createRun(server, pool.deployment)
    }
  }
  for (const [pool, milliseconds] of took) {
    figures[pool.name] = { ...latency(milliseconds), first_claim_ms: first.get(pool) ?? null }
  }
}

/** @returns how many milliseconds the claim took */
async function claimOne({ http }: MeasuredServer, { pool }: BenchDeployment): Promise<number> {
  const agent = { agent_id: AGENT_ID, name: 'bench', version: 'bench' }
  const began = performance.now()
  const { runs } = await http.json<ClaimResult>('POST', `work_pools/${pool}/claim`, {
    agent,
    limit: 1,
  })
  const milliseconds = performance.now() - began
  const [claimed] = runs
  if (claimed === undefined) {
    throw new Error('a claim found nothing')
  }
  await http.json('POST', `work_pools/${pool}/finish`, {
    agent_id: AGENT_ID,
    executions: [{ flow_run_id: claimed.flow_run.id, fence: claimed.fence, exit_code: 0 }],
  })
  return milliseconds
}

async function createRun({ http }: MeasuredServer, { id }: BenchDeployment): Promise<string> {
  const run = await http.json<{ id: string }>('POST', `deployments/${id}/create_flow_run`, {})
  return run.id
}

/** A run that is over and in the store. */
async function finishOne(server: MeasuredServer): Promise<string> {
  const deployment = await makeDeployment(server)
  await headgateLifeCycle(server, deployment)()
  let id: string | undefined
  const isListed = async () => {
    const [run] = await server.http.json<{ id: string }[]>('POST', 'flow_runs/filter', {
      flow_runs: {
        state: { type: { any_: ['COMPLETED'] } },
        deployment_id: { any_: [deployment.id] },
      },
    })
    id = run?.id
    return id !== undefined
  }
  await until('the run is in the store', isListed)
  // Its home lets go of it.
  await wait(2000)
  return id ?? ''
}
