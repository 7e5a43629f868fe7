import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startServer } from '../../worker/local/server.ts'
import { onStopSignal } from '../../worker/local/stop-signals.ts'
import type { D1Faults } from '../support/d1-faults.ts'

// The built server as `npm start -- --json` runs it, with faults before its D1 on command:
//
//   node test/soak/faulty-server.ts --state DIR --port N
//
// `POST /api/test/d1-faults` takes a `D1Faults` (see `../support/d1-faults.ts`; `{}` heals), `GET` answers what is set and how many calls
// it befell. A workerd that is killed forgets them and starts with those in `HEADGATE_TEST_D1_FAULTS`, or none.
// `LocalServer.launch(sandbox, port, { faulty: true })` runs it, `setD1Faults(origin, faults)` below sets them.

const D1_FAULTS_PATH = '/api/test/d1-faults'

const root = join(import.meta.dirname, '../..')

if (process.argv[1] === import.meta.filename) {
  await start()
}

async function start(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '4280' },
      state: { type: 'string', default: '.headgate' },
      json: { type: 'boolean' },
    },
  })
  let running: { stop: () => Promise<void> } | undefined
  onStopSignal(async () => running?.stop(), 0)
  const server = await startServer({
    state: values.state,
    port: Number(values.port),
    before: faultyModules(),
    onRestart: () => process.stderr.write('workerd had gone; it was started again\n'),
  })
  running = server
  const { api_url, workspace_api_url, console_url, api_key } = server
  process.stdout.write(`${JSON.stringify({ api_url, workspace_api_url, console_url, api_key })}\n`)
}

function faultyModules() {
  const faults = readFileSync(join(import.meta.dirname, '../support/d1-faults.ts'), 'utf8')
  const described = JSON.parse(readFileSync(join(root, 'dist/worker/options.json'), 'utf8')) as {
    durableObjects: Record<string, string | { className: string }>
  }
  const classes = Object.values(described.durableObjects).map((object) =>
    typeof object === 'string' ? object : object.className,
  )
  const first: D1Faults = JSON.parse(process.env['HEADGATE_TEST_D1_FAULTS'] ?? '{}') as D1Faults
  return [
    { name: 'faulty-worker.js', text: faultyWorker(classes, first) },
    { name: 'd1-faults.js', text: stripTypeScriptTypes(faults) },
  ]
}

function faultyWorker(classes: string[], first: D1Faults): string {
  const objects = classes.map(
    (name) => `export class ${name} extends worker.${name} {
      constructor(state, bindings) { super(state, withD1Faults(bindings)) }
    }`,
  )
  return `import app, * as worker from './index.js'
    import { d1, setD1Faults, withD1Faults } from './d1-faults.js'
    ${objects.join('\n')}
    setD1Faults(${JSON.stringify(first)})
    export default {
      fetch: async (request, bindings, context) => {
        if (new URL(request.url).pathname !== '${D1_FAULTS_PATH}') {
          return app.fetch(request, withD1Faults(bindings), context)
        }
        if (request.method === 'POST') {
          setD1Faults(await request.json())
        }
        return Response.json(d1)
      },
    }`
}

/** What befalls the calls of D1 from now on; answers with what befell those since the last time. */
export async function setD1Faults(origin: string, faults: D1Faults): Promise<void> {
  const response = await fetch(new URL(D1_FAULTS_PATH, origin), {
    method: 'POST',
    body: JSON.stringify(faults),
  })
  if (!response.ok) {
    throw new Error(`the faults were not set: ${response.status}`)
  }
}

export async function readD1Faults(
  origin: string,
): Promise<{ faults: D1Faults; calls: number; befallen: number }> {
  const response = await fetch(new URL(D1_FAULTS_PATH, origin))
  return (await response.json()) as { faults: D1Faults; calls: number; befallen: number }
}
