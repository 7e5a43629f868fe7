import type { FeedFrame } from '#core/wire/feed.ts'
import { FeedConnection, type FeedStatus } from './feed-connection.ts'
import { session } from './session.svelte.ts'

type LiveStatus = 'connecting' | 'live' | 'reconnecting' | 'polling' | 'paused'

interface Watch {
  topics: string[]
  /** The version that the screen was read at. */
  since?: number | undefined
  onFrame: (frame: FeedFrame) => void
  /** Loads what the screen shows again: after a reset, and by the clock while there is no socket. */
  refresh: () => void
}

const FIRST_POLL_MS = 5000
const LONGEST_POLL_MS = 60_000
/** A tab that nobody looks at keeps no socket. */
const HIDDEN_PAUSE_MS = 5 * 60_000

/** The tab's one link to what changes: a socket where there can be one, else polling. */
class Live {
  status = $state<LiveStatus>('connecting')
  #connection: FeedConnection | undefined
  readonly #watches = new Set<Watch>()
  #pollTimer: ReturnType<typeof setTimeout> | undefined
  #pauseTimer: ReturnType<typeof setTimeout> | undefined

  /** Opens the socket; answers the function that closes it. */
  start(): () => void {
    const url = new URL('/api/feed', location.origin)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const connection = new FeedConnection({
      url: url.href,
      token: session.key ?? '',
      random: Math.random,
      onStatus: (status) => this.#setStatus(status),
      onFrame: (frame) => this.#dispatch(frame),
    })
    this.#connection = connection
    this.#subscribe()
    connection.open()
    const onVisibility = () => this.#onVisibility(connection)
    document.addEventListener('visibilitychange', onVisibility)
    return () => {
      document.removeEventListener('visibilitychange', onVisibility)
      clearTimeout(this.#pauseTimer)
      this.#connection = undefined
      connection.close()
      this.#stopPolling()
    }
  }

  /** Follows topics for a screen; answers the function that ends it. */
  watch(watch: Watch): () => void {
    this.#watches.add(watch)
    this.#subscribe(watch.since)
    return () => {
      this.#watches.delete(watch)
      this.#subscribe()
    }
  }

  #subscribe(since?: number): void {
    const topics = new Set([...this.#watches].flatMap((watch) => watch.topics))
    this.#connection?.subscribe([...topics], since)
  }

  #dispatch(frame: FeedFrame): void {
    for (const watch of this.#watches) {
      if (frame.type === 'reset') {
        watch.refresh()
      } else {
        watch.onFrame(frame)
      }
    }
  }

  #setStatus(status: FeedStatus): void {
    if (status === 'live') {
      this.#stopPolling()
      this.status = 'live'
    } else if (status === 'reconnecting') {
      this.#startPolling()
    } else if (status === 'connecting') {
      this.status = 'connecting'
    }
  }

  #startPolling(): void {
    if (this.#pollTimer !== undefined) {
      return
    }
    this.status = 'reconnecting'
    let waitMs = FIRST_POLL_MS
    const poll = () => {
      this.status = 'polling'
      for (const watch of this.#watches) {
        watch.refresh()
      }
      this.#pollTimer = setTimeout(poll, waitMs)
      waitMs = Math.min(LONGEST_POLL_MS, waitMs * 1.5)
    }
    this.#pollTimer = setTimeout(poll, FIRST_POLL_MS)
  }

  #stopPolling(): void {
    clearTimeout(this.#pollTimer)
    this.#pollTimer = undefined
  }

  #onVisibility(connection: FeedConnection): void {
    clearTimeout(this.#pauseTimer)
    if (document.hidden) {
      this.#pauseTimer = setTimeout(() => {
        connection.close()
        this.#stopPolling()
        this.status = 'paused'
      }, HIDDEN_PAUSE_MS)
    } else if (this.status === 'paused') {
      connection.open()
    }
  }
}

export const live = new Live()
