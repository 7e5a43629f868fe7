import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, onTestFailed } from 'vitest'
import type { Client } from '../../../core/client.ts'
import { withRetry } from '../../../core/retry.ts'
import { isTerminal } from '../../../core/state.ts'
import type { FlowRun } from '../../../core/wire/flow-run.ts'
import type { Outcome } from './headgate.ts'
import { LocalServer } from './local-server.ts'
import { freePort, Sandbox } from './sandbox.ts'
import { until } from './until.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const FLOWS = join(ROOT, 'test/prefect/flows')
const VENV = process.env['HEADGATE_TEST_PREFECT'] ?? join(ROOT, '.prefect/venv-3.9.1')

const NEWEST = '3.9.1'
const VERSION = process.env['HEADGATE_TEST_PREFECT_VERSION'] ?? NEWEST
/** Older releases do some things in their own way. */
export const IS_NEWEST = VERSION === NEWEST
/** 3.4 lacks `--output json` of lists, and some commands. */
export const SINCE_3_6 = isSince('3.6')
/** Sockets of clients before 3.6.14 send headers that are set, but not PREFECT_API_AUTH_STRING. */
export const SOCKETS_SEND_KEY = isSince('3.6.14')

function isSince(version: string): boolean {
  return VERSION.localeCompare(version, 'en', { numeric: true }) >= 0
}

/** The largest that the API gives. */
const LOGS_PAGE = 200

export interface PrefectOptions {
  env?: Record<string, string>
  /** Default: the folder of flows. */
  cwd?: string
  /** What standard input holds; nothing by default, so nothing is asked. */
  input?: string
}

/**
 * The real `prefect` package against a Headgate of its own: for each file one server on fresh state, one `PREFECT_HOME` with a
 * profile of two settings, and a copy of `test/prefect/flows`. Everything that a test starts ends with the file.
 */
export function aPrefect(): Prefect {
  const prefect = new Prefect()
  beforeAll(() => prefect.start())
  beforeEach(() => {
    const from = prefect.transcript.length
    onTestFailed(() => {
      process.stderr.write(
        `${prefect.transcript
          .slice(from)
          .map((say) => say())
          .join('\n')}\n`,
      )
    })
  })
  afterAll(() => prefect.dispose())
  return prefect
}

export class Prefect {
  readonly sandbox = new Sandbox()
  /** The copy of `test/prefect/flows`. */
  readonly flows = this.sandbox.path('flows')
  /** What was run or started, and what it said. */
  readonly transcript: (() => string)[] = []
  #server: LocalServer | undefined
  #port = 0
  #inside: Promise<Record<string, string>> | undefined
  #renewing: ReturnType<typeof setInterval> | undefined

  async start(): Promise<void> {
    if (!existsSync(join(VENV, 'bin/prefect'))) {
      throw new Error(`no prefect in ${VENV}: run these tests by \`npm run test:prefect\``)
    }
    cpSync(FLOWS, this.flows, { recursive: true })
    // Files run beside each other and look for a port at the same time.
    this.#port = await freePort(26_400 + randomInt(0, 200) * 10)
    await this.startServer()
    const { api_url, api_key } = this.server.addresses
    this.profile({
      PREFECT_API_URL: api_url,
      ...credentials(api_key),
    })
  }

  /** Starts the server again, on the same port and state, after a test has ended it. */
  async startServer(): Promise<void> {
    const server = LocalServer.launch(this.sandbox, this.#port)
    this.#server = server
    this.transcript.push(() => `--- server\n${server.stderr}`)
    await server.isReady()
  }

  /** All settings that the package has. */
  profile(settings: Record<string, string>, home = this.sandbox.path('prefect')): void {
    mkdirSync(home, { recursive: true })
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'`)
    const profile = ["active = 'headgate'", '[profiles.headgate]', ...lines, '']
    writeFileSync(join(home, 'profiles.toml'), profile.join('\n'))
  }

  /**
   * What the code of a run has: the environment of processes that call with the token of a run, which an agent has taken and keeps
   * until the file is over. What they start came of that run.
   */
  insideRun(): Promise<Record<string, string>> {
    return (this.#inside ??= this.#startInside())
  }

  async #startInside(): Promise<Record<string, string>> {
    const { client } = this
    const pool = await client.createWorkPool({ name: 'inside', type: 'process' })
    const flow = await client.createFlow({ name: 'outer' })
    const deployment = await client.createDeployment({
      name: 'd',
      flow_id: flow.id,
      work_pool_name: pool.name,
    })
    await client.createFlowRunFromDeployment(deployment.id)
    const agent = { agent_id: randomUUID(), name: 'inside', version: '0.1.0' }
    const { runs, renew_seconds } = await client.claim(pool.name, { agent, limit: 1 })
    const executions = runs.map(({ flow_run, fence }) => ({ flow_run_id: flow_run.id, fence }))
    await client.accept(pool.name, { agent_id: agent.agent_id, executions })
    this.#renewing = setInterval(() => {
      client.renew(pool.name, { agent, executions }).catch(() => undefined)
    }, renew_seconds * 1000)
    const home = this.sandbox.path('inside')
    const token = runs[0]?.run_token ?? ''
    this.profile({ PREFECT_API_URL: this.server.addresses.api_url, ...credentials(token) }, home)
    // Its own profile, but what the package keeps is where the others find it.
    return { PREFECT_PROFILES_PATH: join(home, 'profiles.toml') }
  }

  get server(): LocalServer {
    if (this.#server === undefined) {
      throw new Error('the server starts before the tests do')
    }
    return this.#server
  }

  get client(): Client {
    return this.server.client
  }

  /** Of the processes that are started here. */
  get environment(): Record<string, string> {
    const bin = join(VENV, 'bin')
    return {
      ...this.sandbox.environment,
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      VIRTUAL_ENV: VENV,
      PREFECT_HOME: this.sandbox.path('prefect'),
      // The package tells its makers that it is used.
      DO_NOT_TRACK: '1',
      PYTHONUNBUFFERED: '1',
      // Tables are not cut and have no colours.
      COLUMNS: '300',
      TERM: 'dumb',
      NO_COLOR: '1',
    }
  }

  /** Runs `prefect` with these words to its end. */
  run(words: string[], options?: PrefectOptions): Promise<Outcome> {
    return this.spawn(words, options).outcome()
  }

  /** Runs `prefect` with these words, which must succeed; what it prints. */
  async succeeds(words: string[], options?: PrefectOptions): Promise<string> {
    const { code, stdout, stderr } = await this.run(words, options)
    if (code !== 0) {
      throw new Error(`prefect ${words.join(' ')} exits with ${String(code)}: ${stdout}${stderr}`)
    }
    return stdout
  }

  /** Runs `prefect` with these words, which must fail as the package fails; what it says. */
  async fails(words: string[], options?: PrefectOptions): Promise<string> {
    const { code, stdout, stderr } = await this.run(words, options)
    if (code !== 1) {
      throw new Error(`prefect ${words.join(' ')} exits with ${String(code)}: ${stdout}${stderr}`)
    }
    return stdout + stderr
  }

  /** Runs `prefect` with these words, which must succeed, and reads the JSON it prints. */
  async json<T>(words: string[], options?: PrefectOptions): Promise<T> {
    return JSON.parse(await this.succeeds(words, options)) as T
  }

  /** Runs a file of the flows (`name.py`) or a script with these words to its end. */
  python(source: string, words: string[] = [], options?: PrefectOptions): Promise<Outcome> {
    return this.spawnPython(source, words, options).outcome()
  }

  /** Starts `prefect` with these words. */
  spawn(words: string[], options: PrefectOptions = {}): PrefectProcess {
    return this.#spawn(join(VENV, 'bin/prefect'), words, options)
  }

  /** Starts a file of the flows (`name.py`) or a script with these words. */
  spawnPython(source: string, words: string[] = [], options: PrefectOptions = {}): PrefectProcess {
    const program = /^\S+\.py$/.test(source) ? [source] : ['-c', source]
    return this.#spawn(join(VENV, 'bin/python'), [...program, ...words], options)
  }

  #spawn(program: string, words: string[], options: PrefectOptions): PrefectProcess {
    const child = spawn(program, words, {
      cwd: options.cwd ?? this.flows,
      env: { ...this.environment, ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    child.stdin?.end(options.input)
    const started = new PrefectProcess(child)
    const name = [program.split('/').at(-1), ...words].join(' ').slice(0, 200)
    this.transcript.push(() => `--- ${name}\n${started.stdout}${started.stderr}`)
    return started
  }

  /** Deploys flows of a file (`file.py`) of the folder of flows to a pool, as `prefect deploy` would; ids by name. */
  async deploy(file: string, flows: string[], pool: string): Promise<Record<string, string>> {
    const directory = {
      'prefect.deployments.steps.set_working_directory': { directory: this.flows },
    }
    const made = await Promise.all(
      flows.map(async (name) => {
        const flow = await this.client.createFlow({ name })
        const { id } = await this.client.createDeployment({
          name: 'd',
          flow_id: flow.id,
          entrypoint: `${file}:${name.replaceAll('-', '_')}`,
          pull_steps: [directory],
          work_pool_name: pool,
        })
        return [name, id] as const
      }),
    )
    return Object.fromEntries(made)
  }

  /** Waits until a run is as it should be, through outages of the server. */
  async reaches(
    run: FlowRun,
    what: string,
    condition: (now: FlowRun) => boolean,
  ): Promise<FlowRun> {
    let now = run
    const isThere = async () => {
      now = await withRetry(() => this.client.readFlowRun(run.id), { attempts: 20 })
      return condition(now)
    }
    await until(`${run.name} is ${what}`, isThere, 150_000).catch((error: unknown) => {
      throw new Error(`${run.name} is ${String(now.state_name)}, not ${what}`, { cause: error })
    })
    return now
  }

  async ends(run: FlowRun): Promise<FlowRun> {
    return await this.reaches(
      run,
      'over',
      (now) => now.state_type !== null && isTerminal(now.state_type),
    )
  }

  /** The messages of a run, all of them, in the order in which the API gives them. */
  async messages(run: Pick<FlowRun, 'id'>, logger?: string): Promise<string[]> {
    const found: string[] = []
    for (let offset = 0; ; offset += LOGS_PAGE) {
      const page = { limit: LOGS_PAGE, offset }
      const logs = await this.client.filterLogs({
        logs: { flow_run_id: { any_: [run.id] } },
        ...page,
      })
      const chosen = logs.filter(({ name }) => logger === undefined || name === logger)
      found.push(...chosen.map(({ message }) => message))
      if (logs.length < LOGS_PAGE) {
        return found
      }
    }
  }

  async dispose(): Promise<void> {
    clearInterval(this.#renewing)
    await this.sandbox.dispose()
  }
}

/** The settings by which HTTP and sockets have a key. */
function credentials(key: string): Record<string, string> {
  return {
    PREFECT_API_AUTH_STRING: key,
    ...(SOCKETS_SEND_KEY
      ? {}
      : { PREFECT_CLIENT_CUSTOM_HEADERS: `{"Authorization": "Bearer ${key}"}` }),
  }
}

/** A process of the package: a command, a worker, a flow that is served. */
export class PrefectProcess {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown[]>

  constructor(child: ChildProcess) {
    this.#child = child
    this.#closed = once(child, 'close')
    child.stdout?.on('data', (chunk) => (this.stdout += String(chunk)))
    child.stderr?.on('data', (chunk) => (this.stderr += String(chunk)))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get said(): string {
    return this.stdout + this.stderr
  }

  /** Resolves when it has said this. */
  async says(text: string, milliseconds = 60_000): Promise<void> {
    const hasEnded = () => this.#child.exitCode !== null || this.#child.signalCode !== null
    const what = `the process says '${text}'`
    await until(what, () => this.said.includes(text) || hasEnded(), milliseconds)
    if (!this.said.includes(text)) {
      throw new Error(`the process ended without saying '${text}': ${this.said}`)
    }
  }

  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void {
    this.#child.kill(signal)
  }

  /** What became of it; a code of null means that a signal ended it. */
  async outcome(): Promise<Outcome> {
    await this.#closed
    return { code: this.#child.exitCode, stdout: this.stdout, stderr: this.stderr }
  }

  /** Ends it as Ctrl-C does; the hard way when it takes its time. */
  async stop(milliseconds = 20_000): Promise<Outcome> {
    this.signal('SIGINT')
    await Promise.race([this.#closed, wait(milliseconds)])
    this.signal('SIGKILL')
    return await this.outcome()
  }
}
