import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  convertV4MiniflareOptions,
  Log,
  LogLevel,
  Miniflare,
  type V4WorkerOptions,
} from 'miniflare'

const root = join(import.meta.dirname, '../..')
const built = join(root, 'dist/worker')

export interface RuntimeOptions {
  host: string
  port: number
  /** Where the databases and the objects are kept. */
  data: string
  secret: string
  /** workerd had gone and has been started again. */
  onRestart: () => void
  /** Modules before the Worker's own, which they import as `./index.js`; the first is the one that is run. For tests. */
  before?: LocalModule[]
}

export interface LocalModule {
  name: string
  text: string
}

/** Runs the built Worker on a workerd; resolves when it answers. */
export async function startRuntime(options: RuntimeOptions): Promise<Miniflare> {
  if (!existsSync(join(built, 'options.json'))) {
    throw new Error('the Worker is not built; run `npm run build`')
  }
  const described = JSON.parse(readFileSync(join(built, 'options.json'), 'utf8')) as V4WorkerOptions
  const converted = convertV4MiniflareOptions({
    ...described,
    name: 'headgate',
    modulesRoot: built,
    modules: [
      ...(options.before ?? []).map(({ name, text }) => ({
        type: 'ESModule' as const,
        path: join(built, name),
        contents: text,
      })),
      {
        type: 'ESModule',
        path: join(built, 'index.js'),
        contents: readFileSync(join(built, 'index.js'), 'utf8'),
      },
    ],
    assets: { ...described.assets, directory: join(root, 'web/build') },
    bindings: { HEADGATE_SECRET: options.secret, ...settingsOfEnvironment() },
    host: options.host,
    port: options.port,
    // Nothing here asks the internet about the request's origin.
    cf: false,
    resourcePersistencePath: options.data,
    log: new StderrLog(LogLevel.WARN),
    handleRuntimeStdio: forwardToStderr,
    unsafeHandleRuntimeRestart: options.onRestart,
  })
  const runtime = keepingSignals(() => new Miniflare(converted))
  await runtime.ready
  return runtime
}

/** Standard output belongs to whoever started the server. */
class StderrLog extends Log {
  protected override log(message: string): void {
    process.stderr.write(`${message}\n`)
  }
}

function forwardToStderr(stdout: NodeJS.ReadableStream, stderr: NodeJS.ReadableStream): void {
  stdout.on('data', (chunk: Buffer) => process.stderr.write(chunk))
  stderr.on('data', (chunk: Buffer) => process.stderr.write(chunk))
}

/** Miniflare ends the whole process at once on these; here what was started is stopped first, in its order. */
function keepingSignals<T>(make: () => T): T {
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  const before = signals.map((signal) => new Set(process.listeners(signal)))
  const made = make()
  for (const [index, signal] of signals.entries()) {
    for (const listener of process.listeners(signal)) {
      if (before[index]?.has(listener) !== true) {
        process.off(signal, listener)
      }
    }
  }
  return made
}

/** Settings of the Worker that may be given to a local one: where notifications may go, and what its own names are. */
function settingsOfEnvironment(): Record<string, string> {
  const names = ['HEADGATE_ALLOW_PRIVATE_NOTIFICATIONS', 'HEADGATE_OWN_HOSTS']
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}
