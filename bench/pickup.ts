import { setTimeout as wait } from 'node:timers/promises'
import { BuiltAgent } from '../test/support/node/built-agent.ts'
import { freePort } from '../test/support/node/sandbox.ts'
import { until } from '../test/support/node/until.ts'
import type { BenchContext, MeasuredServer } from './context.ts'
import { makeDeployment, type BenchDeployment } from './deployment.ts'
import { startFloor } from './floor.ts'
import { headgateLifeCycle, prefectLifeCycle } from './life-cycle.ts'
import { MeasuringAgent } from './measuring-agent.ts'
import type { BenchResult, Figures, Goal } from './result.ts'
import { latency } from './statistics.ts'

const WARM_UP = 30
const SAMPLES = 400
/** Between two creations, so that the pool is idle again; a little uneven, as people are. */
const IDLE_GAP_MS = 15
const BUSY_CLIENTS = 4
/** Runs for agents and workers that start a process for each. */
const REAL_SAMPLES = 40
const REAL_GAP_MS = 400
/** At its default settings Prefect's worker asks every 7 to 13 seconds. */
const DEFAULT_SAMPLES = 20
const DEFAULT_GAP_MS = 1000
/** Its worker starts a Python process for each run: more often, and that would be measured. */
const FASTEST_SAMPLES = 20
const FASTEST_GAP_MS = 1000
const GOALS = { p50: 10, p99: 50, times: 300 }
const FLOOR_PORT = 27_480

/** The time from "create flow run" answered to "agent has it". */
export async function pickup(context: BenchContext): Promise<BenchResult> {
  const figures: Figures = {}
  const note = (name: string, took: number[]) => {
    figures[name] = latency(took)
    context.log(`${name}: ${JSON.stringify(figures[name])}`)
  }
  await measureFloors(context, note)
  const headgate = await context.headgate()
  const deployment = await makeDeployment(headgate)
  const idle = await measureHeadgate(headgate, deployment, false)
  note('Headgate, idle pool', idle.afterAnswer)
  note('Headgate, idle pool, from the request', idle.afterRequest)
  const busy = await measureHeadgate(headgate, deployment, true)
  note('Headgate, busy pool', busy.afterAnswer)
  note('Headgate, busy pool, from the request', busy.afterRequest)
  note('Headgate, its own agent with processes', await measureAgent(context, headgate))

  const prefect = await context.prefect()
  if (prefect === undefined) {
    throw new Error('prefect server does not start')
  }
  note(
    'Prefect, worker at default settings',
    await measureWorker(context, prefect, {}, DEFAULT_SAMPLES, DEFAULT_GAP_MS, false),
  )
  const fastest = { PREFECT_WORKER_QUERY_SECONDS: '0.05' }
  note(
    'Prefect, worker at its fastest',
    await measureWorker(context, prefect, fastest, FASTEST_SAMPLES, FASTEST_GAP_MS, false),
  )
  note(
    'Prefect, worker at its fastest, busy server',
    await measureWorker(context, prefect, fastest, FASTEST_SAMPLES, FASTEST_GAP_MS, true),
  )
  return { figures, ...compare(figures), notes: NOTES }
}

const NOTES = [
  'Idle and busy pool: an agent that claims when the doorbell rings, as the real one does, and starts nothing; both times are taken by one clock. A run that is claimed before its creation is answered counts as 0.',
  'With processes, and with Prefect: from the answer until the time of the state Pending, which says that an agent or worker has taken the run.',
  `Prefect's fastest: its worker asks anew as soon as it can (PREFECT_WORKER_QUERY_SECONDS=0.05). Busy: ${BUSY_CLIENTS} clients run life cycles all the while.`,
]

async function measureFloors(
  context: BenchContext,
  note: (name: string, took: number[]) => void,
): Promise<void> {
  const floor = await startFloor(context.sandbox.folder, await freePort(FLOOR_PORT))
  try {
    for (const [name, method] of [
      ['Floor: a bare workerd route', 'GET'],
      ['Floor: a SQLite transaction in a Durable Object', 'POST'],
    ] as const) {
      const took: number[] = []
      for (let sample = -WARM_UP; sample < SAMPLES; sample += 1) {
        const began = performance.now()
        await floor.http.json(method, '/')
        if (sample >= 0) {
          took.push(performance.now() - began)
        }
      }
      note(name, took)
    }
  } finally {
    await floor.stop()
  }
}

async function measureHeadgate(
  server: MeasuredServer,
  deployment: BenchDeployment,
  isBusy: boolean,
): Promise<{ afterAnswer: number[]; afterRequest: number[] }> {
  const agent = new MeasuringAgent(server, deployment.pool)
  await agent.start()
  const load = isBusy ? await startLoad(server, headgateLifeCycle) : undefined
  const afterAnswer: number[] = []
  const afterRequest: number[] = []
  for (let sample = -WARM_UP; sample < SAMPLES; sample += 1) {
    const sent = performance.now()
    const id = await createRun(server, deployment)
    const answered = performance.now()
    await until('the run is claimed', () => agent.had.has(id), 30_000)
    const had = agent.had.get(id) ?? answered
    if (sample >= 0) {
      afterAnswer.push(Math.max(0, had - answered))
      afterRequest.push(had - sent)
    }
    await wait(IDLE_GAP_MS * (0.5 + Math.random()))
  }
  await load?.stop()
  await agent.stop()
  return { afterAnswer, afterRequest }
}

/** Life cycles beside the measurement, of a deployment in a pool of its own. */
async function startLoad(server: MeasuredServer, lifeCycle: typeof headgateLifeCycle) {
  const cycle = lifeCycle(server, await makeDeployment(server))
  const over = new AbortController()
  const clients = Array.from({ length: BUSY_CLIENTS }, async () => {
    while (!over.signal.aborted) {
      await cycle()
    }
  })
  return {
    stop: async () => {
      over.abort()
      await Promise.all(clients)
    },
  }
}

async function measureAgent(context: BenchContext, server: MeasuredServer): Promise<number[]> {
  const deployment = await makeDeployment(server)
  const agent = BuiltAgent.start(context.sandbox, {
    pool: deployment.pool,
    environment: server.environment,
  })
  await wait(3000)
  const took = await measureByState(server, deployment, REAL_SAMPLES, REAL_GAP_MS)
  await agent.stop()
  return took
}

async function measureWorker(
  context: BenchContext,
  server: MeasuredServer,
  settings: Record<string, string>,
  samples: number,
  gapMs: number,
  isBusy: boolean,
): Promise<number[]> {
  const deployment = await makeDeployment(server)
  const worker = context.spawn(
    context.python('prefect'),
    ['worker', 'start', '--pool', deployment.pool, '--type', 'process'],
    { ...server.environment, ...settings, PREFECT_HOME: context.sandbox.path('worker') },
  )
  await until('the worker is there', () => worker.said.includes('started!'), 60_000)
  await wait(1000)
  const load = isBusy ? await startLoad(server, prefectLifeCycle) : undefined
  const took = await measureByState(server, deployment, samples, gapMs)
  await load?.stop()
  await worker.stop()
  return took
}

/** Creates runs one after another; whoever serves the pool takes them; when, the runs' states tell. */
async function measureByState(
  server: MeasuredServer,
  deployment: BenchDeployment,
  samples: number,
  gapMs: number,
): Promise<number[]> {
  const runs: { id: string; answered: number }[] = []
  for (let sample = 0; sample < samples; sample += 1) {
    const id = await createRun(server, deployment)
    runs.push({ id, answered: Date.now() })
    await wait(gapMs * (0.5 + Math.random()))
  }
  const took: number[] = []
  for (const { id, answered } of runs) {
    let pending: number | undefined
    await until(
      'the run is taken',
      async () => {
        pending = await pendingSince(server, id)
        return pending !== undefined
      },
      60_000,
    )
    took.push(Math.max(0, (pending ?? 0) - answered))
  }
  return took
}

async function pendingSince({ http }: MeasuredServer, id: string): Promise<number | undefined> {
  const states = await http.json<{ type: string; timestamp: string }[]>(
    'GET',
    `flow_run_states/?flow_run_id=${id}`,
  )
  const pending = states.find(({ type }) => type === 'PENDING')
  return pending === undefined ? undefined : Date.parse(pending.timestamp)
}

async function createRun({ http }: MeasuredServer, { id }: BenchDeployment): Promise<string> {
  const run = await http.json<{ id: string }>('POST', `deployments/${id}/create_flow_run`, {})
  return run.id
}

function compare(figures: Figures): Pick<BenchResult, 'vs_prefect' | 'goals'> {
  const figure = (row: string, name: string) => figures[row]?.[name] ?? Number.NaN
  // What rounds to nothing is half the clock's resolution at best.
  const ours = Math.max(figure('Headgate, idle pool', 'p50_ms'), 0.05)
  const defaultTimes = figure('Prefect, worker at default settings', 'p50_ms') / ours
  const fastestTimes = figure('Prefect, worker at its fastest', 'p50_ms') / ours
  const goals: Goal[] = ['Headgate, idle pool', 'Headgate, busy pool'].flatMap((row) => [
    below(`${row}, p50 ms`, figure(row, 'p50_ms'), GOALS.p50),
    below(`${row}, p99 ms`, figure(row, 'p99_ms'), GOALS.p99),
  ])
  goals.push({
    what: 'p50 beside Prefect at default settings',
    goal: `≥ ${GOALS.times} times`,
    reached: defaultTimes,
    met: defaultTimes >= GOALS.times,
  })
  return {
    vs_prefect: {
      'default settings, p50': defaultTimes,
      'fastest settings, p50': fastestTimes,
    },
    goals,
  }
}

function below(what: string, reached: number, limit: number): Goal {
  return { what, goal: `< ${limit}`, reached, met: reached < limit }
}
