import { spawn, type ChildProcess } from 'node:child_process'
import { join, resolve } from 'node:path'
import { Sandbox } from '../../support/node/sandbox.ts'
import { until } from '../../support/node/until.ts'
import { PrefectDatabase } from './prefect-database.ts'

const VENV =
  process.env['HEADGATE_TEST_PREFECT'] ??
  resolve(import.meta.dirname, '../../../.prefect/venv-3.9.1')

/** The package's own server, with what it does by itself (schedules, late runs, events) as it is by default. */
export class PrefectServer {
  readonly url: string
  readonly #sandbox: Sandbox
  readonly #child: ChildProcess
  #database: PrefectDatabase | undefined
  #said = ''

  private constructor(port: number) {
    this.url = `http://127.0.0.1:${port}/api`
    this.#sandbox = new Sandbox()
    this.#child = spawn(join(VENV, 'bin/prefect'), ['server', 'start', '--port', String(port)], {
      cwd: this.#sandbox.folder,
      env: {
        ...this.#sandbox.environment,
        PREFECT_HOME: this.#sandbox.path('prefect'),
        PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
        DO_NOT_TRACK: '1',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const listen = (chunk: unknown) => (this.#said += String(chunk))
    this.#child.stdout?.on('data', listen)
    this.#child.stderr?.on('data', listen)
  }

  /** Resolves when it serves. */
  static async start(port: number): Promise<PrefectServer> {
    const server = new PrefectServer(port)
    const isReady = async () => {
      if (server.#child.exitCode !== null) {
        throw new Error(`the server of prefect ended: ${server.#said}`)
      }
      return (await fetch(`${server.url}/ready`).catch(() => undefined))?.ok ?? false
    }
    await until('the server of prefect is ready', isReady, 90_000)
    server.#database = new PrefectDatabase(server.#sandbox.path('prefect/prefect.db'))
    return server
  }

  /** Empties it, but for what it has made for itself. */
  clear(): void {
    this.#database?.clear()
  }

  async stop(): Promise<void> {
    this.#database?.close()
    this.#child.kill('SIGTERM')
    await this.#sandbox.dispose()
  }
}
