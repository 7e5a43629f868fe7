import { eventHubStub } from '../operations/stubs.ts'
import type { Api } from './endpoint.ts'
import { closeSocket, joinSockets, socketRoute } from './socket.ts'

export function addFeedRoutes(api: Api): void {
  socketRoute(
    api,
    {
      path: '/feed',
      tag: 'Feed',
      summary:
        'The change feed: a WebSocket. The first frame is `{"type":"auth","token":"<API key>"}`, then `subscribe`',
    },
    async (connection) => {
      const upgrade = new Request('https://hub/feed', { headers: { Upgrade: 'websocket' } })
      const hub = (await eventHubStub(connection.workspace).fetch(upgrade)).webSocket
      if (hub === null) {
        closeSocket(connection.socket, 1011, 'The feed is away; connect again')
        return
      }
      hub.accept({ allowHalfOpen: true })
      joinSockets(connection, hub)
    },
  )
}
