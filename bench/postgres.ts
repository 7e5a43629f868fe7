import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { until } from '../test/support/node/until.ts'
import { makePythonEnvironment } from '../worker/local/python-environment.ts'

const ROOT = join(import.meta.dirname, '..')
/** Its programs find their libraries beside it, in `<package>.libs`. */
const PACKAGE = 'embedded_postgres'
/** PostgreSQL refuses to run as root; on Linux this is the user `nobody`. */
const NOBODY = 65_534

export interface Postgres {
  /** As Prefect takes it. */
  url: string
  pid: number
  stop: () => Promise<void>
}

/**
 * Starts a PostgreSQL from a package of binaries on fresh data, with its default settings.
 * @throws Error that says why it can't be started here
 */
export async function startPostgres(parent: string, port: number): Promise<Postgres> {
  const environment = join(ROOT, '.prefect/postgres')
  makePythonEnvironment(environment, join(ROOT, 'bench/requirements-postgres.txt'))
  const installed = findInstallation(environment)
  const folder = mkdtempSync(join(parent, 'headgate-postgres-'))
  chmodSync(folder, 0o755)
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  const isRoot = process.getuid?.() === 0
  const owner = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
  // Another user may not be able to read where this checkout is.
  const packages = isRoot ? join(folder, 'packages') : installed
  const bin = join(packages, PACKAGE, 'pginstall/bin')
  if (isRoot) {
    for (const name of [PACKAGE, `${PACKAGE}.libs`]) {
      cpSync(join(installed, name), join(packages, name), { recursive: true })
    }
    chownSync(data, NOBODY, NOBODY)
  }
  const options = {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' },
    ...owner,
  }
  const made = spawnSync(
    join(bin, 'initdb'),
    ['--pgdata', data, '--username', 'prefect', '--auth', 'trust', '--encoding', 'UTF8'],
    { ...options, encoding: 'utf8' },
  )
  if (made.status !== 0) {
    rmSync(folder, { recursive: true, force: true })
    throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`)
  }
  const words = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '']
  const child = spawn(join(bin, 'postgres'), words, {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk) => (said += String(chunk)))
  const closed = new Promise((resolve) => child.once('close', resolve))
  const stop = async () => {
    // Ends sessions at once and shuts down in order.
    child.kill('SIGINT')
    await closed
    rmSync(folder, { recursive: true, force: true })
  }
  const isReady = async () => {
    if (child.exitCode !== null) {
      throw new Error(`postgres ended: ${said.slice(-500)}`)
    }
    return said.includes('ready to accept connections') && (await listens(port))
  }
  await until('postgres is ready', isReady, 30_000).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return {
    url: `postgresql+asyncpg://prefect@127.0.0.1:${port}/postgres`,
    pid: child.pid ?? 0,
    stop,
  }
}

function findInstallation(environment: string): string {
  const lib = join(environment, 'lib')
  const found = readdirSync(lib)
    .map((python) => join(lib, python, 'site-packages'))
    .find((folder) => existsSync(join(folder, PACKAGE, 'pginstall')))
  if (found === undefined) {
    throw new Error('the package embedded-postgres holds no binaries for this machine')
  }
  return found
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
