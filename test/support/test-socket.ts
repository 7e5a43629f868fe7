import { API_URL, fetchWorker } from './workspace.ts'
import { eventually } from './eventually.ts'

interface Ended {
  code: number
  reason: string
}

interface Frame {
  type?: string
  [key: string]: unknown
}

/** A socket as a client holds it, with what came over it. */
export class TestSocket<F extends Frame = Frame> {
  readonly frames: F[] = []
  readonly protocol: string | null
  ended: Ended | undefined
  readonly #socket: WebSocket

  constructor(response: Response) {
    if (response.webSocket === null) {
      throw new Error(`no socket: ${response.status}`)
    }
    this.#socket = response.webSocket
    this.protocol = response.headers.get('Sec-WebSocket-Protocol')
    this.#socket.addEventListener('message', ({ data }) => {
      this.frames.push(JSON.parse(String(data)) as F)
    })
    this.#socket.addEventListener('close', ({ code, reason }) => {
      this.ended = { code, reason }
    })
    this.#socket.accept()
  }

  send(frame: unknown): void {
    this.#socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }

  /** Closes, and waits until the other end has answered. */
  async close(): Promise<void> {
    this.#socket.close(1000, 'done')
    await eventually(() => this.ended !== undefined)
  }

  async until(type: string, count = 1): Promise<void> {
    await eventually(() => this.frames.filter((frame) => frame.type === type).length >= count)
  }
}

/** Opens a socket at a path of the API, as Prefect's client does. */
export async function openSocket<F extends Frame = Frame>(
  path: string,
  headers: Record<string, string> = { 'Sec-WebSocket-Protocol': 'prefect' },
): Promise<TestSocket<F>> {
  const url = path.startsWith('http') ? path : `${API_URL}${path}`
  return new TestSocket<F>(
    await fetchWorker(url, { headers: { Upgrade: 'websocket', ...headers } }),
  )
}

/** Opens it and says who is there. */
export async function aSocket<F extends Frame = Frame>(
  path: string,
  key: string,
): Promise<TestSocket<F>> {
  const socket = await openSocket<F>(path)
  socket.send({ type: 'auth', token: key })
  await socket.until('auth_success')
  return socket
}
