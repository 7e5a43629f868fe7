import { join } from 'node:path'
import { until } from '../test/support/node/until.ts'
import type { BenchContext, MeasuredServer } from './context.ts'
import type { BenchResult, Figures } from './result.ts'
import { median } from './statistics.ts'

const SCRIPT = join(import.meta.dirname, 'client-250-tasks.py')
const TASKS = 250
const ROUNDS = 3

interface Counted {
  /** Of the flow. */
  seconds: number
  requests: number
  frames: number
  /** Until the process has ended, which sends its last logs and events first. */
  processSeconds: number
  /** Until the server knows that the last task run is completed. */
  recordedSeconds: number
  serverCpuSeconds: number
}

/** The real client running a flow with 250 tasks, against both servers. */
export async function client250Tasks(context: BenchContext): Promise<BenchResult> {
  const servers = [await context.headgate(), ...(await context.prefects())]
  const measured = new Map<MeasuredServer, Counted[]>()
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const server of servers) {
      const counted = await runFlow(context, server)
      context.log(`${server.name}: ${counted.seconds.toFixed(1)} s`)
      // The first warms up.
      if (round > 0) {
        measured.set(server, [...(measured.get(server) ?? []), counted])
      }
    }
  }
  const figures: Figures = {}
  for (const [server, rounds] of measured) {
    const middle = (name: keyof Counted) => median(rounds.map((round) => round[name]))
    figures[server.name] = {
      flow_s: middle('seconds'),
      process_s: middle('processSeconds'),
      recorded_s: middle('recordedSeconds'),
      requests: middle('requests'),
      frames: middle('frames'),
      server_cpu_s: middle('serverCpuSeconds'),
    }
  }
  const [ours, ...peers] = servers
  const figure = (server: MeasuredServer | undefined, name: string) =>
    figures[server?.name ?? '']?.[name] ?? Number.NaN
  return {
    figures,
    vs_prefect: Object.fromEntries(
      peers.flatMap((peer) =>
        ['flow_s', 'server_cpu_s'].map((name) => [
          `${peer.name}, ${name}`,
          figure(peer, name) / figure(ours, name),
        ]),
      ),
    ),
    notes: [
      `A flow that maps one task over ${TASKS} numbers on 8 threads, in a process of its own. Requests are those of its HTTP client, frames those of its sockets; recorded: until the server has the last task run as completed.`,
    ],
  }
}

async function runFlow(context: BenchContext, server: MeasuredServer): Promise<Counted> {
  const cpu = server.cpuSeconds()
  const before = await countCompleted(server)
  const began = performance.now()
  const seconds = () => (performance.now() - began) / 1000
  const home = context.sandbox.path('client')
  const env = { ...server.environment, PREFECT_HOME: home }
  const said = await context.spawn(context.python('python'), [SCRIPT], env).succeeds()
  const processSeconds = seconds()
  const isRecorded = async () => (await countCompleted(server)) - before >= TASKS
  await until('all task runs are recorded', isRecorded, 120_000)
  const recordedSeconds = seconds()
  const line = /^RESULT (.*)$/m.exec(said)?.[1]
  if (line === undefined) {
    throw new Error(`the flow said no result: ${said.slice(-1000)}`)
  }
  const result = JSON.parse(line) as Pick<Counted, 'seconds' | 'requests' | 'frames'>
  return { ...result, processSeconds, recordedSeconds, serverCpuSeconds: server.cpuSeconds() - cpu }
}

async function countCompleted({ http }: MeasuredServer): Promise<number> {
  return await http.json<number>('POST', 'task_runs/count', {
    task_runs: { state: { type: { any_: ['COMPLETED'] } } },
  })
}
