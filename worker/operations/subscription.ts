/** What an object answers once it has taken a subscriber's filter; told to the Worker alone. */
export const SUBSCRIBED = '{"type":"subscribed"}'

/** An object that does not take a filter in this time is away. */
const WAIT_MS = 10_000

/**
 * Opens a socket to an object that sends what passes a filter, for as long as the socket is open. When this returns, nothing that
 * the object takes from then on is missed.
 */
export async function subscribe(
  object: { fetch: (input: string, init: RequestInit) => Promise<Response> },
  path: string,
  filter: unknown,
  deliver: (frame: string) => void,
): Promise<WebSocket> {
  const response = await object.fetch(`https://object${path}`, {
    headers: { Upgrade: 'websocket' },
  })
  const socket = response.webSocket
  if (socket === null) {
    throw new Error(`the object answered an upgrade with ${response.status}`)
  }
  const taken = Promise.withResolvers<WebSocket>()
  const timer = setTimeout(() => {
    taken.reject(new Error('the object did not take the filter'))
  }, WAIT_MS)
  let isTaken = false
  socket.addEventListener('message', ({ data }) => {
    if (isTaken) {
      deliver(String(data))
    } else if (data === SUBSCRIBED) {
      isTaken = true
      taken.resolve(socket)
    }
  })
  socket.addEventListener('close', () => {
    taken.reject(new Error('the object closed the socket'))
  })
  socket.accept({ allowHalfOpen: true })
  socket.send(JSON.stringify(filter))
  try {
    return await taken.promise
  } finally {
    clearTimeout(timer)
  }
}
