import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { TrustOptions } from '../../../agent/trust/trust.ts'
import type { FakeControlPlane } from './fake-control-plane.ts'
import { until } from './until.ts'

const MAIN = resolve(import.meta.dirname, 'agent-main.ts')

/** The key that the agents of tests have, and that no run may ever see. */
export const AGENT_KEY = 'hg_the_agents_own_key'

export interface AgentProcessOptions extends TrustOptions {
  /** Default: one of its own. Give the same to a second agent and it is the same agent again. */
  home?: string
  name?: string
  limit?: number
  queues?: string[]
}

/** A real agent in a process of its own. */
export class AgentProcess {
  readonly home: string
  /** All that it has said. */
  said = ''
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown[]>

  private constructor(home: string, child: ChildProcess) {
    this.home = home
    this.#child = child
    this.#exited = once(child, 'exit')
    child.stderr?.on('data', (chunk: Buffer) => {
      this.said += chunk.toString()
    })
  }

  static async start(
    plane: FakeControlPlane,
    options: AgentProcessOptions = {},
  ): Promise<AgentProcess> {
    const home = options.home ?? (await mkdtemp(join(tmpdir(), 'headgate-agent-')))
    const words = { apiUrl: plane.url, pool: 'pool', name: 'agent', ...options, home }
    const child = spawn(process.execPath, [MAIN, JSON.stringify(words)], {
      env: { PATH: process.env['PATH'] ?? '', HOME: home, HEADGATE_API_KEY: AGENT_KEY },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    return new AgentProcess(home, child)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' | 'SIGHUP'): void {
    this.#child.kill(signal)
  }

  /** Its exit code; null where a signal has ended it. */
  async exit(): Promise<number | null> {
    await this.#exited
    return this.#child.exitCode
  }

  /** Kills it as a crash of the host's memory would. */
  async crash(): Promise<void> {
    this.signal('SIGKILL')
    await this.exit()
  }

  /** Ends it and everything that it has started, whatever state the test has left it in. */
  async dispose(): Promise<void> {
    const hasEnded = () => this.#child.exitCode !== null || this.#child.signalCode !== null
    while (!hasEnded()) {
      this.signal('SIGTERM')
      // Signals that come at once are one.
      await Promise.race([this.#exited, wait(100)])
    }
  }

  async says(text: string): Promise<void> {
    await until(`the agent says '${text}', it said: ${this.said}`, () => this.said.includes(text))
  }

  /** The folders of executions that are on its disk. */
  async runFolders(): Promise<string[]> {
    const agents = join(this.home, 'agents')
    const entries = await readdir(agents, { withFileTypes: true })
    const folders = entries.filter((entry) => entry.isDirectory())
    const lists = await Promise.all(
      folders.map(async ({ name }) => {
        const runs = join(agents, name, 'runs')
        return (await readdir(runs)).map((run) => join(runs, run))
      }),
    )
    return lists.flat()
  }
}
