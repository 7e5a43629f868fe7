import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { Client } from '../../../core/client.ts'
import type { FoundProcess, Sandbox } from './sandbox.ts'
import { until } from './until.ts'

const MAIN = resolve(import.meta.dirname, '../../../worker/local/main.ts')
const FAULTY_MAIN = resolve(import.meta.dirname, '../../soak/faulty-server.ts')

interface LaunchOptions {
  /** With faults before its D1 on command: see `faulty-server.ts`. */
  faulty?: boolean
  /** Another program that serves the built server by the same words. */
  program?: string
}

/** What `start --json` prints. */
export interface Addresses {
  api_url: string
  workspace_api_url: string
  console_url: string
  api_key: string
}

/** The built server as `npm start` runs it, in a process of its own. */
export class LocalServer {
  readonly #sandbox: Sandbox
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown[]>
  /** All that it has printed. */
  stdout = ''
  stderr = ''

  private constructor(sandbox: Sandbox, child: ChildProcess) {
    this.#sandbox = sandbox
    this.#child = child
    this.#closed = once(child, 'exit')
    child.stdout?.on('data', (chunk) => (this.stdout += String(chunk)))
    child.stderr?.on('data', (chunk) => (this.stderr += String(chunk)))
  }

  /** Starts it on the sandbox's state; resolves at once. */
  static launch(sandbox: Sandbox, port: number, options: LaunchOptions = {}): LocalServer {
    const words = ['--json', '--state', sandbox.path('state'), '--port', String(port)]
    const program = options.faulty === true ? FAULTY_MAIN : options.program
    const main =
      program === undefined ? [MAIN, 'start'] : ['--disable-warning=ExperimentalWarning', program]
    const child = spawn(process.execPath, [...main, ...words], {
      cwd: sandbox.folder,
      env: sandbox.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return new LocalServer(sandbox, child)
  }

  /** Starts it, and resolves when it serves. */
  static async start(
    sandbox: Sandbox,
    port: number,
    options: LaunchOptions = {},
  ): Promise<LocalServer> {
    const server = LocalServer.launch(sandbox, port, options)
    await server.isReady()
    return server
  }

  async isReady(): Promise<void> {
    const settled = () => this.stdout.includes('\n') || this.hasEnded
    await until('the server is ready', settled, 60_000)
    if (this.hasEnded) {
      throw new Error(`the server ended before it was ready: ${this.stderr}`)
    }
  }

  get addresses(): Addresses {
    return JSON.parse(this.stdout) as Addresses
  }

  get client(): Client {
    const { api_url, api_key } = this.addresses
    return new Client({ apiUrl: api_url, apiKey: api_key })
  }

  /** For commands and agents that are to talk to it. */
  get environment(): Record<string, string> {
    const { api_url, api_key } = this.addresses
    return { HEADGATE_API_URL: api_url, HEADGATE_API_KEY: api_key }
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** The processes of workerd that it has started. */
  workerds(): FoundProcess[] {
    return this.#sandbox.processes().filter(({ parent }) => parent === this.#child.pid)
  }

  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void {
    this.#child.kill(signal)
  }

  /** Its exit code; null where a signal has ended it. */
  async exit(): Promise<number | null> {
    await this.#closed
    return this.#child.exitCode
  }

  /** SIGKILL to the runner alone. */
  async crash(): Promise<void> {
    this.signal('SIGKILL')
    await this.exit()
  }
}
