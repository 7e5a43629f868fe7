import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { listProcesses } from '../../../worker/local/processes.ts'
import type { Outcome } from './headgate.ts'
import { until } from './until.ts'

/** The built command, as the package installs it. */
export const HEADGATE = resolve(import.meta.dirname, '../../../agent/package/dist/headgate.js')

export interface FoundProcess {
  pid: number
  parent: number
  command: string
}

/**
 * A folder of a test's own. It is the home of all that is started in it, so that every process that knows of it, however far
 * down and whoever has died in between, can be found by its environment.
 */
export class Sandbox {
  readonly folder: string
  readonly environment: Record<string, string>

  constructor(parent = tmpdir()) {
    this.folder = mkdtempSync(join(parent, 'headgate-e2e-'))
    const temporary = join(this.folder, 'tmp')
    mkdirSync(temporary)
    this.environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.folder,
      HEADGATE_HOME: join(this.folder, 'home'),
      TMPDIR: temporary,
      TZ: 'UTC',
      NODE_COMPILE_CACHE: join(tmpdir(), 'headgate-compile-cache'),
    }
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** All living processes that were started in here. */
  processes(): FoundProcess[] {
    return listProcesses()
      .filter(({ command }) => command.includes(this.folder))
      .map(({ pid, parent, command }) => ({ pid, parent, command: command.slice(0, 300) }))
  }

  /** Resolves when nothing that was started in here is left. */
  async isEmpty(milliseconds = 15_000): Promise<void> {
    let left: FoundProcess[] = []
    const isEmpty = () => {
      left = this.processes()
      return left.length === 0
    }
    await until('no process is left', isEmpty, milliseconds).catch((error: unknown) => {
      throw new Error(left.map(({ pid, command }) => `${pid} ${command}`).join('\n'), {
        cause: error,
      })
    })
  }

  /** Runs `headgate` with these words to its end. */
  headgate(words: string[], options: { env?: Record<string, string>; cwd?: string } = {}) {
    return this.run([HEADGATE, ...words], options)
  }

  /** Runs Node with these words to its end. */
  run(
    words: string[],
    options: { env?: Record<string, string>; cwd?: string } = {},
  ): Promise<Outcome> {
    return new Promise((settle, fail) => {
      const child = spawn(process.execPath, words, {
        cwd: options.cwd ?? this.folder,
        env: { ...this.environment, ...options.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let stdout = ''
      let stderr = ''
      child.stdout.on('data', (chunk) => (stdout += String(chunk)))
      child.stderr.on('data', (chunk) => (stderr += String(chunk)))
      child.on('error', fail)
      child.on('close', (code) => {
        settle({ code, stdout, stderr })
      })
    })
  }

  /** Ends whatever the test has left behind, and removes the folder. */
  async dispose(): Promise<void> {
    await until('the processes of the test end', () => {
      const left = this.processes()
      for (const { pid } of left) {
        kill(pid)
      }
      return left.length === 0
    })
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** A process that is gone is no error. */
export function kill(pid: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) {
      throw error
    }
  }
}

/** The first port from here on that nobody listens on. */
export async function freePort(first: number): Promise<number> {
  for (let port = first; port < first + 50; port += 1) {
    const isFree = await new Promise<boolean>((settle) => {
      const probe = createServer()
      probe.once('error', () => settle(false))
      probe.listen(port, '127.0.0.1', () => probe.close(() => settle(true)))
    })
    if (isFree) {
      return port
    }
  }
  throw new Error(`no port from ${first} to ${first + 49} is free`)
}
