import type { Client } from '../core/client.ts'
import { backoffMs } from '../core/retry.ts'
import { sleep } from '../core/sleep.ts'
import { doorbellFrame } from '../core/wire/execution.ts'
import type { AgentLog } from './agent-log.ts'
import { parseJson } from './run-folder.ts'

export interface DoorbellOptions {
  client: Client
  log: AgentLog
  pool: string
  queues: string[] | undefined
  agentId: string
  /** While it is open the agent is shown as a worker that is online. */
  agentName: string
  /** Something concerns a run that this agent holds. */
  onRenew: () => void
  signal: AbortSignal
  /** Milliseconds between pings. Default: 20 s. */
  pingMs?: number
}

/** Proxies end connections that are silent for a minute; the API takes an agent that has missed three for gone. */
const PING_MS = 20_000
/** A connection whose answer has failed to come twice is dead, whatever the network says. */
const MAX_UNANSWERED_PINGS = 2
const CONNECT_TIMEOUT_MS = 15_000
/** A connection that has lived this long was sound: the next failure is the first again. */
const SOUND_MS = 60_000
/** A restart of the API is over by then and not worth a word; a network that forbids WebSockets is. */
const WARN_FAILURES = 5

/**
 * The WebSocket on which the pool's home rings. It keeps itself open, with jittered back-off; while it is not, the claim
 * loop long-polls instead.
 */
export class Doorbell {
  readonly #options: DoorbellOptions
  #isOpen = false
  #hasRung = false
  readonly #waiters = new Set<() => void>()

  constructor(options: DoorbellOptions) {
    this.#options = options
  }

  /** Whether a ring would be heard now. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Whether it has rung since `forgetRings`. */
  get hasRung(): boolean {
    return this.#hasRung
  }

  /** To be called before a claim is sent: a ring that comes while it is under way may be for something that it misses. */
  forgetRings(): void {
    this.#hasRung = false
  }

  /** Resolves when the condition holds, tried anew with each ring, opening and closing, or when the time is over. */
  async waitUntil(condition: () => boolean, milliseconds: number, signal: AbortSignal) {
    const woken = new AbortController()
    const check = () => {
      if (condition() || signal.aborted) {
        woken.abort()
      }
    }
    this.#waiters.add(check)
    signal.addEventListener('abort', check, { once: true })
    check()
    await sleep(milliseconds, woken.signal).catch(() => undefined)
    signal.removeEventListener('abort', check)
    this.#waiters.delete(check)
  }

  /** Connects again and again until the signal aborts. `version()`: that of the last empty claim. */
  async run(version: () => number): Promise<void> {
    const { signal, log } = this.#options
    let failures = 0
    while (!signal.aborted) {
      const opened = await this.#hold(version(), failures >= WARN_FAILURES)
      failures = opened >= SOUND_MS ? 1 : failures + 1
      if (!signal.aborted) {
        if (failures === WARN_FAILURES) {
          log.warn('the doorbell cannot be held open; claiming by long poll until it can', {
            pool: this.#options.pool,
          })
        }
        const waitMs = backoffMs(failures, undefined, Math.random(), {
          baseMs: 500,
          maxMs: 60_000,
        })
        await sleep(waitMs, signal).catch(() => undefined)
      }
    }
  }

  /** One connection, until it ends. Resolves with the milliseconds that it was open. */
  async #hold(version: number, hadFailed: boolean): Promise<number> {
    const { client, log, pool, queues, agentId, agentName, signal } = this.#options
    const { url, authorization } = client.doorbell(pool, {
      agentId,
      agentName,
      version,
      ...(queues === undefined ? {} : { queues }),
    })
    const socket = new WebSocket(url, { headers: { Authorization: authorization } })
    return await new Promise((resolve) => {
      let openedAt: number | undefined
      let unanswered = 0
      let hasEnded = false
      const end = () => {
        // Closing makes the socket say so once more, when the next one may be open already.
        if (hasEnded) {
          return
        }
        hasEnded = true
        clearInterval(ping)
        clearTimeout(connecting)
        signal.removeEventListener('abort', end)
        this.#setOpen(false)
        socket.close()
        resolve(openedAt === undefined ? 0 : performance.now() - openedAt)
      }
      const ping = setInterval(() => {
        if (unanswered >= MAX_UNANSWERED_PINGS) {
          end()
        } else if (socket.readyState === WebSocket.OPEN) {
          unanswered += 1
          socket.send('ping')
        }
      }, this.#options.pingMs ?? PING_MS)
      const connecting = setTimeout(end, CONNECT_TIMEOUT_MS)
      signal.addEventListener('abort', end, { once: true })
      socket.addEventListener('open', () => {
        clearTimeout(connecting)
        openedAt = performance.now()
        if (hadFailed) {
          log.info('the doorbell is open again')
        }
        this.#setOpen(true)
      })
      socket.addEventListener('message', (event) => {
        unanswered = 0
        this.#receive(event.data)
      })
      socket.addEventListener('close', end)
      socket.addEventListener('error', end)
    })
  }

  #receive(data: unknown): void {
    if (typeof data !== 'string' || data === 'pong') {
      return
    }
    const frame = doorbellFrame.safeParse(parseJson(data))
    // A frame of a newer API is not for this agent.
    if (!frame.success) {
      return
    }
    if (frame.data.type === 'work') {
      this.#hasRung = true
      this.#wake()
    } else {
      this.#options.onRenew()
    }
  }

  #setOpen(isOpen: boolean): void {
    this.#isOpen = isOpen
    this.#wake()
  }

  #wake(): void {
    for (const check of this.#waiters) {
      check()
    }
  }
}
