import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  convertV4MiniflareOptions,
  Log,
  LogLevel,
  Miniflare,
  type V4WorkerOptions,
} from 'miniflare'
import { createWorkspace } from '../operations/create-workspace.ts'
import { childrenOf, isAlive, type ProcessMark } from './processes.ts'
import { StateFolder, type Credentials } from './state.ts'

const root = join(import.meta.dirname, '../..')

export interface LocalServerOptions {
  /** The folder that everything is kept in. */
  state: string
  port: number
  host?: string
  /** Called when the server went down by itself and has been started again. */
  onRestart?: () => void
}

export interface LocalServer {
  api_url: string
  workspace_api_url: string
  console_url: string
  api_key: string
  /** The processes of workerd, for tests that kill them. */
  children: () => ProcessMark[]
  stop: () => Promise<void>
}

/** How often the server looks whether its workerd is still there. */
const WATCH_MS = 500

/** Runs the built Worker on this machine's workerd, on state that survives a restart. */
export async function startServer(options: LocalServerOptions): Promise<LocalServer> {
  const state = new StateFolder(options.state)
  await state.takeOver()
  const known = state.readCredentials()
  const secret = known?.secret ?? randomBytes(32).toString('base64url')
  let runtime = await startRuntime(options, state, secret)
  const database = await runtime.getD1Database('DB')
  await applyMigrations(database)
  const credentials = known ?? (await makeWorkspace(database, secret))
  if (known === undefined) {
    state.writeCredentials(credentials)
  }
  let children = childrenOf(process.pid)
  const watch = new AbortController()
  const watching = keepUp()

  /** workerd may be killed; the state is on disk, so a new one goes on where it was. */
  async function keepUp(): Promise<void> {
    while (!watch.signal.aborted) {
      await sleep(WATCH_MS)
      if (watch.signal.aborted || children.some((child) => isAlive(child))) {
        continue
      }
      await runtime.dispose().catch(() => undefined)
      runtime = await startRuntime(options, state, secret)
      children = childrenOf(process.pid)
      options.onRestart?.()
    }
  }

  const origin = `http://${options.host ?? '127.0.0.1'}:${options.port}`
  const { account_id, workspace_id, api_key } = credentials
  return {
    api_url: `${origin}/api`,
    workspace_api_url: `${origin}/api/accounts/${account_id}/workspaces/${workspace_id}`,
    console_url: origin,
    api_key,
    children: () => children,
    stop: async () => {
      watch.abort()
      await watching
      await runtime.dispose()
      state.forgetServer()
    },
  }
}

async function startRuntime(
  options: LocalServerOptions,
  state: StateFolder,
  secret: string,
): Promise<Miniflare> {
  const built = join(root, 'dist/worker')
  if (!existsSync(join(built, 'options.json'))) {
    throw new Error('the Worker is not built; run `npm run build`')
  }
  const described = JSON.parse(readFileSync(join(built, 'options.json'), 'utf8')) as V4WorkerOptions
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      ...described,
      name: 'headgate',
      modulesRoot: built,
      modules: [
        {
          type: 'ESModule',
          path: join(built, 'index.js'),
          contents: readFileSync(join(built, 'index.js'), 'utf8'),
        },
      ],
      assets: { ...described.assets, directory: join(root, 'web/build') },
      bindings: { HEADGATE_SECRET: secret },
      host: options.host ?? '127.0.0.1',
      port: options.port,
      // Nothing here asks the internet about the request's origin.
      cf: false,
      resourcePersistencePath: join(state.path, 'data'),
      log: new Log(LogLevel.WARN),
      handleRuntimeStdio: forwardToStderr,
    }),
  )
  await runtime.ready
  state.noteServer(childrenOf(process.pid))
  return runtime
}

/** Standard output belongs to whoever started the server. */
function forwardToStderr(stdout: NodeJS.ReadableStream, stderr: NodeJS.ReadableStream): void {
  stdout.on('data', (chunk: Buffer) => process.stderr.write(chunk))
  stderr.on('data', (chunk: Buffer) => process.stderr.write(chunk))
}

/** The same as `wrangler d1 migrations apply`, in the same table. */
async function applyMigrations(database: D1Database): Promise<void> {
  await database.exec(
    'CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)',
  )
  const { results } = await database
    .prepare('SELECT name FROM d1_migrations')
    .all<{ name: string }>()
  const applied = new Set(results.map(({ name }) => name))
  const folder = join(root, 'migrations')
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith('.sql') && !applied.has(file))
    .toSorted()) {
    const statements = readFileSync(join(folder, name), 'utf8').split('--> statement-breakpoint')
    await database.batch([
      ...statements.map((statement) => database.prepare(statement)),
      database.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
    ])
  }
}

async function makeWorkspace(database: D1Database, secret: string): Promise<Credentials> {
  const spec = { account_name: 'local', workspace_name: 'default', key_name: 'local' }
  const created = await createWorkspace(database, spec, Date.now() * 1000)
  return {
    account_id: created.account_id,
    workspace_id: created.workspace_id,
    api_key: created.key,
    secret,
  }
}
