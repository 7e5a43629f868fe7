import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startServer } from '../worker/local/server.ts'
import { onStopSignal } from '../worker/local/stop-signals.ts'

// The built server as `npm start -- --json` runs it, with a counter around it: `GET /api/bench/counts` answers with what was
// counted since the last time (`counting.ts`).

export const COUNTS_PATH = '/api/bench/counts'

const root = join(import.meta.dirname, '..')

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
    before: countingModules(),
  })
  running = server
  const { api_url, workspace_api_url, console_url, api_key } = server
  process.stdout.write(`${JSON.stringify({ api_url, workspace_api_url, console_url, api_key })}\n`)
}

function countingModules() {
  const counting = readFileSync(join(import.meta.dirname, 'counting.ts'), 'utf8')
  const described = JSON.parse(readFileSync(join(root, 'dist/worker/options.json'), 'utf8')) as {
    durableObjects: Record<string, string | { className: string }>
  }
  const classes = Object.values(described.durableObjects).map((object) =>
    typeof object === 'string' ? object : object.className,
  )
  return [
    { name: 'counting-worker.js', text: countingWorker(classes) },
    { name: 'counting.js', text: stripTypeScriptTypes(counting) },
  ]
}

function countingWorker(classes: string[]): string {
  return `import app, * as worker from './index.js'
    import { countDatabase, counting, countRequest, takeCounts } from './counting.js'
    ${classes.map((name) => `export const ${name} = counting(worker.${name}, '${name}')`).join('\n')}
    export default {
      fetch: async (request, bindings, context) => {
        countDatabase(bindings.DB)
        if (new URL(request.url).pathname === '${COUNTS_PATH}') {
          return Response.json(takeCounts())
        }
        return await countRequest(request, async () => app.fetch(request, bindings, context))
      },
    }`
}
