import * as z from 'zod'
import { closeSocket, parseFrame, type Connection } from './socket.ts'

/** A client that does not say what it wants within this time is gone. */
const FILTER_WAIT_MS = 60_000
/** A close frame has room for 123 bytes. */
const MAX_REASON = 100

const anyFilter = z.object({ type: z.literal('filter') })

/** The client's filter; when its first frame is none the socket is closed, as Prefect does it. */
export async function readFilter<S extends z.ZodType>(
  { socket, inbox }: Connection,
  schema: S,
): Promise<z.output<S> | undefined> {
  const frame = parseFrame(await inbox.next(FILTER_WAIT_MS))
  if (!anyFilter.safeParse(frame).success) {
    closeSocket(socket, 1002, "Expected 'filter' message")
    return undefined
  }
  const parsed = schema.safeParse(frame)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const place = issue?.path.slice(1).join('.') ?? ''
    const reason = `Invalid filter: ${place} ${issue?.message ?? ''}`.replaceAll(/[^ -~]/g, '?')
    closeSocket(socket, 1002, reason.slice(0, MAX_REASON))
    return undefined
  }
  return parsed.data
}

/** Whichever end closes closes the others; what the client still says is not heard. */
export function holdOpen({ socket, inbox }: Connection, objects: readonly WebSocket[]): void {
  for (const object of objects) {
    object.addEventListener('close', () => {
      // The object is being replaced: a client comes back after this code, and ends after a plain close.
      closeSocket(socket, 1011, 'The stream is away; connect again')
    })
  }
  void inbox.closed.then(({ code, reason }) => {
    for (const object of objects) {
      closeSocket(object, 1000, 'the client has gone')
    }
    closeSocket(socket, code, reason)
    return undefined
  })
  inbox.forward(() => undefined)
}
