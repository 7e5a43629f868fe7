import type { BenchContext, MeasuredServer } from './context.ts'
import { makeDeployment } from './deployment.ts'
import { headgateLifeCycle, prefectLifeCycle, type LifeCycle } from './life-cycle.ts'
import type { BenchResult, Figures } from './result.ts'
import { median, percentile } from './statistics.ts'

const CLIENTS = [1, 16, 64]
const WARM_UP_MS = 3000
const MEASURED_MS = 8000
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
  const servers = [await context.headgate(), ...(await context.prefects())]
  const cycles = await Promise.all(
    servers.map(async (server, index) => {
      const deployment = await makeDeployment(server)
      return index === 0
        ? headgateLifeCycle(server, deployment)
        : prefectLifeCycle(server, deployment)
    }),
  )
  const rounds = new Map<string, Round[]>()
  for (const clients of CLIENTS) {
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, server] of servers.entries()) {
        const cycle = cycles[index]
        if (cycle !== undefined) {
          const name = rowName(server, clients)
          await drive(server, cycle, clients, WARM_UP_MS / (round + 1))
          const measured = await drive(server, cycle, clients, MEASURED_MS)
          context.log(`${name}: ${(measured.cycles / measured.seconds).toFixed(1)} per second`)
          rounds.set(name, [...(rounds.get(name) ?? []), measured])
        }
      }
    }
  }
  const figures: Figures = Object.fromEntries(
    [...rounds].map(([name, measured]) => [name, toFigures(measured)]),
  )
  return { figures, ...compare(figures, servers) }
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

function toFigures(rounds: Round[]): Record<string, number> {
  const all = rounds.flatMap(({ milliseconds }) => milliseconds)
  return {
    runs_per_second: median(rounds.map(({ cycles, seconds }) => cycles / seconds).toReversed()),
    best_round: Math.max(...rounds.map(({ cycles, seconds }) => cycles / seconds)),
    p50_ms: percentile(all, 0.5),
    p99_ms: percentile(all, 0.99),
    server_cpu_ms_per_run: median(
      rounds.map(({ cpuSeconds, cycles }) => (1000 * cpuSeconds) / cycles),
    ),
  }
}

function compare(
  figures: Figures,
  [ours, ...peers]: MeasuredServer[],
): Pick<BenchResult, 'vs_prefect' | 'goals'> {
  const rate = (server: MeasuredServer | undefined, clients: number) =>
    (server && figures[rowName(server, clients)]?.['runs_per_second']) ?? 0
  const ratios = peers.flatMap((peer) =>
    CLIENTS.map((clients) => ({
      name: `${peer.name}, ${clients} clients`,
      clients,
      ratio: rate(ours, clients) / rate(peer, clients),
    })),
  )
  return {
    vs_prefect: Object.fromEntries(ratios.map(({ name, ratio }) => [name, ratio])),
    goals: ratios.map(({ name, ratio }) => ({
      what: `life cycles per second beside ${name}`,
      goal: `≥ ${GOAL} times`,
      reached: ratio,
      met: ratio >= GOAL,
    })),
  }
}

function rowName(server: MeasuredServer, clients: number): string {
  return `${server.name}, ${clients} clients`
}
