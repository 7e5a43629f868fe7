import * as z from 'zod'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { eventHubStub } from '../operations/stubs.ts'
import { identifyToken, Unauthorized } from './auth.ts'
import { endpoint, type Api } from './endpoint.ts'

/** A client that does not say who it is within this time is gone. */
const AUTH_WAIT_MS = 10_000
/** How soon a revoked key loses its feed. */
const RECHECK_MS = 60_000

const authFrame = z.object({ type: z.literal('auth'), token: z.string().nullish() })

export function addFeedRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/feed',
      tag: 'Feed',
      summary:
        'The change feed: a WebSocket. The first frame is `{"type":"auth","token":"<API key>"}`, then `subscribe`',
      answers: { 101: null },
      errors: [400],
      // Browsers can't send a header with an upgrade: the first frame carries the key instead.
      open: true,
    },
    ({ context }) => {
      if (context.req.header('Upgrade')?.toLowerCase() !== 'websocket') {
        return { response: context.json({ detail: 'Expected a WebSocket upgrade' }, 426) }
      }
      const { 0: client, 1: server } = new WebSocketPair()
      server.accept()
      const address = context.req.param() as Address
      context.executionCtx.waitUntil(serve(server, context.env, address))
      const offered = (context.req.header('Sec-WebSocket-Protocol') ?? '').split(/\s*,\s*/)
      return {
        response: new Response(null, {
          status: 101,
          webSocket: client,
          headers: offered.includes('prefect') ? { 'Sec-WebSocket-Protocol': 'prefect' } : {},
        }),
      }
    },
  )
}

interface Address {
  account_id?: string
  workspace_id?: string
}

/** Checks who is there, then joins the client's socket to the hub's, which may sleep while this one waits. */
async function serve(client: WebSocket, bindings: Bindings, address: Address): Promise<void> {
  const inbox = new Inbox(client)
  try {
    const frame = authFrame.safeParse(parseJson(await inbox.first()))
    if (!frame.success) {
      tryClose(client, 1008, "Expected 'auth' message")
      return
    }
    const token = frame.data.token ?? ''
    if (token === '') {
      tryClose(client, 1008, 'Auth required but no token provided')
      return
    }
    const workspace = await authorize(bindings, token, address)
    const upgrade = new Request('https://hub/feed', { headers: { Upgrade: 'websocket' } })
    const hub = (await eventHubStub(workspace).fetch(upgrade)).webSocket
    if (hub === null) {
      tryClose(client, 1011, 'The feed is away; connect again')
      return
    }
    hub.accept()
    client.send(JSON.stringify({ type: 'auth_success' }))
    join(client, hub, inbox)
    recheck(client, () => authorize(bindings, token, address))
  } catch (error) {
    if (error instanceof Unauthorized) {
      tryClose(client, 1008, 'Invalid token')
    } else {
      // The store or the hub is away, or the client has gone; 1011 makes a client come back.
      tryClose(client, 1011, 'The feed is away; connect again')
    }
  }
}

/** Whose feed it is. Throws `Unauthorized`; a foreign address is as one that does not exist. */
async function authorize(bindings: Bindings, token: string, address: Address): Promise<Workspace> {
  const { workspace } = await identifyToken(bindings, token, Date.now() * 1000, true)
  const named = address.account_id !== undefined || address.workspace_id !== undefined
  if (
    named &&
    (address.account_id?.toLowerCase() !== workspace.account_id ||
      address.workspace_id?.toLowerCase() !== workspace.id)
  ) {
    throw new Unauthorized()
  }
  return workspace
}

/** Holds what the client sends while it is being checked: it need not wait for the answer. */
class Inbox {
  #kept: (string | ArrayBuffer)[] = []
  #deliver: ((message: string | ArrayBuffer) => void) | undefined

  constructor(socket: WebSocket) {
    socket.addEventListener('message', ({ data }) => {
      if (this.#deliver === undefined) {
        this.#kept.push(data)
      } else {
        this.#deliver(data)
      }
    })
  }

  /** The first frame; undefined when it does not come in time. */
  async first(): Promise<string | ArrayBuffer | undefined> {
    const kept = this.#kept.shift()
    if (kept !== undefined) {
      return kept
    }
    return await new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(undefined)
      }, AUTH_WAIT_MS)
      this.#deliver = (message) => {
        clearTimeout(timer)
        this.#deliver = undefined
        resolve(message)
      }
    })
  }

  forward(deliver: (message: string | ArrayBuffer) => void): void {
    for (const message of this.#kept) {
      deliver(message)
    }
    this.#kept = []
    this.#deliver = deliver
  }
}

/** Both ways, and whichever end closes closes the other. */
function join(client: WebSocket, hub: WebSocket, inbox: Inbox): void {
  hub.addEventListener('message', ({ data }) => {
    trySend(client, data)
  })
  hub.addEventListener('close', ({ code, reason }) => {
    tryClose(client, code, reason)
  })
  client.addEventListener('close', ({ code, reason }) => {
    tryClose(hub, code, reason)
  })
  inbox.forward((message) => {
    trySend(hub, message)
  })
}

/** Looks at the key again and again while the socket is open. Timers in the Worker cost nothing while they wait. */
function recheck(client: WebSocket, authorizeAgain: () => Promise<Workspace>): void {
  const timer = setInterval(() => {
    authorizeAgain().catch((error: unknown) => {
      // A store that is away says nothing against the key.
      if (error instanceof Unauthorized) {
        tryClose(client, 1008, 'Invalid token')
      }
    })
  }, RECHECK_MS)
  client.addEventListener('close', () => {
    clearInterval(timer)
  })
}

/** One end may have gone a moment ago; its close event does the rest. */
function trySend(socket: WebSocket, data: string | ArrayBuffer): void {
  if (socket.readyState === WebSocket.OPEN) {
    socket.send(data)
  }
}

function tryClose(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.OPEN) {
    // 1005 and 1006 only report that there was no close frame; they can't be sent. A hub that vanished is worth a retry.
    socket.close(code === 1006 ? 1011 : code === 1005 ? 1000 : code, reason)
  }
}

function parseJson(message: string | ArrayBuffer | undefined): unknown {
  try {
    return typeof message === 'string' ? JSON.parse(message) : undefined
  } catch {
    return undefined
  }
}
