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
  const { assets, ...worker } = described
  const modules = withFront([
    ...(options.before ?? []),
    { name: 'index.js', text: readFileSync(join(built, 'index.js'), 'utf8') },
  ])
  const converted = convertV4MiniflareOptions({
    workers: [
      {
        ...worker,
        name: 'headgate',
        modulesRoot: built,
        modules: modules.map(toModule),
        bindings: {
          HEADGATE_SECRET: options.secret,
          HEADGATE_URL: addressesOf(options),
          HEADGATE_LOCAL_OUTBOX: LOOPBACK.has(options.host) ? 'shown' : 'told',
          ...LIMITS,
          ...settingsOfEnvironment(),
        },
        serviceBindings: { ASSETS: 'console' },
        // Miniflare's own front and its router of assets are Workers, too: three more that each request would pass.
        unsafeDirectSockets: [{ host: options.host, port: options.port }],
      },
      {
        name: 'console',
        compatibilityDate: worker.compatibilityDate ?? '',
        assets: { ...assets, directory: join(root, 'web/build') },
        modulesRoot: built,
        modules: [toModule({ name: 'console.js', text: CONSOLE })],
        serviceBindings: { API: { name: 'headgate', entrypoint: 'api' } },
      },
    ],
    host: '127.0.0.1',
    port: 0,
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

/** What is no asset is the API's to answer, as on the platform. */
const CONSOLE = 'export default { fetch: (request, env) => env.API.fetch(request) }'

/** As `run_worker_first` says on the platform: the API's requests go to the Worker, all others to the assets first. */
function withFront(modules: LocalModule[]): LocalModule[] {
  const next = modules[0]?.name ?? ''
  const text = `
    import api from './${next}'
    export * from './${next}'
    export { api }
    export default {
      fetch(request, env, context) {
        const isForApi = new URL(request.url).pathname.startsWith('/api/')
        return isForApi ? api.fetch(request, env, context) : env.ASSETS.fetch(request)
      },
    }`
  return [{ name: 'front.js', text }, ...modules]
}

function toModule({ name, text }: LocalModule) {
  return { type: 'ESModule' as const, path: join(built, name), contents: text }
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

/** Who runs a server for himself need not be kept from using it up: these only keep a program that has run wild from it. */
const LIMITS = {
  HEADGATE_REQUESTS_PER_KEY: '60000',
  HEADGATE_REQUESTS_PER_WORKSPACE: '60000',
}

/** Who listens there is reached from this machine alone. */
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1'])

/** By which browsers on this machine know the server. */
function addressesOf({ host, port }: RuntimeOptions): string {
  const hosts = LOOPBACK.has(host)
    ? [host, 'localhost', '127.0.0.1']
    : ['localhost', '127.0.0.1', host]
  const named = hosts.map((name) => (name.includes(':') ? `[${name}]` : name))
  return [...new Set(named)].map((name) => `http://${name}:${port}`).join(' ')
}

/** Settings of the Worker that may be given to a local one: where notifications may go, what its own names are, who may call. */
function settingsOfEnvironment(): Record<string, string> {
  const names = [
    'HEADGATE_ALLOW_PRIVATE_NOTIFICATIONS',
    'HEADGATE_CORS_ORIGINS',
    'HEADGATE_OPERATOR_KEY',
    'HEADGATE_OWN_HOSTS',
    'HEADGATE_URL',
    'HEADGATE_SIGN_UP',
    'HEADGATE_GITHUB_ID',
    'HEADGATE_GITHUB_SECRET',
    'HEADGATE_GOOGLE_ID',
    'HEADGATE_GOOGLE_SECRET',
    'HEADGATE_MAIL_FROM',
    'HEADGATE_MAIL_URL',
    'HEADGATE_MAIL_HEADER',
    'HEADGATE_MAIL_BODY',
    'HEADGATE_REQUESTS_PER_KEY',
    'HEADGATE_REQUESTS_PER_WORKSPACE',
    'HEADGATE_PLAN',
    'HEADGATE_LIMITS',
  ]
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}
