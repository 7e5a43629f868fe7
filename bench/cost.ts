import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../test/support/node/until.ts'
import type { BenchContext, MeasuredServer } from './context.ts'
import { CostAgent, type Workload } from './cost-run.ts'
import type { Counts } from './counting.ts'
import { makeDeployment } from './deployment.ts'
import type { BenchResult, Figures } from './result.ts'

/** Dollars for one, gross of what the plan includes; object time at 128 MB. */
const PRICES = {
  worker_request: 0.3e-6,
  worker_cpu_ms: 0.02e-6,
  object_request: 0.15e-6,
  object_second: 0.128 * 12.5e-6,
  row_read: 0.001e-6,
  row_written: 1e-6,
}
/** Messages over sockets that are billed as one request. */
const MESSAGES_PER_REQUEST = 20

const MONTH_SECONDS = 30 * 24 * 3600
/** While a doorbell is open its home looks for silent ones this often (`durable/home-readiness.ts`): an alarm, set by a row. */
const LOOKS_PER_MONTH = MONTH_SECONDS / 900
/** An agent at its doorbell claims as often, rung or not (`agent/poll.ts`). */
const CLAIMS_PER_MONTH = MONTH_SECONDS / (12 * 3600)
/** The agents of whose cost the table speaks, and the pools that they are spread over. */
const AGENTS = 1000
const POOLS = 10

/** By then what follows a run is done: states told, rows flushed, alarms rung. */
const SETTLE_MS = 8000
/** By then agents that have come are noted, and whoever waits for their pool has been told that it is ready. */
const REST_MS = 45_000
const CREATORS = 32

interface Scenario {
  name: string
  workload: Workload
  runs: number
  /** All are made at once, or each after the last one has settled. */
  load: 'high' | 'low'
  link?: 'long poll'
  /** For what the SDK writes to the log of each run, even if the run says nothing. */
  isSilent?: boolean
}

const NOTHING = { tasks: 0, log_lines: 0 }
const SCENARIOS: Scenario[] = [
  { name: 'no tasks', workload: NOTHING, runs: 500, load: 'high', isSilent: true },
  {
    name: 'no tasks, long poll',
    workload: NOTHING,
    runs: 300,
    load: 'high',
    isSilent: true,
    link: 'long poll',
  },
  { name: 'no tasks, 2 log lines', workload: NOTHING, runs: 300, load: 'high' },
  {
    name: '10 tasks, 20 log lines',
    workload: { tasks: 10, log_lines: 20 },
    runs: 100,
    load: 'high',
  },
  { name: '250 tasks', workload: { tasks: 250, log_lines: 20 }, runs: 10, load: 'high' },
  { name: 'no tasks', workload: NOTHING, runs: 3, load: 'low', isSilent: true },
  { name: '10 tasks, 20 log lines', workload: { tasks: 10, log_lines: 20 }, runs: 2, load: 'low' },
  { name: '250 tasks', workload: { tasks: 250, log_lines: 20 }, runs: 2, load: 'low' },
]

/** What runs and idle agents cost: the operations that Cloudflare bills, counted around the Worker as built, by its prices. */
export async function cost(context: BenchContext): Promise<BenchResult> {
  const server = await context.headgate(join(import.meta.dirname, 'counting-server.ts'))
  const figures: Figures = {}
  context.log('idle agents, doorbell')
  // First, while no other pool has anything to look after.
  const { row: doorbell, leave } = await countIdle(server, 'doorbell', 200, 65)
  let reached = Number.NaN
  let written: Record<string, number> = {}
  for (const scenario of SCENARIOS) {
    const name = `${scenario.name}, ${scenario.load} load`
    context.log(name)
    const { counts, cpuMs } = await countRuns(server, scenario)
    const row = perRun(counts, cpuMs, scenario.runs)
    figures[name] = row
    if (scenario === SCENARIOS[0]) {
      reached = row.dollars_per_million_runs
      written = counts.written_by_table
    }
  }
  const [first] = SCENARIOS
  for (const [table, rows] of Object.entries(written)
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, 12)) {
    figures[`written, ${table}`] = { rows_per_run_without_tasks: rows / (first?.runs ?? 1) }
  }
  context.log('idle agents, long poll')
  const poll = await countIdle(server, 'long poll', 50, 30)
  poll.leave()
  leave()
  figures['idle agents, doorbell'] = doorbell
  figures['idle agents, long poll'] = poll.row
  const idle = doorbell.dollars_per_month_of_1000
  return {
    figures,
    goals: [
      {
        what: 'dollars per million runs without tasks, high load',
        goal: '< 20',
        reached,
        met: reached < 20,
      },
      {
        what: 'dollars a month for 1,000 idle agents, doorbell',
        goal: '< 0.1',
        reached: idle,
        met: idle < 0.1,
      },
    ],
    notes: [
      'Gross of all that the plan includes. Processor time is that of all of workerd, objects and databases too, which are not billed by it: an upper bound.',
      `Idle agents: what was counted, and for ${AGENTS} agents in ${POOLS} pools the look that each home takes each quarter of an hour and the claim that each agent sends each half day.`,
    ],
  }
}

async function countRuns(
  server: MeasuredServer,
  { workload, runs, load, link, isSilent }: Scenario,
): Promise<{ counts: Counts; cpuMs: number }> {
  const deployment = await makeDeployment(server)
  const agent = new CostAgent(server.http, deployment.pool, workload, isSilent === true)
  const socket = link === undefined ? await openDoorbell(server, agent) : undefined
  const working = agent.run(socket)
  const create = () => server.http.json('POST', `deployments/${deployment.id}/create_flow_run`, {})
  // The first run brings what is done once for a pool.
  await create()
  await ended(agent, 1)
  await sleep(SETTLE_MS)
  await takeCounts(server)
  const cpuBefore = server.cpuSeconds()
  if (load === 'high') {
    let left = runs
    await Promise.all(
      Array.from({ length: CREATORS }, async () => {
        while (left > 0) {
          left -= 1
          await create()
        }
      }),
    )
    await ended(agent, runs + 1)
    await sleep(SETTLE_MS)
  } else {
    for (let count = 1; count <= runs; count += 1) {
      await create()
      await ended(agent, count + 1)
      await sleep(SETTLE_MS)
    }
  }
  const cpuMs = (server.cpuSeconds() - cpuBefore) * 1000
  const counts = await takeCounts(server)
  agent.stop()
  socket?.close()
  if (socket !== undefined) {
    await working
  }
  return { counts, cpuMs }
}

async function ended(agent: CostAgent, runs: number): Promise<void> {
  await until('the runs have ended', () => agent.ended >= runs, 300_000)
}

function perRun(counts: Counts, cpuMs: number, runs: number) {
  const row = {
    worker_requests: counts.worker_requests / runs,
    object_requests: objectRequests(counts) / runs,
    d1_rows_written: counts.d1_rows_written / runs,
    object_rows_written: counts.object_rows_written / runs,
    rows_read: (counts.d1_rows_read + counts.object_rows_read) / runs,
    object_ms: (counts.object_seconds * 1000) / runs,
    cpu_ms: cpuMs / runs,
  }
  return {
    ...row,
    dollars_per_million_runs:
      (dollars(counts) / runs) * 1e6 + row.cpu_ms * PRICES.worker_cpu_ms * 1e6,
  }
}

/** Agents that wait, for some seconds. They stay until they are told to leave: that they are gone would cost, too. */
async function countIdle(
  server: MeasuredServer,
  link: 'doorbell' | 'long poll',
  agents: number,
  seconds: number,
) {
  const { pool } = await makeDeployment(server)
  const waiting = Array.from({ length: agents }, () => new CostAgent(server.http, pool, NOTHING))
  const sockets: WebSocket[] = []
  for (const agent of waiting) {
    if (link === 'doorbell') {
      sockets.push(await openDoorbell(server, agent))
    } else {
      void agent.run(undefined).catch(() => undefined)
    }
  }
  await sleep(link === 'doorbell' ? REST_MS : SETTLE_MS * 2)
  await takeCounts(server)
  await sleep(seconds * 1000)
  const counts = await takeCounts(server)
  const leave = () => {
    for (const agent of waiting) {
      agent.stop()
    }
    for (const socket of sockets) {
      socket.close()
    }
  }
  const months = seconds / MONTH_SECONDS
  const rare =
    link === 'doorbell'
      ? POOLS * LOOKS_PER_MONTH * (PRICES.row_written + PRICES.object_request) +
        AGENTS * CLAIMS_PER_MONTH * (PRICES.worker_request + PRICES.object_request)
      : 0
  const row = {
    agents,
    seconds,
    worker_requests: counts.worker_requests,
    object_requests: objectRequests(counts),
    rows_written: counts.d1_rows_written + counts.object_rows_written,
    object_seconds: counts.object_seconds,
    dollars_per_month_of_1000: (dollars(counts) / months) * (AGENTS / agents) + rare,
  }
  return { row, leave }
}

async function openDoorbell(server: MeasuredServer, agent: CostAgent): Promise<WebSocket> {
  const Authorization = `Bearer ${server.environment['HEADGATE_API_KEY'] ?? ''}`
  const socket = new WebSocket(agent.doorbellUrl(server.apiUrl), {
    headers: { Authorization },
  } as never)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', () => reject(new Error('the doorbell does not open')))
  })
  // As the agent does.
  const ping = setInterval(() => socket.send('ping'), 20_000)
  socket.addEventListener('close', () => clearInterval(ping))
  return socket
}

async function takeCounts({ http }: MeasuredServer): Promise<Counts> {
  return await http.json<Counts>('GET', 'bench/counts')
}

function objectRequests(counts: Counts): number {
  return counts.object_requests + counts.object_messages / MESSAGES_PER_REQUEST
}

function dollars(counts: Counts): number {
  return (
    counts.worker_requests * PRICES.worker_request +
    objectRequests(counts) * PRICES.object_request +
    counts.object_seconds * PRICES.object_second +
    (counts.d1_rows_read + counts.object_rows_read) * PRICES.row_read +
    (counts.d1_rows_written + counts.object_rows_written) * PRICES.row_written
  )
}
