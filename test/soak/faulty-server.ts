import { join } from 'node:path'
import type { D1Faults } from '../support/d1-faults.ts'
import { startWrapped } from './wrapped-server.ts'

// The built server as `npm start -- --json` runs it, with faults before its D1 on command:
//
//   node test/soak/faulty-server.ts --state DIR --port N
//
// `POST /api/test/d1-faults` takes a `D1Faults` (see `../support/d1-faults.ts`; `{}` heals), `GET` answers what is set and how many calls
// it befell. A workerd that is killed forgets them and starts with those in `HEADGATE_TEST_D1_FAULTS`, or none.
// `LocalServer.launch(sandbox, port, { faulty: true })` runs it, `setD1Faults(origin, faults)` below sets them.

const D1_FAULTS_PATH = '/api/test/d1-faults'

if (process.argv[1] === import.meta.filename) {
  const first = JSON.parse(process.env['HEADGATE_TEST_D1_FAULTS'] ?? '{}') as D1Faults
  await startWrapped(
    (classes) => faultyWorker(classes, first),
    join(import.meta.dirname, '../support/d1-faults.ts'),
  )
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
