type Message = string | ArrayBuffer

/** Holds what a client sends until somebody takes it: it need not wait for answers. */
export class Inbox {
  /** How the client closed. */
  readonly closed: Promise<{ code: number; reason: string }>
  #kept: Message[] = []
  #deliver: ((message: Message) => void) | undefined
  #isClosed = false
  #whenClosed: (() => void) | undefined

  constructor(socket: WebSocket) {
    socket.addEventListener('message', ({ data }) => {
      if (this.#deliver === undefined) {
        this.#kept.push(data as Message)
      } else {
        this.#deliver(data as Message)
      }
    })
    this.closed = new Promise((resolve) => {
      socket.addEventListener('close', ({ code, reason }) => {
        this.#isClosed = true
        this.#whenClosed?.()
        resolve({ code, reason })
      })
    })
  }

  /** The next frame; undefined when it does not come in time, or never will. */
  async next(waitMs: number): Promise<Message | undefined> {
    const kept = this.#kept.shift()
    if (kept !== undefined || this.#isClosed) {
      return kept
    }
    return await new Promise((resolve) => {
      const settle = (message: Message | undefined): void => {
        clearTimeout(timer)
        this.#deliver = undefined
        this.#whenClosed = undefined
        resolve(message)
      }
      const timer = setTimeout(settle, waitMs, undefined)
      this.#deliver = settle
      this.#whenClosed = () => {
        settle(undefined)
      }
    })
  }

  /** Hands on what is here and all that comes. */
  forward(deliver: (message: Message) => void): void {
    const kept = this.#kept
    this.#kept = []
    this.#deliver = deliver
    for (const message of kept) {
      deliver(message)
    }
  }
}
