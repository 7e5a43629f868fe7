import * as z from 'zod'
import { logFilter } from '#core/wire/query.ts'
import { logShardsOf } from '../operations/stubs.ts'
import { subscribe } from '../operations/subscription.ts'
import { demands } from '#domain/log-query.ts'
import type { Api } from './endpoint.ts'
import { sendFrame, socketRoute, type Connection } from './socket.ts'
import { holdOpen, readFilter } from './subscriber.ts'

const filterFrame = z.object({ type: z.literal('filter'), filter: logFilter })

export function addLogSocketRoute(api: Api): void {
  socketRoute(
    api,
    {
      path: '/logs/out',
      tag: 'Logs',
      summary:
        'A WebSocket that sends log lines as they come: after `{"type":"filter","filter":…}`, `{"type":"log","log":…}`',
    },
    sendLogs,
  )
}

/** Lines come from the shards that keep them; each is asked by a socket of its own. */
async function sendLogs(connection: Connection): Promise<void> {
  const frame = await readFilter(connection, filterFrame)
  if (frame === undefined) {
    return
  }
  const shards = logShardsOf(connection.workspace, demands(frame.filter).flowRunIds)
  const sockets = await Promise.all(
    shards.map((shard) =>
      subscribe(shard, '/logs', frame.filter, (text) => {
        sendFrame(connection.socket, text)
      }),
    ),
  )
  holdOpen(connection, sockets)
}
