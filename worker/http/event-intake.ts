import { withRetry } from '#core/retry.ts'
import { event, type Event } from '#core/wire/event.ts'

/** As in Prefect; an event is kept in a row, and a row holds 2 MB. */
export const MAX_EVENT_CHARS = 1_500_000
/** One call of a stream takes some milliseconds, and carries what has come in meanwhile. */
const BATCH_EVENTS = 250
const BATCH_CHARS = 4_000_000
/** What may wait for streams that are away; a Worker has 128 MB. */
const MAX_WAITING_CHARS = 16_000_000
/** About two minutes in all: a client that believes an event has arrived does not send it again. */
const ATTEMPTS = 14

/**
 * Takes events as a socket brings them, and hands them on in batches, in their order. One that is none is passed over: the
 * others of its client must not suffer.
 */
export class EventIntake {
  readonly #emit: (events: Event[]) => Promise<void>
  readonly #fail: () => void
  #waiting: { event: Event; chars: number }[] = []
  #waitingChars = 0
  #emitting: Promise<void> | undefined
  #failed = false

  /** @param fail called once when events can't be handed on for too long */
  constructor(emit: (events: Event[]) => Promise<void>, fail: () => void) {
    this.#emit = emit
    this.#fail = fail
  }

  add(message: string | ArrayBuffer): void {
    const text = typeof message === 'string' ? message : new TextDecoder().decode(message)
    const parsed = text.length <= MAX_EVENT_CHARS ? parseEvent(text) : undefined
    if (parsed === undefined || this.#failed) {
      return
    }
    this.#waiting.push({ event: parsed, chars: text.length })
    this.#waitingChars += text.length
    if (this.#waitingChars > MAX_WAITING_CHARS) {
      this.#giveUp()
      return
    }
    this.#emitting ??= this.#emitAll()
  }

  /** Waits until all that was added is kept. */
  async settled(): Promise<void> {
    await this.#emitting
  }

  async #emitAll(): Promise<void> {
    try {
      // What arrives in the same moment goes together.
      await Promise.resolve()
      while (this.#waiting.length > 0) {
        const batch = this.#nextBatch()
        await withRetry(() => this.#emit(batch), { attempts: ATTEMPTS })
      }
    } catch {
      this.#giveUp()
    } finally {
      this.#emitting = undefined
    }
  }

  #nextBatch(): Event[] {
    let chars = 0
    let count = 0
    for (const next of this.#waiting) {
      if (count >= BATCH_EVENTS || (count > 0 && chars + next.chars > BATCH_CHARS)) {
        break
      }
      chars += next.chars
      count += 1
    }
    this.#waitingChars -= chars
    return this.#waiting.splice(0, count).map((next) => next.event)
  }

  #giveUp(): void {
    this.#failed = true
    this.#waiting = []
    this.#fail()
  }
}

function parseEvent(text: string): Event | undefined {
  try {
    return event.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
