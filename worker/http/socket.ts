import type { Context } from 'hono'
import * as z from 'zod'
import { DomainError } from '#domain/errors.ts'
import type { Bindings } from '#storage/workspace.ts'
import {
  credentialsIn,
  identifyPerson,
  identifyToken,
  personOf,
  tokenOf,
  Unauthorized,
  type Address,
  type Identity,
} from './auth.ts'
import { endpoint, type Api, type AppEnv } from './endpoint.ts'
import { Inbox } from './inbox.ts'
import {
  requireUntired,
  spendRequest,
  spendSocket,
  spendStranger,
  TooManyRequests,
} from './rate-limits.ts'
import { requireOperation } from './rights.ts'
import type { PersonSession } from './session.ts'

/** A client that does not say who it is within this time is gone. */
const AUTH_WAIT_MS = 10_000
/** With the time that a look at a key is good for (`access-cache.ts`): a revoked key loses its socket within five seconds. */
const RECHECK_MS = 2000
/** A close frame has room for 123 bytes. Prefect's client shows the reason to its user. */
const NO_CREDENTIALS =
  "No credentials. Sockets don't carry PREFECT_API_KEY: set PREFECT_API_AUTH_STRING to the key"

const MAX_REASON = 120

const authFrame = z.object({ type: z.literal('auth'), token: z.string().nullish() })

/** A client's socket, open, with a checked caller. */
export interface Connection extends Identity {
  socket: WebSocket
  inbox: Inbox
}

export interface SocketSpec {
  /** As in OpenAPI: `/events/in`. */
  path: string
  tag: string
  summary: string
}

/**
 * Adds a WebSocket. `serve` begins once the client has said who it is; it or what it joins the socket to closes it.
 *
 * A client that offers the subprotocol `prefect` sends `{"type":"auth","token"}` first, and is answered
 * `{"type":"auth_success"}`. Without a token there, the upgrade's Authorization header counts. A client that offers no
 * subprotocol, as Prefect's does towards its cloud, has the header alone and no such frame.
 */
export function socketRoute(
  api: Api,
  spec: SocketSpec,
  serve: (connection: Connection, context: Context<AppEnv>) => Promise<void>,
): void {
  endpoint(
    api,
    {
      method: 'get',
      ...spec,
      answers: { 101: null },
      errors: [400, 426],
      // Browsers can't send a header with an upgrade: the first frame carries the key instead.
      open: true,
    },
    async ({ context }) => {
      if (context.req.header('Upgrade')?.toLowerCase() !== 'websocket') {
        return { response: context.json({ detail: 'Expected a WebSocket upgrade' }, 426) }
      }
      const header = context.req.header('Sec-WebSocket-Protocol') ?? ''
      const offered = new Set(header.split(',').map((name) => name.trim()))
      const knock: Knock = {
        bindings: context.env,
        address: context.req.param(),
        header: tokenOf(context.req.header('Authorization')),
        path: spec.path,
        defer: (work) => context.executionCtx.waitUntil(work),
        beforeLookUp: () => {
          requireUntired(context)
        },
        person: async () => {
          context.set('now', Date.now() * 1000)
          return await personOf(context)
        },
      }
      const needsFrame = offered.has('prefect') || knock.header === undefined
      if (needsFrame) {
        spendStranger(context, 'socket')
      }
      const known = needsFrame ? undefined : await authorize(knock, knock.header)
      if (known !== undefined) {
        await spendRequest(
          context,
          { method: 'get', path: spec.path },
          known.caller,
          known.workspace,
        )
      }
      const { 0: client, 1: server } = new WebSocketPair()
      // Half open: what was received before a close frame is kept before the close is answered.
      server.accept({ allowHalfOpen: true })
      context.executionCtx.waitUntil(
        open(server, knock, known, (connection) => serve(connection, context)),
      )
      return {
        response: new Response(null, {
          status: 101,
          webSocket: client,
          headers: offered.has('prefect') ? { 'Sec-WebSocket-Protocol': 'prefect' } : {},
        }),
      }
    },
  )
}

/** What an upgrade says of who is there. */
interface Knock {
  bindings: Bindings
  address: Address
  /** The token of the Authorization header. */
  header: string | undefined
  /** The socket's, as it was declared. */
  path: string
  defer: (work: Promise<unknown>) => void
  beforeLookUp: () => void
  /** Who is signed in now, by the cookie of the upgrade. */
  person: () => Promise<PersonSession | undefined>
}

async function open(
  socket: WebSocket,
  knock: Knock,
  known: Identity | undefined,
  serve: (connection: Connection) => Promise<void>,
): Promise<void> {
  const inbox = new Inbox(socket)
  try {
    let token = knock.header
    let identity = known
    if (identity === undefined) {
      const frame = authFrame.safeParse(parseFrame(await inbox.next(AUTH_WAIT_MS)))
      if (!frame.success) {
        closeSocket(socket, 1008, "Expected 'auth' message")
        return
      }
      const said = frame.data.token ?? ''
      token = said === '' ? knock.header : credentialsIn(said)
      if (token === undefined && (await knock.person()) === undefined) {
        closeSocket(socket, 1008, NO_CREDENTIALS)
        return
      }
      identity = await authorize(knock, token)
      await spendSocket(knock.bindings, knock.path, identity.caller, identity.workspace)
      sendFrame(socket, JSON.stringify({ type: 'auth_success' }))
    }
    recheck(socket, inbox, () => authorize(knock, token))
    await serve({ ...identity, socket, inbox })
  } catch (error) {
    if (error instanceof Unauthorized) {
      closeSocket(socket, 1008, 'Invalid token')
    } else if (error instanceof DomainError && error.code === 'forbidden') {
      closeSocket(socket, 1008, error.message.slice(0, MAX_REASON))
    } else if (error instanceof TooManyRequests) {
      closeSocket(socket, 1013, error.message.slice(0, MAX_REASON))
    } else {
      // The store or an object is away, or the client has gone; 1011 makes a client come back.
      closeSocket(socket, 1011, 'The server is away; connect again')
    }
  }
}

/** Who it is. Throws `Unauthorized`; a foreign address is as one that does not exist. */
async function authorize(knock: Knock, token: string | undefined): Promise<Identity> {
  const { bindings, address, path, defer, beforeLookUp } = knock
  const now = Date.now() * 1000
  const person = token === undefined ? await knock.person() : undefined
  const known =
    person === undefined
      ? identifyToken(bindings, token, address, { now, survivesOutage: true, defer, beforeLookUp })
      : identifyPerson(bindings, person, address, now)
  const identity = await known.catch((error: unknown) => {
    throw error instanceof DomainError ? new Unauthorized() : error
  })
  await requireOperation(identity, 'get', path, {}, now)
  return identity
}

/** Looks at the key again and again while the socket is open. Timers in the Worker cost nothing while they wait. */
function recheck(socket: WebSocket, inbox: Inbox, authorizeAgain: () => Promise<Identity>): void {
  const timer = setInterval(() => {
    authorizeAgain().catch((error: unknown) => {
      // A store that is away says nothing against the key.
      if (error instanceof Unauthorized || error instanceof DomainError) {
        closeSocket(socket, 1008, 'Invalid token')
      }
    })
  }, RECHECK_MS)
  void inbox.closed.then(() => {
    clearInterval(timer)
    return undefined
  })
}

/** Joins a client's socket to that of an object, which may sleep while this one waits: whichever end closes closes the other. */
export function joinSockets({ socket, inbox }: Connection, object: WebSocket): void {
  object.addEventListener('message', ({ data }) => {
    sendFrame(socket, data)
  })
  object.addEventListener('close', ({ code, reason }) => {
    closeSocket(socket, code, reason)
  })
  void inbox.closed.then(({ code, reason }) => {
    closeSocket(object, code, reason)
    closeSocket(socket, code, reason)
    return undefined
  })
  inbox.forward((message) => {
    sendFrame(object, message)
  })
}

/** One end may have gone a moment ago; its close event does the rest. */
export function sendFrame(socket: WebSocket, data: string | ArrayBuffer): void {
  if (socket.readyState === WebSocket.OPEN) {
    socket.send(data)
  }
}

/** Closes, or answers the close of the other end. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.OPEN || socket.readyState === WebSocket.CLOSING) {
    try {
      // 1005 and 1006 only report that there was no close frame; they can't be sent. An object that vanished is worth a retry.
      socket.close(code === 1006 ? 1011 : code === 1005 ? 1000 : code, reason)
    } catch {
      // It is closed already.
    }
  }
}

export function parseFrame(message: string | ArrayBuffer | undefined): unknown {
  try {
    return typeof message === 'string' ? JSON.parse(message) : undefined
  } catch {
    return undefined
  }
}
