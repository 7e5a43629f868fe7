import { backoffMs, errorKind } from '../core/retry.ts'
import { sleep } from '../core/sleep.ts'

/** A batch goes out when this many bytes wait; well under every server's limit for a request. */
const BATCH_BYTES = 65_536

/** More items than this don't go into one request, however small they are. */
const BATCH_ITEMS = 500

/** What may wait in memory while the API can't be reached; beyond it the oldest items are given up. */
const BUFFER_BYTES = 16 * 1024 * 1024

/** How much is left when items are given up; so that it happens seldom, and much at a time. */
const KEPT_SHARE = 0.9

/** The longest wait between repetitions: while the run goes on, and while somebody waits for it. */
const MAX_WAIT_MS = 10_000
const MAX_WAIT_OF_FLUSH_MS = 500

/** What was given up in one go. */
export interface Lost<T> {
  items: number
  bytes: number
  last: T | undefined
}

export interface BatchSenderOptions<T> {
  send: (batch: T[]) => Promise<unknown>
  /** Milliseconds that an item waits at most for others to go with it. */
  delayMs: number
  /** Makes the note that stands in the place of items that were given up; undefined for none. */
  note: (lost: Lost<T>) => T | undefined
  /** Says that the API refuses items for good. */
  onRefused: (error: unknown, items: number) => void
  bufferBytes?: number
  /** Milliseconds before the first repetition. Default 250. */
  firstWaitMs?: number
}

interface Entry<T> {
  item: T
  bytes: number
}

/**
 * Sends items in batches, in order, one request at a time. `push` never waits; an unreachable API is tried again until it
 * answers, with bounded memory; a refused batch is halved until the refused item is alone, so that the others arrive.
 */
export class BatchSender<T> {
  readonly #options: BatchSenderOptions<T>
  readonly #bufferBytes: number
  #waiting: Entry<T>[] = []
  #sending: Entry<T>[] = []
  #bytes = 0
  #lost: Lost<T> = { items: 0, bytes: 0, last: undefined }
  #timer: NodeJS.Timeout | undefined
  #drain: Promise<void> | undefined
  /** Ends the wait before a repetition. */
  #wake = new AbortController()
  #flushes = 0
  /** Nobody takes these items any more: the key has ended. */
  #closed = false

  constructor(options: BatchSenderOptions<T>) {
    this.#options = options
    this.#bufferBytes = options.bufferBytes ?? BUFFER_BYTES
  }

  /** Takes an item; never blocks, never throws. */
  push(item: T): void {
    if (this.#closed) {
      return
    }
    const bytes = Buffer.byteLength(JSON.stringify(item))
    this.#waiting.push({ item, bytes })
    this.#bytes += bytes
    if (this.#bytes > this.#bufferBytes) {
      this.#giveUpOldest()
    }
    if (this.#bytes >= BATCH_BYTES) {
      this.#start()
    } else {
      this.#timer ??= setTimeout(() => this.#start(), this.#options.delayMs).unref()
    }
  }

  /**
   * Sends all that waits, at once even if an outage has slowed the repetitions down.
   * @returns whether all of it arrived within the time
   */
  async flush(timeoutMs: number): Promise<boolean> {
    if (this.#waiting.length > 0 || this.#sending.length > 0) {
      this.#start()
    }
    const giveUp = new AbortController()
    this.#flushes += 1
    this.#wake.abort()
    await Promise.race([
      this.#drain,
      sleep(timeoutMs, giveUp.signal).catch(() => 'the race is over'),
    ])
    this.#flushes -= 1
    giveUp.abort()
    return this.pending().length === 0
  }

  /** What has not been acknowledged, in order. */
  pending(): T[] {
    const note = this.#lost.items > 0 ? this.#options.note(this.#lost) : undefined
    const items = [...this.#sending, ...this.#waiting].map((entry) => entry.item)
    return note === undefined ? items : [note, ...items]
  }

  #giveUpOldest(): void {
    let count = 0
    while (this.#bytes > this.#bufferBytes * KEPT_SHARE && count < this.#waiting.length) {
      const entry = this.#waiting[count]
      this.#bytes -= entry?.bytes ?? 0
      this.#lost.bytes += entry?.bytes ?? 0
      this.#lost.items += 1
      this.#lost.last = entry?.item
      count += 1
    }
    this.#waiting.splice(0, count)
  }

  #start(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#drain ??= this.#sendAll().finally(() => {
      this.#drain = undefined
    })
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0 || this.#lost.items > 0) {
      this.#takeBatch()
      // oxlint-disable-next-line no-await-in-loop -- one request at a time keeps the order
      await this.#deliver(this.#sending.map((entry) => entry.item))
      this.#bytes -= this.#sending.reduce((sum, entry) => sum + entry.bytes, 0)
      this.#sending = []
    }
  }

  #takeBatch(): void {
    const note = this.#lost.items > 0 ? this.#options.note(this.#lost) : undefined
    this.#lost = { items: 0, bytes: 0, last: undefined }
    let bytes = 0
    let count = 0
    while (count < this.#waiting.length && count < BATCH_ITEMS && bytes < BATCH_BYTES) {
      bytes += this.#waiting[count]?.bytes ?? 0
      count += 1
    }
    this.#sending = this.#waiting.splice(0, count)
    if (note !== undefined) {
      this.#sending.unshift({ item: note, bytes: 0 })
    }
  }

  async #deliver(batch: T[]): Promise<void> {
    for (let attempt = 1; !this.#closed && batch.length > 0; attempt += 1) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- a repetition follows the try before it
        await this.#options.send(batch)
        return
      } catch (error) {
        if (errorKind(error) !== 'retry') {
          // oxlint-disable-next-line no-await-in-loop -- the last thing that this loop does
          await this.#takeRefusal(error, batch)
          return
        }
        // oxlint-disable-next-line no-await-in-loop -- as above
        await this.#waitBefore(attempt, error)
      }
    }
  }

  async #waitBefore(attempt: number, reason: unknown): Promise<void> {
    const maxMs = this.#flushes > 0 ? MAX_WAIT_OF_FLUSH_MS : MAX_WAIT_MS
    this.#wake = new AbortController()
    const waitMs = backoffMs(attempt, reason, Math.random(), {
      baseMs: this.#options.firstWaitMs ?? 250,
      maxMs,
    })
    await sleep(waitMs, this.#wake.signal).catch(() => 'somebody waits for it')
  }

  async #takeRefusal(error: unknown, batch: T[]): Promise<void> {
    if (errorKind(error) === 'fatal') {
      this.#closed = true
      this.#options.onRefused(error, batch.length + this.#waiting.length)
      this.#waiting = []
      return
    }
    if (batch.length === 1) {
      this.#options.onRefused(error, 1)
      return
    }
    const half = Math.ceil(batch.length / 2)
    await this.#deliver(batch.slice(0, half))
    await this.#deliver(batch.slice(half))
  }
}
