import type { NumberedEvent } from './event-log.ts'
import { report } from '../operations/report.ts'

/** One call carries at most so many events, and one event may have 1.5 MB. */
const MAX_EVENTS = 200
const MAX_CHARS = 500_000
/** Events that come closer together than this go together: each call costs the hub a row. */
const GATHER_MS = 100
/** After so long the alarm looks whether all has been taken: should the object die meanwhile, it is the alarm that goes on. */
const CONFIRM_MS = 5000
const LONGEST_WAIT_MS = 60_000

interface PublicationTarget {
  /** Up to where the hub was last noted to have taken events, and that note. */
  taken(): number
  noteTaken(seq: number): void
  newestSeq(): number
  after(seq: number, most: number, mostChars: number): NumberedEvent[]
  /** Gives events to the hub. @returns up to where it has taken them */
  send(events: NumberedEvent[]): Promise<number>
  nowMs(): number
}

/**
 * Sends a stream's events to the hub, in their order, until it has taken them. What the hub has taken is noted seldom, since
 * a note is a row: events that are sent again after a restart are known to the hub by their number.
 */
export class Publication {
  readonly #target: PublicationTarget
  #taken: number
  #noted: number
  #failures = 0
  #sending: Promise<void> | undefined
  #due: number | null = null
  #lastSent = 0

  constructor(target: PublicationTarget) {
    this.#target = target
    this.#noted = target.taken()
    this.#taken = this.#noted
    if (target.newestSeq() > this.#taken) {
      this.#due = target.nowMs()
    }
  }

  /** When the object's alarm must call `onAlarm`, in milliseconds; null: not at all. */
  get due(): number | null {
    return this.#due
  }

  /** Call it in the same turn in which events were kept, arm the alarm, then `send`. */
  expect(): void {
    this.#due ??= this.#target.nowMs() + CONFIRM_MS
  }

  /** Sends what has not been taken. Never throws: what fails is sent again by the alarm. */
  async send(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
    await this.#sending
  }

  async onAlarm(): Promise<void> {
    if (this.#due === null || this.#due > this.#target.nowMs()) {
      return
    }
    // Should the object die while it sends.
    this.#due = this.#target.nowMs() + CONFIRM_MS
    await this.send()
    if (this.#taken >= this.#target.newestSeq()) {
      if (this.#taken > this.#noted) {
        this.#target.noteTaken(this.#taken)
        this.#noted = this.#taken
      }
      this.#due = null
    }
  }

  /** The first of a burst goes at once; what follows waits for the rest. */
  async #gathered(): Promise<void> {
    const wait = this.#lastSent + GATHER_MS - this.#target.nowMs()
    if (wait > 0 && this.#target.newestSeq() > this.#taken) {
      await scheduler.wait(Math.min(wait, GATHER_MS))
    }
  }

  async #sendAll(): Promise<void> {
    try {
      for (;;) {
        await this.#gathered()
        const events = this.#target.after(this.#taken, MAX_EVENTS, MAX_CHARS)
        const last = events.at(-1)
        if (last === undefined) {
          break
        }
        this.#lastSent = this.#target.nowMs()
        const taken = await this.#target.send(events)
        if (taken < last.seq) {
          throw new Error(`the hub has taken events up to ${taken} only, not to ${last.seq}`)
        }
        this.#taken = taken
      }
      this.#failures = 0
    } catch (error) {
      report('events could not be given to the hub', error)
      this.#failures += 1
      this.#due = this.#target.nowMs() + Math.min(1000 * 2 ** (this.#failures - 1), LONGEST_WAIT_MS)
    }
  }
}
