import { createHash, randomBytes } from 'node:crypto'
import { API_KEY_RANDOM_BYTES, apiKey, apiKeyHint } from '../core/api-key.ts'
import { ApiError, type Client } from '../core/client.ts'
import { sleep } from '../core/sleep.ts'
import type { ApiKey } from '../core/wire/api-key.ts'
import { callPersistently, persist, type PersistentCall, sentence } from './calls.ts'
import { EXIT } from './exit-codes.ts'
import { FatalError } from './fatal-error.ts'
import { parseJson, readText, writeFileSafely } from './run-folder.ts'

/** A key is replaced when so much of its time is over, so that an API that is away for days ends no agent. */
const REPLACED_AFTER = 2 / 3
/** Long sleeps are cut, since hosts sleep too. */
const LONGEST_SLEEP_MS = 3_600_000

interface Stored {
  /** The key that the API knows; null before the first. */
  key: string | null
  /** Milliseconds since the epoch by this host's clock: since when it is there. */
  since: number
  /** How long it serves; null: without an end. */
  lifeMs: number | null
  /** A key that the API is being told of: it may know it already. */
  next: string | null
}

const NOTHING: Stored = { key: null, since: 0, lifeMs: null, next: null }

/**
 * The key that an agent has got for itself. The agent makes it, writes it down, and only then tells the API its hash: so whatever
 * is killed or lost in between, asking again with the same key is answered as the first time, and nobody else ever has it.
 */
export class Credential {
  readonly #path: string
  #stored: Stored

  private constructor(path: string, stored: Stored) {
    this.#path = path
    this.#stored = stored
  }

  /** @param path of its file, which only the agent's user may read */
  static async open(path: string): Promise<Credential> {
    const text = await readText(path)
    const body = text === undefined ? undefined : parseJson(text)
    const isObject = typeof body === 'object' && body !== null
    return new Credential(path, isObject ? { ...NOTHING, ...body } : NOTHING)
  }

  /** Whether the agent has a key of its own. */
  get isThere(): boolean {
    return this.#stored.key !== null
  }

  /** Calls with the key that the agent has at the time. */
  over(client: Client): Client {
    return client.withKey(() => this.#stored.key ?? undefined)
  }

  /**
   * Gets a key for a token. One that was not answered goes on where it was.
   * @throws FatalError where the token lets nobody in
   */
  async enrol(client: Client, token: string, name: string, call: PersistentCall): Promise<void> {
    const key = await this.#makeNext({ ...NOTHING, next: this.#stored.next })
    const body = { token, name, ...known(key) }
    try {
      const enrolled = await persist(() => client.enrolAgent(body), call)
      await this.#adopt(key, enrolled.key)
    } catch (error) {
      if (error instanceof ApiError) {
        // Another token is shown with another key.
        await this.#write(NOTHING)
        throw new FatalError(EXIT.refused, `this agent was not let in (${error.message})`)
      }
      throw error
    }
  }

  /** Forgets a key that is no good any more. */
  async forget(): Promise<void> {
    await this.#write(NOTHING)
  }

  /** Brings a replacement to its end that was under way when the agent ended. */
  async settle(client: Client, call: PersistentCall): Promise<void> {
    if (this.isThere && this.#stored.next !== null) {
      await this.#replace(client, call)
    }
  }

  /** Replaces the key each time before it ends. Resolves when the signal aborts. */
  async keepFresh(client: Client, call: PersistentCall): Promise<void> {
    const { log, signal } = call
    let pauseMs = 0
    while (!signal.aborted && this.#stored.lifeMs !== null) {
      const waitMs = Math.max(this.#dueMs() - Date.now(), pauseMs)
      if (waitMs > 0) {
        const slice = Math.min(waitMs, LONGEST_SLEEP_MS)
        pauseMs = Math.max(0, pauseMs - slice)
        await sleep(slice, signal).catch(() => undefined)
        continue
      }
      try {
        await this.#replace(client, call)
        log.info('the key of this agent has been replaced')
      } catch (error) {
        if (!signal.aborted) {
          log.warn('the key of this agent cannot be replaced', { error: sentence(error) })
        }
        pauseMs = Math.min(LONGEST_SLEEP_MS, (this.#stored.lifeMs ?? 0) / 20)
      }
    }
  }

  #dueMs(): number {
    const { since, lifeMs } = this.#stored
    return since + (lifeMs ?? Number.POSITIVE_INFINITY) * REPLACED_AFTER
  }

  async #replace(client: Client, call: PersistentCall): Promise<void> {
    const key = await this.#makeNext(this.#stored)
    try {
      const made = await callPersistently(() => this.over(client).replaceAgentKey(known(key)), call)
      await this.#adopt(key, made)
    } catch (error) {
      if (!(error instanceof FatalError && error.exitCode === EXIT.notSignedIn)) {
        throw error
      }
      // The old one is over; that the API has the new one, and only the answer was lost, it says itself when it is told again.
      const made = await callPersistently(
        () => client.withKey(key).replaceAgentKey(known(key)),
        call,
      )
      await this.#adopt(key, made)
    }
  }

  /** A key for the API to be told of: that which it may know already, or a new one. */
  async #makeNext(stored: Stored): Promise<string> {
    const next = stored.next ?? apiKey(randomBytes(API_KEY_RANDOM_BYTES))
    await this.#write({ ...stored, next })
    return next
  }

  async #adopt(key: string, { created, expires }: ApiKey): Promise<void> {
    const lifeMs = expires === null ? null : Date.parse(expires) - Date.parse(created)
    await this.#write({ key, since: Date.now(), lifeMs, next: null })
  }

  async #write(stored: Stored): Promise<void> {
    await writeFileSafely(this.#path, JSON.stringify(stored))
    this.#stored = stored
  }
}

/** What the API is told of a key. */
function known(key: string): { key_hash: string; key_hint: string } {
  return {
    key_hash: createHash('sha256').update(key).digest('hex'),
    key_hint: apiKeyHint(key),
  }
}
