import { setTimeout as wait } from 'node:timers/promises'
import { until } from '../test/support/node/until.ts'
import type { BenchContext, MeasuredServer } from './context.ts'
import { makeDeployment } from './deployment.ts'
import { multiplyRow } from './fill.ts'
import { MeasuringAgent } from './measuring-agent.ts'
import type { BenchResult, Figures } from './result.ts'
import { latency } from './statistics.ts'

const DEPLOYMENTS = 10_000
/** For the peer, and for Headgate beside it. */
const FEW_DEPLOYMENTS = 100
const CREATING_CLIENTS = 32
/** More would wait for its database's lock, and make it slower. */
const CREATING_CLIENTS_OF_PREFECT = 4
/** Between the first creation, or the start with so many more deployments, and the due second. */
const FEW_AHEAD_SECONDS = 25
const MANY_AHEAD_SECONDS = 45
/** Prefect's scheduler looks for new schedules every 5 seconds. */
const PREFECT_AHEAD_SECONDS = 55
const WORKER_AFTER_SECONDS = 20
const DEADLINE_MS = 180_000

/** Deployments that are due in the same second: how long after it each run is with an agent. */
export async function schedules(context: BenchContext): Promise<BenchResult> {
  const figures: Figures = {}
  const listed: Figures = {}
  const headgate = await context.headgate()
  const few = await makeDue(headgate, FEW_DEPLOYMENTS, secondsAhead(FEW_AHEAD_SECONDS))
  await measureHeadgate(headgate, few, figures, listed)
  const many = await multiplyDue(context, headgate, secondsAhead(MANY_AHEAD_SECONDS))
  await measureHeadgate(await context.headgate(), many, figures, listed)
  // Nothing of it may cost the peer time.
  await context.stopHeadgate()

  const prefect = await context.prefect()
  if (prefect === undefined) {
    throw new Error('prefect server does not start')
  }
  const first = secondsAhead(PREFECT_AHEAD_SECONDS)
  const polled = await makeDue(prefect, FEW_DEPLOYMENTS, first)
  const served = await makeDue(prefect, FEW_DEPLOYMENTS, first + WORKER_AFTER_SECONDS * 1000)
  await listedMs(prefect, polled, listed)
  await listedMs(prefect, served, listed)
  const polling = rowOf(prefect, polled, ', polled without a pause')
  figures[polling] = latency(await measurePolling(prefect, polled))
  const working = rowOf(prefect, served, ', its own worker')
  figures[working] = latency(await measureWorker(context, prefect, served))

  const few200 = figures[rowOf(headgate, few)]
  const times = (row: string, name: string) =>
    (figures[row]?.[name] ?? Number.NaN) / (few200?.[name] ?? Number.NaN)
  return {
    figures: { ...figures, ...listed },
    vs_prefect: {
      [`${FEW_DEPLOYMENTS} due, polled without a pause, p50`]: times(polling, 'p50_ms'),
      [`${FEW_DEPLOYMENTS} due, polled without a pause, p99`]: times(polling, 'p99_ms'),
      [`${FEW_DEPLOYMENTS} due, its own worker, p50`]: times(working, 'p50_ms'),
      [`${FEW_DEPLOYMENTS} due, its own worker, p99`]: times(working, 'p99_ms'),
    },
    notes: NOTES,
  }
}

const NOTES = [
  'Each deployment has one RRULE schedule of one date, all of the same second. Lateness: from the beginning of that second until an agent has the run. One agent that claims when the doorbell rings, up to 100 runs a time, accepts them and reports their end while it claims the next.',
  `The ${DEPLOYMENTS.toLocaleString('en')} deployments are one that was multiplied in the stopped server’s databases, since their creation by requests would take longer than the bench; the server's own alarm makes their runs. The others are created by requests.`,
  'Listed: from the answer to the last creation, or from the start with the multiplied deployments, until all runs are counted as Scheduled by the API, that is from the database; all of them before they were due, or the bench fails.',
  `Prefect, polled without a pause: runs due now are asked for anew as soon as the ones before are Pending, ${CREATING_CLIENTS * 2} at once. Its own worker: at its default settings but for PREFECT_WORKER_PREFETCH_SECONDS=0; by default it takes runs up to 10 seconds early and lets their processes wait for the date.`,
]

/** Deployments of one pool with one date each. */
interface Due {
  pool: string
  flow_id: string
  /** The last one made. */
  id: string
  count: number
  /** Of the due second, in milliseconds. */
  at: number
  /** Of the answer to the last creation; of the server's start. */
  created: number
}

function rowOf({ name }: MeasuredServer, { count }: Due, how = ''): string {
  return `${name}, ${count.toLocaleString('en')} due${how}`
}

function secondsAhead(seconds: number): number {
  return (Math.ceil(Date.now() / 1000) + Math.ceil(seconds)) * 1000
}

async function makeDue(server: MeasuredServer, count: number, at: number): Promise<Due> {
  const { pool, flow_id } = await makeDeployment(server)
  const date = new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const schedule = { rrule: `DTSTART:${date}\nRRULE:FREQ=DAILY;COUNT=1` }
  let next = 0
  let id = ''
  const length = server.name === 'Headgate' ? CREATING_CLIENTS : CREATING_CLIENTS_OF_PREFECT
  const clients = Array.from({ length }, async () => {
    while (next < count) {
      next += 1
      const made = await server.http.json<{ id: string }>('POST', 'deployments/', {
        name: `due-${next}`,
        flow_id,
        work_pool_name: pool,
        entrypoint: 'bench.py:bench',
        job_variables: { command: 'true' },
        schedules: [{ schedule, active: true }],
      })
      id = made.id
    }
  })
  await Promise.all(clients)
  return { pool, flow_id, id, count, at, created: Date.now() }
}

/** Multiplies one deployment in the stopped server's databases; the runs of all of them are made by the server's own alarm. */
async function multiplyDue(
  context: BenchContext,
  server: MeasuredServer,
  at: number,
): Promise<Due> {
  const { id, ...due } = await makeDue(server, 1, at)
  const path = `deployments/${id}`
  const { schedules: dates } = await server.http.json<{ schedules: { id: string }[] }>('GET', path)
  const schedule = dates[0]?.id ?? ''
  await context.stopHeadgate()
  const state = context.headgateState
  const times = DEPLOYMENTS - 1
  const schedule_id = newId(schedule)
  multiplyRow(state, { table: 'deployment', id, times, set: { name: "'due-' || (n + 1)" } })
  multiplyRow(state, {
    table: 'deployment_schedule',
    id: schedule,
    times,
    set: { deployment_id: newId(id) },
  })
  multiplyRow(state, {
    table: 'config',
    id,
    times,
    set: {
      body: `json_set(body, '$.deployment.id', ${newId(id)}, '$.deployment.name', 'due-' || (n + 1),
        '$.deployment.schedules[0].id', ${schedule_id},
        '$.deployment.schedules[0].deployment_id', ${newId(id)})`,
    },
  })
  multiplyRow(state, {
    table: 'schedule_timer',
    key: 'deployment_id',
    id,
    times,
    set: { at: '0', seen: "'{}'" },
  })
  await context.headgate()
  return { ...due, id, count: DEPLOYMENTS, created: Date.now() }
}

/** In SQL: that of the copy with the number `n`. */
function newId(old: string): string {
  return `printf('%08x', n) || '${old.slice(8)}'`
}

/** Waits until all runs are in the database. @throws Error when that takes until they are due */
async function listedMs(server: MeasuredServer, due: Due, listed: Figures): Promise<void> {
  const scheduled = {
    flow_runs: { state: { type: { any_: ['SCHEDULED'] } } },
    work_pools: { name: { any_: [due.pool] } },
  }
  for (;;) {
    const found = await server.http.json<number>('POST', 'flow_runs/count', scheduled)
    if (Date.now() >= due.at) {
      throw new Error(`${server.name} lists ${found} of ${due.count} runs when they are due`)
    }
    if (found === due.count) {
      break
    }
    await wait(50)
  }
  listed[`${rowOf(server, due)}, all listed`] ??= { listed_ms: Date.now() - due.created }
}

async function measureHeadgate(
  server: MeasuredServer,
  due: Due,
  figures: Figures,
  listed: Figures,
): Promise<void> {
  const agent = new MeasuringAgent(server, due.pool)
  // Its claim wakes the home, whose alarm then makes the runs.
  await agent.start()
  await listedMs(server, due, listed)
  await wait(due.at - Date.now())
  const clock = Date.now() - performance.now()
  await until('all due runs are claimed', () => agent.had.size >= due.count, DEADLINE_MS)
  await agent.stop()
  figures[rowOf(server, due)] = latency([...agent.had.values()].map((had) => had + clock - due.at))
}

/** What the peer's worker asks the server for, without a worker: it polls, and proposes Pending for each run that it gets. */
async function measurePolling({ http }: MeasuredServer, due: Due): Promise<number[]> {
  await wait(due.at - Date.now())
  const late: number[] = []
  while (late.length < due.count) {
    if (Date.now() > due.at + DEADLINE_MS) {
      throw new Error(`only ${late.length} of ${due.count} due runs were given out`)
    }
    const runs = await http.json<{ flow_run: { id: string } }[]>(
      'POST',
      `work_pools/${due.pool}/get_scheduled_flow_runs`,
      { scheduled_before: new Date().toISOString() },
    )
    await Promise.all(
      runs.map(async ({ flow_run }) => {
        const { status } = await http.json<{ status: string }>(
          'POST',
          `flow_runs/${flow_run.id}/set_state`,
          { state: { type: 'PENDING' } },
        )
        if (status === 'ACCEPT') {
          late.push(Date.now() - due.at)
        }
      }),
    )
  }
  return late
}

async function measureWorker(
  context: BenchContext,
  server: MeasuredServer,
  due: Due,
): Promise<number[]> {
  const worker = context.spawn(
    context.python('prefect'),
    ['worker', 'start', '--pool', due.pool, '--type', 'process'],
    {
      ...server.environment,
      PREFECT_WORKER_PREFETCH_SECONDS: '0',
      PREFECT_HOME: context.sandbox.path('worker'),
    },
  )
  await until('the worker is there', () => worker.said.includes('started!'), 60_000)
  const filter = { work_pools: { name: { any_: [due.pool] } } }
  const waiting = { ...filter, flow_runs: { state: { type: { any_: ['SCHEDULED'] } } } }
  await wait(due.at - Date.now())
  const isTaken = async () => {
    // Seldom, since each question costs the server time.
    await wait(1000)
    return (await server.http.json<number>('POST', 'flow_runs/count', waiting)) === 0
  }
  await until('all due runs are taken', isTaken, DEADLINE_MS)
  await worker.stop()
  const runs = await server.http.json<{ id: string }[]>('POST', 'flow_runs/filter', filter)
  const late: number[] = []
  for (const { id } of runs) {
    const states = await server.http.json<{ type: string; timestamp: string }[]>(
      'GET',
      `flow_run_states/?flow_run_id=${id}`,
    )
    const pending = states.find(({ type }) => type === 'PENDING')
    if (pending !== undefined) {
      late.push(Date.parse(pending.timestamp) - due.at)
    }
  }
  return late
}
