import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { HEADGATE, type Sandbox } from './sandbox.ts'
import { until } from './until.ts'

export interface BuiltAgentOptions {
  pool: string
  /** Of the server that it serves. */
  environment: Record<string, string>
  /** The same name in the same sandbox is the same agent. */
  name?: string
  limit?: number
  /** More of its command line. */
  words?: string[]
}

/** The built agent, as `headgate agent start` runs it, in a process of its own. */
export class BuiltAgent {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown[]>
  /** All that it has said. */
  said = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = once(child, 'exit')
    child.stderr?.on('data', (chunk) => (this.said += String(chunk)))
  }

  static start(sandbox: Sandbox, options: BuiltAgentOptions): BuiltAgent {
    const words = ['agent', 'start', '--pool', options.pool, '--name', options.name ?? 'agent']
    const limit = options.limit === undefined ? [] : ['--limit', String(options.limit)]
    const child = spawn(
      process.execPath,
      [HEADGATE, ...words, ...limit, ...(options.words ?? [])],
      {
        cwd: sandbox.folder,
        env: { ...sandbox.environment, ...options.environment },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    return new BuiltAgent(child)
  }

  async says(text: string, milliseconds?: number): Promise<void> {
    await until(`the agent says '${text}'`, () => this.said.includes(text), milliseconds)
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  signal(signal: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }

  /** Its exit code; null where a signal has ended it. */
  async exit(): Promise<number | null> {
    await this.#exited
    return this.#child.exitCode
  }

  /** SIGKILL: its runs go on without it. */
  async crash(): Promise<void> {
    this.signal('SIGKILL')
    await this.exit()
  }

  /** Tells it to stop: what it runs may end by itself within the time, and is cancelled then. */
  async stop(milliseconds = 3000): Promise<number | null> {
    this.signal('SIGTERM')
    await Promise.race([this.#exited, wait(milliseconds)])
    this.signal('SIGTERM')
    return await this.exit()
  }
}
