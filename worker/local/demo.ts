import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, relative, resolve as resolvePath } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Client } from '../../core/client.ts'
import { parseTimestamp } from '../../core/time.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { Follower } from './demo/follower.ts'
import {
  makePool,
  POOL,
  SceneFailed,
  showCancellation,
  showPriority,
  showRuns,
  showSchedule,
} from './demo/script.ts'
import { endProcess, markOf } from './processes.ts'
import { startServer, type LocalServer } from './server.ts'
import { StateFolder } from './state.ts'
import { onStopSignal } from './stop-signals.ts'

const root = join(import.meta.dirname, '../..')
const headgate = join(root, 'agent/package/dist/headgate.js')
const DEFAULT_PORT = 4280

const HELP = `npm run demo -- [--keep] [--port N] [--state DIR]

Starts Headgate on this machine, deploys the flows of examples/, starts an agent and runs them.
  --keep       stay up afterwards
  --port N     the port of the API and the console (default ${DEFAULT_PORT}, or the next free one)
  --state DIR  where everything is kept (default .headgate)
`

/** The demo: the whole system, end to end, on this machine. Exits with 1 when anything goes otherwise than it says. */
export async function demo(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      keep: { type: 'boolean', default: false },
      port: { type: 'string' },
      state: { type: 'string', default: '.headgate' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return
  }
  const state = resolvePath(values.state)
  const port = values.port === undefined ? await freePort(DEFAULT_PORT) : Number(values.port)
  let started: Stage | undefined
  onStopSignal(async () => started?.clear(), 130)
  title('Headgate on this machine')
  const server = await startServer({ state, port })
  say(`API      ${server.api_url}`)
  say(`Console  ${server.console_url}`)
  const stage = new Stage(server, state)
  started = stage
  try {
    await play(server, stage)
    title(`The console: ${server.console_url}`)
    say(`Sign in with the key ${server.api_key}`)
    if (values.keep) {
      say('Headgate and the agent stay up. Try, in another terminal:')
      say(`  export HEADGATE_API_URL=${server.api_url} HEADGATE_API_KEY=${server.api_key}`)
      say('  npx headgate deployment run countdown/demo --param seconds=20 --watch')
      say('Ctrl-C stops everything.')
      return
    }
    say(
      'It is stopped now; `npm start` brings it back with these runs, `npm run demo -- --keep` keeps it.',
    )
  } catch (error) {
    process.exitCode = 1
    const reason = error instanceof SceneFailed ? error.message : String((error as Error).stack)
    process.stderr.write(`\nThe demo failed: ${reason}\n`)
  }
  await stage.clear()
}

async function play(server: LocalServer, stage: Stage): Promise<void> {
  const client = new Client({ apiUrl: server.api_url, apiKey: server.api_key })
  const follower = new Follower(client, (text) => process.stdout.write(text))
  await makePool(client)

  title('Deploy the flows of examples/')
  stage.command(['deploy', '--all'])

  title('Start an agent, as a process of its own')
  await stage.startAgent()
  await agentIsOnline(client)
  say(
    `It serves pool '${POOL}' and says what it does in ${relative(process.cwd(), stage.agentLog)}.`,
  )

  title('Run flows: typed parameters; mapped tasks, one of which fails once; a subflow')
  const shown = await showRuns(client, follower)

  title('Cancel a run in the middle of its work')
  shown.push(...(await showCancellation(client, follower)))

  title('Priority: one slot, and the urgent queue goes first')
  shown.push(...(await showPriority(client, follower)))

  title('A schedule fires')
  shown.push(...(await showSchedule(client, follower)))

  title('The runs, and how long each waited from due to claimed')
  process.stdout.write(await table(client, shown))
}

/** The processes that the demo starts. */
class Stage {
  readonly #environment: NodeJS.ProcessEnv
  readonly #state: StateFolder
  #agent: ChildProcess | undefined
  readonly #server: LocalServer
  /** Where the agent says what it does. */
  readonly agentLog: string

  constructor(server: LocalServer, state: string) {
    this.#server = server
    this.#state = new StateFolder(state)
    this.agentLog = join(state, 'agent.log')
    this.#environment = {
      ...process.env,
      HEADGATE_API_URL: server.api_url,
      HEADGATE_API_KEY: server.api_key,
      HEADGATE_HOME: join(state, 'home'),
    }
  }

  /** Runs the command line in examples/, its output shown. */
  command(args: string[]): void {
    const { status } = spawnSync(process.execPath, [headgate, ...args], {
      cwd: join(root, 'examples'),
      stdio: ['ignore', 'inherit', 'inherit'],
      env: this.#environment,
    })
    if (status !== 0) {
      throw new SceneFailed(`headgate ${args.join(' ')} exited with ${String(status)}`)
    }
  }

  /** An agent of a demo that was killed is ended first; the new one is the same agent, and takes over the runs it left. */
  async startAgent(): Promise<void> {
    const left = this.#state.readAgent()
    if (left !== undefined) {
      await endProcess(left)
    }
    const log = openSync(this.agentLog, 'a')
    this.#agent = spawn(
      process.execPath,
      [headgate, 'agent', 'start', '--pool', POOL, '--name', 'demo-agent', '--limit', '4'],
      {
        cwd: join(root, 'examples'),
        stdio: ['ignore', log, log],
        env: this.#environment,
        // In a group of its own, so that Ctrl-C reaches it through us and it can drain.
        detached: true,
      },
    )
    const mark = this.#agent.pid === undefined ? undefined : markOf(this.#agent.pid)
    closeSync(log)
    this.#state.noteAgent(mark)
  }

  async clear(): Promise<void> {
    const agent = this.#agent
    if (agent?.exitCode === null) {
      const gone = new Promise((resolve) => agent.once('exit', resolve))
      // The first signal drains, the second one cancels what still runs.
      agent.kill('SIGTERM')
      await Promise.race([gone, sleep(3000)])
      agent.kill('SIGTERM')
      await Promise.race([gone, sleep(15_000)])
      agent.kill('SIGKILL')
    }
    this.#state.noteAgent(undefined)
    await this.#server.stop()
  }
}

async function agentIsOnline(client: Client): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const workers = await client.filterWorkers(POOL)
    if (workers.some(({ status }) => status === 'ONLINE')) {
      return
    }
    await sleep(200)
  }
  throw new SceneFailed(`no agent of pool '${POOL}' came online within 20 s`)
}

/** From when the run was due (or made, if that was later) to when an agent took it. */
async function table(client: Client, runs: FlowRun[]): Promise<string> {
  const rows = await Promise.all(
    runs.map(async (run) => {
      const states = await client.readFlowRunStates(run.id)
      const claimed = states.findLast(({ type }) => type === 'PENDING')
      const queue = run.work_queue_name ?? ''
      return [run.name, queue, run.state_name ?? '', waited(run, claimed?.timestamp), ran(run)]
    }),
  )
  const lines = [['RUN', 'QUEUE', 'STATE', 'WAITED', 'RAN'], ...rows]
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  )
  return lines
    .map((line) => `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`)
    .join('')
}

function waited(run: FlowRun, claimed: string | undefined): string {
  const due = Math.max(micros(run.expected_start_time), micros(run.created))
  return claimed === undefined ? '-' : `${Math.round((micros(claimed) - due) / 1000)} ms`
}

function ran(run: FlowRun): string {
  return run.start_time === null || run.end_time === null
    ? '-'
    : `${((micros(run.end_time) - micros(run.start_time)) / 1_000_000).toFixed(1)} s`
}

function micros(time: string | null): number {
  return parseTimestamp(time ?? '') ?? 0
}

/** The port, or the next one that nobody listens on. */
async function freePort(first: number): Promise<number> {
  for (let port = first; port < first + 100; port += 1) {
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer()
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
    })
    if (isFree) {
      return port
    }
  }
  throw new Error(`no port from ${first} to ${first + 99} is free; give one with --port`)
}

function title(text: string): void {
  process.stdout.write(`\n${text}\n${'─'.repeat(text.length)}\n`)
}

function say(text: string): void {
  process.stdout.write(`  ${text}\n`)
}
