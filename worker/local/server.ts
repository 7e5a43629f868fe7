import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasOwner } from '../storage/setup-links.ts'
import { createWorkspace } from '../operations/create-workspace.ts'
import { planSetupLink } from '../operations/set-up-owner.ts'
import { ownWorkerds } from './processes.ts'
import { type LocalModule, startRuntime } from './runtime.ts'
import { StateFolder, type Credentials } from './state.ts'

const root = join(import.meta.dirname, '../..')

export interface LocalServerOptions {
  /** The folder that everything is kept in. */
  state: string
  port: number
  host?: string
  /** Called when the server went down by itself and has been started again. */
  onRestart?: () => void
  /** Modules before the Worker's own. For tests. */
  before?: LocalModule[]
}

export interface LocalServer {
  api_url: string
  workspace_api_url: string
  console_url: string
  api_key: string
  /** Where the account's first owner is made; undefined when it has one. */
  set_up_url: string | undefined
  /** Makes one more workspace, with an account of its own; answers with its key. */
  addWorkspace: (name: string) => Promise<string>
  stop: () => Promise<void>
}

/** How often the server looks whether its workerd is still there. */
const WATCH_MS = 1000
/** Miniflare starts a workerd that was killed again by itself; when none is there for so long, it could not. */
const GONE_MS = 15_000

/** Runs the built Worker on this machine's workerd, on state that survives a restart. */
export async function startServer(options: LocalServerOptions): Promise<LocalServer> {
  const state = new StateFolder(options.state)
  await state.takeOver()
  const known = state.readCredentials()
  const secret = known?.secret ?? randomBytes(32).toString('base64url')
  const start = () =>
    startRuntime({
      host: options.host ?? '127.0.0.1',
      port: options.port,
      data: join(state.path, 'data'),
      secret,
      ...(options.before === undefined ? {} : { before: options.before }),
      onRestart: () => {
        state.noteServer(ownWorkerds())
        options.onRestart?.()
      },
    })
  let runtime = await start()
  state.noteServer(ownWorkerds())
  const database = await runtime.getD1Database('DB')
  await applyMigrations(database)
  const credentials = known ?? (await makeWorkspace(database, secret))
  if (known === undefined) {
    state.writeCredentials(credentials)
  }
  const watch = new AbortController()
  const watching = keepUp()

  /** workerd may be killed at any time; the state is on disk, so a new one goes on where it was. */
  async function keepUp(): Promise<void> {
    let seen = Date.now()
    while (!watch.signal.aborted) {
      await sleep(WATCH_MS, undefined, { signal: watch.signal }).catch(() => undefined)
      if (isThere()) {
        seen = Date.now()
      } else if (!watch.signal.aborted && Date.now() - seen > GONE_MS) {
        await runtime.dispose().catch(() => undefined)
        runtime = await start()
        state.noteServer(ownWorkerds())
        options.onRestart?.()
      }
    }
  }

  const origin = `http://${options.host ?? '127.0.0.1'}:${options.port}`
  const { account_id, workspace_id, api_key } = credentials
  const setUpPath = await newSetupLink(database, account_id)
  return {
    api_url: `${origin}/api`,
    workspace_api_url: `${origin}/api/accounts/${account_id}/workspaces/${workspace_id}`,
    console_url: origin,
    api_key,
    set_up_url: setUpPath === undefined ? undefined : origin + setUpPath,
    addWorkspace: async (name) => {
      const spec = { account_name: name, workspace_name: name, key_name: name }
      const db = await runtime.getD1Database('DB')
      return (await createWorkspace(db, spec, Date.now() * 1000)).key
    },
    stop: async () => {
      watch.abort()
      await watching
      await runtime.dispose()
      state.forgetServer()
    },
  }
}

function isThere(): boolean {
  try {
    return ownWorkerds().length > 0
  } catch {
    // The list of processes could not be read; it can the next time.
    return true
  }
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

/** Each start without an owner makes a link anew: only its hash is kept. */
async function newSetupLink(database: D1Database, accountId: string): Promise<string | undefined> {
  if (await hasOwner(database, accountId)) {
    return undefined
  }
  const { path, statements } = await planSetupLink(accountId, Date.now() * 1000)
  await database.batch(statements.map(({ sql, values }) => database.prepare(sql).bind(...values)))
  return path
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
