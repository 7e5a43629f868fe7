import type { FeedFrame, FeedSubscribe } from '#core/wire/feed.ts'

export type FeedStatus = 'connecting' | 'live' | 'reconnecting' | 'closed'

interface FeedConnectionOptions {
  /** `wss://host/api/feed` */
  url: string
  token: string
  onStatus: (status: FeedStatus) => void
  onFrame: (frame: FeedFrame) => void
  /** A number from 0 to 1. */
  random: () => number
}

type ServerFrame = FeedFrame | { type: 'auth_success' }

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 15_000

/**
 * The socket to the workspace's change feed. It opens again by itself, asks for what changed since the last version it saw,
 * and says nothing about what frames mean.
 */
export class FeedConnection {
  readonly #options: FeedConnectionOptions
  #socket: WebSocket | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #attempt = 0
  #topics: string[] = []
  #since: number | undefined
  #ready = false

  constructor(options: FeedConnectionOptions) {
    this.#options = options
  }

  /** Says what to send from now on; `since` is the version that the screen was read at. */
  subscribe(topics: string[], since?: number): void {
    this.#topics = topics
    if (since !== undefined) {
      this.#since = since
    }
    if (this.#ready) {
      this.#sendSubscription()
    }
  }

  open(): void {
    if (this.#socket || this.#timer) {
      return
    }
    this.#options.onStatus(this.#attempt === 0 ? 'connecting' : 'reconnecting')
    this.#connect()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const socket = this.#socket
    this.#forget()
    this.#attempt = 0
    socket?.close(1000)
    this.#options.onStatus('closed')
  }

  #connect(): void {
    const socket = new WebSocket(this.#options.url, 'prefect')
    this.#socket = socket
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ type: 'auth', token: this.#options.token }))
    })
    socket.addEventListener('message', ({ data }) => {
      if (socket === this.#socket) {
        this.#receive(JSON.parse(String(data)) as ServerFrame)
      }
    })
    socket.addEventListener('close', () => {
      if (socket === this.#socket) {
        this.#forget()
        this.#retry()
      }
    })
  }

  #receive(frame: ServerFrame): void {
    if (frame.type === 'auth_success') {
      this.#ready = true
      this.#attempt = 0
      this.#sendSubscription()
      this.#options.onStatus('live')
      return
    }
    // A reset sets the count anew: the server's may have started again.
    this.#since = frame.type === 'reset' ? frame.version : Math.max(this.#since ?? 0, frame.version)
    this.#options.onFrame(frame)
  }

  #sendSubscription(): void {
    const subscription: FeedSubscribe = {
      type: 'subscribe',
      topics: this.#topics,
      since: this.#since ?? null,
    }
    this.#socket?.send(JSON.stringify(subscription))
  }

  #forget(): void {
    this.#socket = undefined
    this.#ready = false
  }

  #retry(): void {
    this.#options.onStatus('reconnecting')
    const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#attempt)
    this.#attempt += 1
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#connect()
      },
      ceiling * (0.5 + this.#options.random() / 2),
    )
  }
}
