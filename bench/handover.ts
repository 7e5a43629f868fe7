import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { BuiltAgent } from '../test/support/node/built-agent.ts'
import { until } from '../test/support/node/until.ts'
import type { BenchContext, MeasuredServer } from './context.ts'
import { type BenchDeployment, makeDeployment } from './deployment.ts'
import type { BenchResult, Figures } from './result.ts'
import { latency } from './statistics.ts'

const SAMPLES = 120
/** At its default settings Prefect's worker takes the next run when it asks again: every 7 to 13 seconds. */
const DEFAULT_SAMPLES = 5
const FASTEST_SAMPLES = 20
const FLOOR_SAMPLES = 50
const GOAL_P99_MS = 50

/**
 * Notes when it begins and ends, in microseconds, without another program that would count as work or as idle time: bash reads
 * the clock itself.
 */
const JOB = `began=$EPOCHREALTIME
sleep 0.1
printf '%s %s %s\\n' "$began" "$EPOCHREALTIME" "$PREFECT__FLOW_RUN_ID" >>"$1"
`

/** How long the slot of a queue with limit 1 is idle between two runs, seen by the runs' processes themselves. */
export async function handover(context: BenchContext): Promise<BenchResult> {
  const figures: Figures = {}
  figures['Floor: processes one after another'] = latency(await measureFloor(context))
  const headgate = await context.headgate()
  figures['Headgate'] = latency(await measureHeadgate(context, headgate))
  context.log(`Headgate: ${JSON.stringify(figures['Headgate'])}`)
  const prefect = await context.prefect()
  if (prefect === undefined) {
    throw new Error('prefect server does not start')
  }
  figures['Prefect, worker at default settings'] = latency(
    await measureWorker(context, prefect, 'default', {}, DEFAULT_SAMPLES),
  )
  const fastest = { PREFECT_WORKER_QUERY_SECONDS: '0.05' }
  figures['Prefect, worker at its fastest'] = latency(
    await measureWorker(context, prefect, 'fastest', fastest, FASTEST_SAMPLES),
  )
  const figure = (row: string, name: string) => figures[row]?.[name] ?? Number.NaN
  const reached = figure('Headgate', 'p99_ms')
  const times = (row: string) => figure(row, 'p50_ms') / figure('Headgate', 'p50_ms')
  return {
    figures,
    vs_prefect: {
      'p50, worker at default settings': times('Prefect, worker at default settings'),
      'p50, worker at its fastest': times('Prefect, worker at its fastest'),
    },
    goals: [
      {
        what: 'idle time of the slot, p99',
        goal: `< ${GOAL_P99_MS} ms`,
        reached,
        met: reached < GOAL_P99_MS,
      },
    ],
    notes: [
      "A queue with limit 1 and jobs of 100 ms, all waiting from the start. Idle: from the last statement of one job to the first of the next, by the host's clock, so the end of the old process and the start of the new one (a shell) are in it. Two jobs at once would fail the bench.",
      'Floor: the same job started by Node as soon as the one before has ended, without any server.',
      "Prefect's worker leaves the report of the end to the run's process: the bench makes it as soon as the job has ended. Fastest: the worker asks anew as soon as it can (PREFECT_WORKER_QUERY_SECONDS=0.05).",
    ],
  }
}

async function measureFloor(context: BenchContext): Promise<number[]> {
  const { command, idleTimes } = makeJob(context, 'floor')
  const [program, ...words] = command.split(' ')
  for (let sample = 0; sample <= FLOOR_SAMPLES; sample += 1) {
    const child = spawn(program ?? '', words, { stdio: 'ignore' })
    await once(child, 'exit')
  }
  return idleTimes()
}

async function measureHeadgate(context: BenchContext, server: MeasuredServer): Promise<number[]> {
  const { command, idleTimes } = makeJob(context, 'headgate')
  const deployment = await fillQueue(server, command, SAMPLES + 1)
  const agent = BuiltAgent.start(context.sandbox, {
    pool: deployment.pool,
    environment: server.environment,
  })
  await until('all runs have ended', () => idleTimes().length >= SAMPLES, 300_000)
  await agent.stop()
  return idleTimes()
}

async function measureWorker(
  context: BenchContext,
  server: MeasuredServer,
  name: string,
  settings: Record<string, string>,
  samples: number,
): Promise<number[]> {
  const { command, idleTimes, endedRuns } = makeJob(context, name)
  const deployment = await fillQueue(server, command, samples + 1)
  const worker = context.spawn(
    context.python('prefect'),
    ['worker', 'start', '--pool', deployment.pool, '--type', 'process'],
    { ...server.environment, ...settings, PREFECT_HOME: context.sandbox.path('worker') },
  )
  const reported = new Set<string>()
  const isOver = async () => {
    // Prefect's worker leaves it to the run's process to report its end: here it is done at once, for a process in no time.
    for (const id of endedRuns().filter((run) => !reported.has(run))) {
      reported.add(id)
      const end = { state: { type: 'COMPLETED' }, force: true }
      await server.http.json('POST', `flow_runs/${id}/set_state`, end)
    }
    return idleTimes().length >= samples
  }
  await until('all runs have ended', isOver, 300_000)
  await worker.stop()
  return idleTimes()
}

/** Runs that all wait in a queue which lets one at a time. */
async function fillQueue(
  server: MeasuredServer,
  command: string,
  count: number,
): Promise<BenchDeployment> {
  const deployment = await makeDeployment(server, { command })
  await server.http.json('PATCH', `work_queues/${deployment.queue_id}`, { concurrency_limit: 1 })
  for (let run = 0; run < count; run += 1) {
    await server.http.json('POST', `deployments/${deployment.id}/create_flow_run`, {})
  }
  return deployment
}

interface Job {
  command: string
  /** Milliseconds between the jobs that have ended so far. @throws Error where two have run at once */
  idleTimes: () => number[]
  /** The runs whose jobs have ended so far. */
  endedRuns: () => string[]
}

function makeJob({ sandbox }: BenchContext, name: string): Job {
  const script = sandbox.path(`${name}-job.sh`)
  const journal = sandbox.path(`${name}-journal`)
  writeFileSync(script, JOB)
  writeFileSync(journal, '')
  const readJobs = () => {
    const lines = readFileSync(journal, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => {
      const [began = '', ended = '', run = ''] = line.split(' ')
      return { began: milliseconds(began), ended: milliseconds(ended), run }
    })
  }
  return {
    command: `bash ${script} ${journal}`,
    idleTimes: () => {
      const jobs = readJobs()
      return jobs.slice(1).map(({ began }, index) => {
        const idle = began - (jobs[index]?.ended ?? Number.NaN)
        if (!(idle >= 0)) {
          throw new Error(`the slot was given on ${-idle} ms before it was free (no bash 5?)`)
        }
        return idle
      })
    },
    endedRuns: () => readJobs().map(({ run }) => run),
  }
}

/** Some locales write the seconds with a comma. */
function milliseconds(seconds: string): number {
  return Number(seconds.replace(',', '.')) * 1000
}
