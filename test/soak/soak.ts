import { setTimeout as wait } from 'node:timers/promises'
import { withRetry } from '../../core/retry.ts'
import { isTerminal } from '../../core/state.ts'
import { auditBooks } from './books.ts'
import { collect } from './collect.ts'
import { judgeEnds } from './ends.ts'
import type { Evidence, Run } from './evidence.ts'
import { Faults } from './faults.ts'
import { judge } from './judge.ts'
import { findMissingLines } from './lines.ts'
import { Load } from './load.ts'
import { Random } from './random.ts'
import { World } from './world.ts'

export interface SoakOptions {
  seed: number
  /** Of faults and load; then all is healed and has to come to its end. */
  minutes: number
  agents: number
  firstPort: number
  /** Runs that may be unfinished at a time. */
  crowd: number
  /** Steps, ten in a second, of the longest runs. */
  longest: number
  /** Seconds between two strikes, at most. */
  strikeEvery: number
  /** Whether some faults outlast leases. */
  long: boolean
  /** Minutes in which all must have come to its end once nothing is harmed any more. */
  patience: number
  tell: (line: string) => void
}

export interface SoakReport {
  seed: number
  minutes: number
  runs: number
  ends: Record<string, number>
  executions: number
  kills: number
  strikes: Record<string, number>
  requests: number
  cancellations: number
  changes: number
  startsJudged: number
  claimsJudged: number
  /** A sentence for each fault that was found. */
  lost: string[]
  doubled: string[]
  overLimit: string[]
  inversions: string[]
  missingLogs: string[]
  leftBehind: string[]
  /** What was struck, in its order; and what all programs said. For whoever looks for a fault. */
  story: string[]
  said: string
}

/** Puts the built system under load, harms it in every way for a while, lets it heal, and judges it from outside. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const random = new Random(options.seed)
  const { agents, firstPort, crowd, longest, strikeEvery: every, long, tell } = options
  const world = await World.build({ agents, firstPort, random: random.fork() })
  try {
    const load = new Load(world, { random: random.fork(), crowd, longest })
    await load.prepare()
    const faults = new Faults(world, { random: random.fork(), every, long })
    const over = AbortSignal.timeout(options.minutes * 60_000)
    tell(`harming it for ${options.minutes} minutes`)
    await Promise.all([load.run(over), faults.run(over).then(() => world.heal())])
    tell(`healed; ${load.runs.length} runs have to come to their end`)
    await runsEnd(world, load.runs, options.patience * 60_000)
    tell('judging')
    return await report(options, world, load, faults)
  } finally {
    await world.dispose()
  }
}

/** Reads each run's last state; gives up after the time. */
async function runsEnd(world: World, runs: Run[], milliseconds: number): Promise<void> {
  const deadline = performance.now() + milliseconds
  let left = runs
  while (left.length > 0 && performance.now() < deadline) {
    for (const run of left) {
      const now = await withRetry(() => world.client.readFlowRun(run.id), { attempts: 20 })
      run.end = {
        type: now.state_type,
        name: now.state_name,
        message: now.state?.message ?? null,
        at: Date.parse(now.state?.timestamp ?? ''),
        agentLost: now.state?.state_details['agent_lost'] === true,
      }
    }
    left = left.filter(({ end }) => end.type === null || !isTerminal(end.type as 'COMPLETED'))
    await wait(500)
  }
}

async function report(
  { seed, minutes }: SoakOptions,
  world: World,
  load: Load,
  faults: Faults,
): Promise<SoakReport> {
  const { runs, changes } = load
  // Output is sent on after a run's end.
  await world.agentsSettle()
  const entries = world.witness.entries()
  const missingLogs = await findMissingLines(world.client, runs, entries, faults.killed)
  const leftBehind = await world.end()
  const exchanges = world.proxies.flatMap((proxy) => proxy.exchanges)
  const evidence: Evidence = {
    ...collect(exchanges),
    queues: world.queues,
    runs,
    changes,
    executions: world.witness.executions(),
    flows: world.witness.flows(),
  }
  const verdict = judge(evidence)
  const books = auditBooks(world.sandbox.path('state'))
  const unknown = runs.filter(({ id, end }) => books.store.get(id)?.state_type !== end.type)
  return {
    seed,
    minutes,
    runs: runs.length,
    ends: countBy(runs, ({ end }) => end.type ?? 'none'),
    executions: evidence.executions.length,
    kills: [...faults.counts]
      .filter(([strike]) => strike.endsWith('killed'))
      .reduce((sum, [, count]) => sum + count, 0),
    strikes: Object.fromEntries(faults.counts),
    requests: world.proxies.reduce((sum, { passed }) => sum + passed, 0),
    cancellations: load.cancellations,
    changes: changes.length,
    ...verdict,
    lost: [
      ...judgeEnds({ evidence, entries, killed: faults.killed }),
      ...unknown.map(({ id }) => `run ${id} ends otherwise in the store`),
      ...(books.store.size === runs.length
        ? []
        : [`${runs.length} runs were made, and ${books.store.size} are in the store`]),
    ],
    missingLogs,
    leftBehind: [...leftBehind, ...books.wrong],
    story: faults.story,
    said: world.said,
  }
}

function countBy<T>(items: T[], key: (item: T) => string): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(items, key)].map(([name, members]) => [name, members.length]),
  )
}
