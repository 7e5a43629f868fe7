import { join } from 'node:path'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import { Http } from './http.ts'

export interface Floor {
  /** `GET /` is a bare route; `POST /transaction` one SQLite transaction in a Durable Object, its answer after the disk has it. */
  http: Http
  stop: () => Promise<void>
}

const SCRIPT = `
import { DurableObject } from 'cloudflare:workers'
export class Row extends DurableObject {
  constructor(state, env) {
    super(state, env)
    state.storage.sql.exec('CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, body TEXT)')
  }
  write(id) {
    this.ctx.storage.sql.exec('INSERT OR REPLACE INTO row (id, body) VALUES (?, ?)', id, '{}')
  }
}
let next = 0
export default {
  async fetch(request, env) {
    if (request.method === 'POST') {
      next += 1
      await env.ROW.get(env.ROW.idFromName('row')).write(next % 1000)
    }
    return Response.json({ ok: true })
  },
}
`

/** The least that anything on this runtime can take. */
export async function startFloor(folder: string, port: number): Promise<Floor> {
  const options = convertV4MiniflareOptions({
    workers: [
      {
        name: 'floor',
        modules: [{ type: 'ESModule', path: 'floor.js', contents: SCRIPT }],
        compatibilityDate: '2026-10-01',
        durableObjects: { ROW: { className: 'Row', useSQLite: true } },
        // As the local server does it: Miniflare's own front is a Worker, too.
        unsafeDirectSockets: [{ host: '127.0.0.1', port }],
      },
    ],
    resourcePersistencePath: join(folder, 'floor'),
    cf: false,
    host: '127.0.0.1',
    port: 0,
    log: new Log(LogLevel.WARN),
  })
  const runtime = new Miniflare(options)
  await runtime.ready
  const http = new Http(`http://127.0.0.1:${port}`)
  return {
    http,
    stop: async () => {
      http.close()
      await runtime.dispose()
    },
  }
}
