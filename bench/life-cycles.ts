import type { BenchContext, MeasuredServer } from './context.ts'
import { makeDeployment } from './deployment.ts'
import { headgateLifeCycle, prefectLifeCycle, type LifeCycle } from './life-cycle.ts'
import type { BenchResult, Figures } from './result.ts'
import { percentile } from './statistics.ts'

const CLIENTS = [1, 16, 64]
const DISK_CLIENTS = [16]
const WARM_UP_MS = 2000
const MEASURED_MS = 6000
/** Ours, the peer, ours, the peer: what else the machine does meets both. */
const ROUNDS = 2
const GOAL = 10

interface Round {
  cycles: number
  seconds: number
  cpuSeconds: number
  milliseconds: number[]
}

/** How many runs per second go from their creation to their end, at several numbers of clients. */
export async function lifeCycles(context: BenchContext): Promise<BenchResult> {
  const memory = context.inMemory()
  const settings = [
    ...(memory === undefined ? [] : [{ where: 'in memory', context: memory, numbers: CLIENTS }]),
    { where: 'on disk', context, numbers: memory === undefined ? CLIENTS : DISK_CLIENTS },
  ]
  const figures: Figures = {}
  const ratios: { name: string; ratio: number }[] = []
  for (const setting of settings) {
    const lanes = await makeLanes(setting.context)
    for (const clients of setting.numbers) {
      const [ours, ...peers] = await measure(lanes, clients)
      for (const lane of [ours, ...peers]) {
        if (ours !== undefined && lane !== undefined) {
          const row = `${lane.name}, ${setting.where}, ${clients} clients`
          figures[row] = lane.figures
          context.log(`${row}: ${lane.figures.runs_per_second.toFixed(1)} per second`)
          if (lane !== ours) {
            const ratio = ours.figures.runs_per_second / lane.figures.runs_per_second
            ratios.push({ name: row, ratio })
          }
        }
      }
    }
    if (setting.context !== context) {
      await setting.context.dispose()
      context.notes.push(...setting.context.notes)
    }
  }
  return {
    figures,
    vs_prefect: Object.fromEntries(ratios.map(({ name, ratio }) => [name, ratio])),
    goals: ratios.map(({ name, ratio }) => ({
      what: `beside ${name}`,
      goal: `≥ ${GOAL} times`,
      reached: ratio,
      met: ratio >= GOAL,
    })),
    notes: [
      'In memory: the states of all servers are in a file system that is no disk. On disk Headgate (as PostgreSQL) waits for the disk at each commit, before anybody is answered; Prefect’s SQLite does not (`synchronous = NORMAL`) and may lose its last commits with the machine.',
    ],
  }
}

interface Lane {
  server: MeasuredServer
  cycle: LifeCycle
}

async function makeLanes(context: BenchContext): Promise<Lane[]> {
  const headgate = await context.headgate()
  const peers = await context.prefects()
  return [
    { server: headgate, cycle: headgateLifeCycle(headgate, await makeDeployment(headgate)) },
    ...(await Promise.all(
      peers.map(async (server) => ({
        server,
        cycle: prefectLifeCycle(server, await makeDeployment(server)),
      })),
    )),
  ]
}

async function measure(lanes: Lane[], clients: number) {
  const rounds = new Map<Lane, Round[]>(lanes.map((lane) => [lane, []]))
  const tooSlow = new Set<Lane>()
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [lane, done] of rounds) {
      // One of its cycles takes longer than a round: it has been measured.
      if (round > 0 && tooSlow.has(lane)) {
        continue
      }
      const warmUp = await drive(lane.server, lane.cycle, clients, WARM_UP_MS)
      if (percentile(warmUp.milliseconds, 0.5) < MEASURED_MS) {
        done.push(await drive(lane.server, lane.cycle, clients, MEASURED_MS))
      } else if (round === 0) {
        // Each client has done one cycle, for minutes perhaps: that is the measurement.
        tooSlow.add(lane)
        done.push(warmUp)
      }
    }
  }
  return [...rounds].map(([lane, done]) => ({
    name: lane.server.name,
    figures: toFigures(done),
  }))
}

async function drive(
  server: MeasuredServer,
  cycle: LifeCycle,
  clients: number,
  milliseconds: number,
): Promise<Round> {
  const took: number[] = []
  const cpu = server.cpuSeconds()
  const began = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() - began < milliseconds) {
        const started = performance.now()
        await cycle()
        took.push(performance.now() - started)
      }
    }),
  )
  return {
    cycles: took.length,
    seconds: (performance.now() - began) / 1000,
    cpuSeconds: server.cpuSeconds() - cpu,
    milliseconds: took,
  }
}

function toFigures(rounds: Round[]) {
  const all = rounds.flatMap(({ milliseconds }) => milliseconds)
  return {
    runs_per_second: sum(rounds, 'cycles') / sum(rounds, 'seconds'),
    p50_ms: percentile(all, 0.5),
    p99_ms: percentile(all, 0.99),
    server_cpu_ms_per_run: (1000 * sum(rounds, 'cpuSeconds')) / sum(rounds, 'cycles'),
  }
}

function sum(rounds: Round[], name: 'cycles' | 'seconds' | 'cpuSeconds'): number {
  return rounds.reduce((total, round) => total + round[name], 0)
}
