import { join } from 'node:path'
import { startWrapped } from '../test/soak/wrapped-server.ts'

// The built server as `npm start -- --json` runs it, with a counter around it: `GET /api/bench/counts` answers with what was
// counted since the last time (`counting.ts`).

export const COUNTS_PATH = '/api/bench/counts'

if (process.argv[1] === import.meta.filename) {
  await startWrapped(countingWorker, join(import.meta.dirname, 'counting.ts'))
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
