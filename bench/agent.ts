import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { BuiltAgent } from '../test/support/node/built-agent.ts'
import { HEADGATE, kill } from '../test/support/node/sandbox.ts'
import { until } from '../test/support/node/until.ts'
import { listProcesses } from '../worker/local/processes.ts'
import type { BenchContext, MeasuredServer } from './context.ts'
import { makeDeployment } from './deployment.ts'
import type { BenchResult, Figures } from './result.ts'
import { latency } from './statistics.ts'

const SUPERVISED = [1, 100, 500]
/** How long the processor time of an agent is counted. */
const WATCHED_MS = 10_000
/** An agent that has just started or has just taken runs is not at rest yet. */
const REST_MS = 3000
const STARTS = 10
const TYPESCRIPT_RUNS = 20
const GOALS = { idleMegabytes: 80, runningMs: 250 }
const TICKS_PER_SECOND = 100

const FLOW = `import { flow } from ${JSON.stringify(join(dirname(HEADGATE), 'index.js'))}
export const bench = flow({ name: 'bench' }, () => 1)
`

/** What an agent costs its host, and how soon it and the runs that it starts are there. */
export async function agent(context: BenchContext): Promise<BenchResult> {
  const headgate = await context.headgate()
  const figures: Figures = {}
  figures['TypeScript run: taken → Running'] = latency(await measureRuns(context, headgate))
  context.log('TypeScript runs measured')
  figures['Agent: start → first run taken'] = latency(await measureStarts(context, headgate))
  context.log('starts measured')
  figures['Agent, idle'] = await measureSupervising(context, headgate, 0)
  for (const runs of SUPERVISED) {
    figures[`Agent with ${runs} runs`] = await measureSupervising(context, headgate, runs)
    context.log(`${runs} runs supervised`)
  }
  figures["Prefect's worker, idle"] = await measureWorker(context)

  const figure = (row: string, name: string) => figures[row]?.[name] ?? Number.NaN
  const idle = figure('Agent, idle', 'rss_mb')
  const running = figure('TypeScript run: taken → Running', 'p50_ms')
  return {
    figures,
    vs_prefect: { 'memory when idle': figure("Prefect's worker, idle", 'rss_mb') / idle },
    goals: [
      {
        what: "idle agent's memory",
        goal: `< ${GOALS.idleMegabytes} MB`,
        reached: idle,
        met: idle < GOALS.idleMegabytes,
      },
      {
        what: 'claim → Running of a TypeScript run, p50',
        goal: `< ${GOALS.runningMs} ms`,
        reached: running,
        met: running < GOALS.runningMs,
      },
    ],
    notes: [
      'rss: the resident memory of the process alone; pss: its share where pages are shared; with runs: all that the runs consist of (supervisors, guards and the command `sleep`) by pss; cpu: of one core, over 10 s at rest.',
      'Start: from the start of the process until the state Pending of a run that waits for it. Running: from the state Pending, which the agent is given before it may start anything, to the state Running, which the flow’s process reports.',
    ],
  }
}

async function measureSupervising(context: BenchContext, server: MeasuredServer, runs: number) {
  const deployment = await makeDeployment(server, { command: 'sleep 600' })
  for (let run = 0; run < runs; run += 1) {
    await server.http.json('POST', `deployments/${deployment.id}/create_flow_run`, {})
  }
  const supervising = startAgent(context, server, deployment.pool)
  await until(
    'all runs are started',
    () => supervising.said.split('run started').length > runs,
    180_000,
  )
  await wait(REST_MS)
  const pid = pidOf(deployment.pool)
  const figures = await watch(pid)
  const parts = partsOfRuns(context)
  const ofRuns = parts.reduce((sum, part) => sum + memory(part.pid).pss_mb, 0)
  await supervising.crash()
  for (const part of partsOfRuns(context)) {
    kill(part.pid)
  }
  return { ...figures, with_runs_pss_mb: figures.pss_mb + ofRuns, processes: parts.length }
}

async function measureWorker(context: BenchContext) {
  const prefect = await context.prefect()
  if (prefect === undefined) {
    throw new Error('prefect server does not start')
  }
  const { pool } = await makeDeployment(prefect)
  const worker = context.spawn(
    context.python('prefect'),
    ['worker', 'start', '--pool', pool, '--type', 'process'],
    { ...prefect.environment, PREFECT_HOME: context.sandbox.path('worker') },
  )
  await until('the worker is there', () => worker.said.includes('started!'), 60_000)
  await wait(REST_MS)
  const figures = await watch(worker.pid)
  await worker.stop()
  return { ...figures, with_runs_pss_mb: null, processes: 0 }
}

async function measureStarts(context: BenchContext, server: MeasuredServer): Promise<number[]> {
  const deployment = await makeDeployment(server)
  const took: number[] = []
  for (let start = 0; start < STARTS; start += 1) {
    const run = await createRun(server, deployment.id)
    const began = Date.now()
    const started = startAgent(context, server, deployment.pool)
    took.push((await stateSince(server, run, 'PENDING')) - began)
    await started.stop()
  }
  return took
}

async function measureRuns(context: BenchContext, server: MeasuredServer): Promise<number[]> {
  const project = context.sandbox.path('project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{"type": "module"}')
  writeFileSync(join(project, 'flow.ts'), FLOW)
  const { pool, flow_id } = await makeDeployment(server)
  const { id } = await server.http.json<{ id: string }>('POST', 'deployments/', {
    name: 'typescript',
    flow_id,
    work_pool_name: pool,
    entrypoint: 'flow.ts:bench',
    path: project,
  })
  const started = startAgent(context, server, pool)
  const took: number[] = []
  for (let run = -1; run < TYPESCRIPT_RUNS; run += 1) {
    const flowRun = await createRun(server, id)
    const running = await stateSince(server, flowRun, 'RUNNING')
    const pending = await stateSince(server, flowRun, 'PENDING')
    await stateSince(server, flowRun, 'COMPLETED')
    // The first one fills the disk's caches.
    if (run >= 0) {
      took.push(running - pending)
    }
  }
  await started.stop()
  return took
}

function startAgent(context: BenchContext, { environment }: MeasuredServer, pool: string) {
  return BuiltAgent.start(context.sandbox, { pool, environment })
}

async function createRun({ http }: MeasuredServer, deployment: string): Promise<string> {
  const path = `deployments/${deployment}/create_flow_run`
  return (await http.json<{ id: string }>('POST', path, {})).id
}

/** When the run has come into this state, in epoch milliseconds; waits for it. */
async function stateSince({ http }: MeasuredServer, run: string, type: string): Promise<number> {
  let since: number | undefined
  const isThere = async () => {
    const path = `flow_run_states/?flow_run_id=${run}`
    const states = await http.json<{ type: string; timestamp: string }[]>('GET', path)
    const found = states.find((state) => state.type === type)
    since = found === undefined ? undefined : Date.parse(found.timestamp)
    return since !== undefined
  }
  await until(`the run is ${type}`, isThere)
  return since ?? Number.NaN
}

async function watch(pid: number) {
  const before = cpuSeconds(pid)
  await wait(WATCHED_MS)
  const cpu_percent = ((cpuSeconds(pid) - before) / (WATCHED_MS / 1000)) * 100
  return { ...memory(pid), cpu_percent }
}

/** Linux only, as the whole bench is. */
function memory(pid: number): { rss_mb: number; pss_mb: number } {
  const text = readText(`/proc/${pid}/smaps_rollup`)
  const megabytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1000
  return { rss_mb: megabytes('Rss'), pss_mb: megabytes('Pss') }
}

function cpuSeconds(pid: number): number {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The process has ended.
    return ''
  }
}

/** The processes of all runs: supervisors, guards, commands. */
function partsOfRuns({ sandbox }: BenchContext) {
  return listProcesses().filter(
    ({ command }) => command.includes(sandbox.folder) && command.includes('HEADGATE_FLOW_RUN_ID='),
  )
}

function pidOf(pool: string): number {
  const found = listProcesses().find(({ command }) =>
    command.includes(`agent start --pool ${pool} `),
  )
  if (found === undefined) {
    throw new Error('the agent is not among the processes')
  }
  return found.pid
}
