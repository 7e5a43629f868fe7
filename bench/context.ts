import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { LocalServer } from '../test/support/node/local-server.ts'
import { freePort, Sandbox } from '../test/support/node/sandbox.ts'
import { until } from '../test/support/node/until.ts'
import { makePythonEnvironment } from '../worker/local/python-environment.ts'
import { listProcesses } from '../worker/local/processes.ts'
import { Http } from './http.ts'
import { startPostgres } from './postgres.ts'

const ROOT = join(import.meta.dirname, '..')
/** The peer: the release that the tests of compatibility judge by. */
export const PREFECT_VERSION = '3.9.1'
/** Linux's folder that is no disk. */
const MEMORY_FOLDER = '/dev/shm'
const FIRST_PORT = 27_450
const FIRST_PREFECT_PORT = 27_500

export type PrefectDatabase = 'SQLite' | 'PostgreSQL'

/** A server that is measured. */
export interface MeasuredServer {
  name: string
  apiUrl: string
  /** Requests to its API, with its key where it has one. */
  http: Http
  /** For the commands, workers and agents that talk to it. */
  environment: Record<string, string>
  /** The processor seconds that it has used so far: all its processes. */
  cpuSeconds: () => number
}

/** What a bench measures with. Servers start when they are asked for first; they end with the bench. */
export class BenchContext {
  readonly sandbox: Sandbox
  /** What was found on the way that the result should say. */
  readonly notes: string[] = []
  #headgate: Promise<MeasuredServer> | undefined
  #headgateProcess: LocalServer | undefined
  readonly #prefect = new Map<PrefectDatabase, Promise<MeasuredServer | undefined>>()
  readonly #stops: (() => Promise<void>)[] = []

  /** @param folder where all is kept; default: on the disk that temporary files are on */
  constructor(folder?: string) {
    this.sandbox = new Sandbox(folder)
  }

  /**
   * Another one that keeps everything in memory, for what is not to depend on the disk; undefined where there is no such
   * folder. It ends with this one.
   */
  inMemory(): BenchContext | undefined {
    if (!existsSync(MEMORY_FOLDER)) {
      return undefined
    }
    const context = new BenchContext(MEMORY_FOLDER)
    this.#stops.push(() => context.dispose())
    return context
  }

  log(text: string): void {
    process.stderr.write(`  ${text}\n`)
  }

  /** Headgate as built, on fresh state. `program`: one that serves it in another way. */
  headgate(program?: string): Promise<MeasuredServer> {
    this.#headgate ??= this.#startHeadgate(program)
    return this.#headgate
  }

  /** Where its state is kept: for benches that fill it while the server is stopped. */
  get headgateState(): string {
    return this.sandbox.path('state')
  }

  /** Stops Headgate, so that the next `headgate()` starts it again on the same state, at another address perhaps. */
  async stopHeadgate(): Promise<void> {
    this.#headgateProcess?.signal('SIGTERM')
    await this.#headgateProcess?.exit()
    this.#headgateProcess = undefined
    this.#headgate = undefined
  }

  /** `prefect server` at its default settings; undefined where its database can't be started here. */
  prefect(database: PrefectDatabase = 'SQLite'): Promise<MeasuredServer | undefined> {
    const started = this.#prefect.get(database) ?? this.#startPrefect(database)
    this.#prefect.set(database, started)
    return started
  }

  /** The servers of the peer that can be started here, the one on SQLite first. */
  async prefects(): Promise<MeasuredServer[]> {
    const servers = [await this.prefect('SQLite'), await this.prefect('PostgreSQL')]
    return servers.filter((server) => server !== undefined)
  }

  /** The last that Headgate's server had to say. */
  get headgateSaid(): string {
    return this.#headgateProcess?.stderr.slice(-3000) ?? ''
  }

  /** A program of the peer's environment. */
  python(program: 'python' | 'prefect'): string {
    return join(prefectEnvironment(), 'bin', program)
  }

  /** Starts a process that ends with the bench; what it says goes nowhere unless `says` reads it. */
  spawn(
    program: string,
    words: string[],
    env: Record<string, string>,
    cwd = this.sandbox.folder,
  ): BenchProcess {
    return new BenchProcess(
      spawn(program, words, {
        cwd,
        env: { ...this.sandbox.environment, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
  }

  async dispose(): Promise<void> {
    for (const stop of this.#stops.toReversed()) {
      await stop()
    }
    await this.sandbox.dispose()
  }

  async #startHeadgate(program?: string): Promise<MeasuredServer> {
    const server = await LocalServer.start(
      this.sandbox,
      await freePort(FIRST_PORT),
      program === undefined ? {} : { program },
    )
    this.#headgateProcess = server
    const { api_url, api_key } = server.addresses
    const http = new Http(api_url, { Authorization: `Bearer ${api_key}` })
    const [workerd] = server.workerds()
    return {
      name: 'Headgate',
      apiUrl: api_url,
      http,
      environment: {
        ...server.environment,
        PREFECT_API_URL: api_url,
        PREFECT_API_AUTH_STRING: api_key,
        ...PREFECT_SETTINGS,
      },
      cpuSeconds: () => cpuSecondsOf(workerd === undefined ? [] : [workerd.pid]),
    }
  }

  async #startPrefect(database: PrefectDatabase): Promise<MeasuredServer | undefined> {
    const home = this.sandbox.path(`prefect-${database.toLowerCase()}`)
    const connection: Record<string, string> = {}
    let databasePid: number | undefined
    if (database === 'PostgreSQL') {
      const postgres = await startPostgres(
        dirname(this.sandbox.folder),
        await freePort(FIRST_PREFECT_PORT + 25),
      ).catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
      if (typeof postgres === 'string') {
        this.notes.push(`Prefect was not measured on PostgreSQL: ${postgres}`)
        return undefined
      }
      this.#stops.push(postgres.stop)
      databasePid = postgres.pid
      connection['PREFECT_API_DATABASE_CONNECTION_URL'] = postgres.url
    }
    const port = await freePort(FIRST_PREFECT_PORT)
    const env = { PREFECT_HOME: home, ...PREFECT_SETTINGS, ...connection }
    const server = this.spawn(
      this.python('prefect'),
      ['server', 'start', '--port', String(port)],
      env,
    )
    const apiUrl = `http://127.0.0.1:${port}/api`
    const http = new Http(apiUrl)
    const isReady = async () => {
      if (server.hasEnded) {
        throw new Error(`prefect server ended: ${server.said.slice(-2000)}`)
      }
      return await http.send('GET', 'health').then(
        ({ status }) => status === 200,
        () => false,
      )
    }
    await until('prefect server is ready', isReady, 120_000)
    const pids = () => [
      ...descendants(server.pid),
      ...(databasePid === undefined ? [] : descendants(databasePid)),
    ]
    return {
      name: `Prefect, ${database}`,
      apiUrl,
      http,
      environment: { PREFECT_API_URL: apiUrl, ...PREFECT_SETTINGS },
      cpuSeconds: () => cpuSecondsOf(pids()),
    }
  }
}

/** A process that a bench has started. */
export class BenchProcess {
  said = ''
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>

  constructor(child: ChildProcess) {
    this.#child = child
    this.#closed = new Promise((resolve) => child.once('close', resolve))
    child.stdout?.on('data', (chunk) => (this.said += String(chunk)))
    child.stderr?.on('data', (chunk) => (this.said += String(chunk)))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Resolves with what it said. @throws Error when it fails */
  async succeeds(): Promise<string> {
    await this.#closed
    if (this.#child.exitCode !== 0) {
      throw new Error(`a process failed: ${this.said.slice(-2000)}`)
    }
    return this.said
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGINT')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await this.#closed
    clearTimeout(timer)
  }
}

/** Of the peer's server, commands, workers and engines. */
const PREFECT_SETTINGS = {
  DO_NOT_TRACK: '1',
  PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
  PYTHONUNBUFFERED: '1',
  NO_COLOR: '1',
}

/** The environment that `npm run test:prefect` uses, too; made when it is not there. */
function prefectEnvironment(): string {
  const given = process.env['HEADGATE_TEST_PREFECT']
  if (given !== undefined) {
    return given
  }
  const folder = join(ROOT, `.prefect/venv-${PREFECT_VERSION}`)
  makePythonEnvironment(folder, join(ROOT, `test/prefect/requirements-${PREFECT_VERSION}.txt`))
  return folder
}

function descendants(pid: number): number[] {
  const all = listProcesses()
  const below = (parent: number): number[] =>
    all.flatMap((entry) => (entry.parent === parent ? [entry.pid, ...below(entry.pid)] : []))
  return [pid, ...below(pid)]
}

/** Linux only; elsewhere nothing is counted. */
function cpuSecondsOf(pids: number[]): number {
  const TICKS_PER_SECOND = 100
  return pids.reduce((sum, pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
    } catch {
      // It has ended, or this is no Linux.
      return sum
    }
  }, 0)
}
