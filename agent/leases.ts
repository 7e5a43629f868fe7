import { errorKind, backoffMs } from '../core/retry.ts'
import { sleep } from '../core/sleep.ts'
import type { AgentIdentity, ExecutionKey, RenewResult } from '../core/wire/execution.ts'
import type { Client } from '../core/client.ts'
import type { AgentLog } from './agent-log.ts'
import { noteFailure } from './calls.ts'
import { toFatalError } from './fatal-error.ts'
import { hostClock } from './infra/host-clock.ts'
import type { Runs } from './runs.ts'

export interface LeasesOptions {
  client: Client
  log: AgentLog
  pool: string
  agent: AgentIdentity
  runs: Runs
  /** The API believes this agent to have executions that it did not name. */
  onMissing: (missing: ExecutionKey[]) => void
}

/** Until the API has said how often. Seconds. */
const FIRST_INTERVAL = 10
/** SIGTERM to SIGKILL where the API names no grace, as long as Prefect's. Seconds. */
const DEFAULT_GRACE = 30

/** Renews the leases of all runs in one call, over and over. Without runs it says nothing: its link tells that it is there. */
export class Leases {
  readonly #options: LeasesOptions
  #intervalSeconds = FIRST_INTERVAL
  #asked = false
  /** The last list of what this agent has did not get through. */
  #reconcile = false
  #wake = new AbortController()

  constructor(options: LeasesOptions) {
    this.#options = options
  }

  /** Renews now: the API has something to say about a run. */
  renewNow(): void {
    this.#asked = true
    this.#wake.abort()
    this.#options.runs.changed()
  }

  /** Runs have been taken, to be renewed that often. */
  expectWithin(seconds: number): void {
    if (seconds < this.#intervalSeconds) {
      this.#intervalSeconds = seconds
      this.renewNow()
    }
  }

  /** Ends only by the signal, or by throwing a FatalError. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0
    signal.addEventListener('abort', () => this.#wake.abort(), { once: true })
    while (!signal.aborted) {
      if (this.#options.runs.held().length === 0 && !this.#asked) {
        await this.#untilHeld(signal)
        continue
      }
      const reconcile = this.#asked || this.#reconcile
      this.#reconcile = false
      this.#asked = false
      let pauseMs: number
      try {
        await this.#renew(reconcile, signal)
        failures = 0
        pauseMs = this.#nextMs()
      } catch (error) {
        if (signal.aborted) {
          return
        }
        if (errorKind(error) === 'fatal') {
          throw toFatalError(error)
        }
        failures += 1
        // Until it has been heard.
        this.#reconcile ||= reconcile
        noteFailure(this.#options.log, 'renew leases', failures, error)
        const maxMs = this.#intervalSeconds * 1000
        pauseMs = backoffMs(failures, error, Math.random(), { baseMs: 500, maxMs })
      }
      await this.#pause(pauseMs)
    }
  }

  /** A lease is fresh when its run is taken, and many runs are over before it has to be renewed. */
  async #untilHeld(signal: AbortSignal): Promise<void> {
    const { runs } = this.#options
    try {
      await runs.until(() => runs.held().length > 0 || this.#asked, signal)
      await this.#pause(this.#nextMs())
    } catch {
      // Ended: the loop looks.
    }
  }

  #nextMs(): number {
    return this.#intervalSeconds * 1000 * (0.85 + Math.random() * 0.15)
  }

  async #renew(reconcile: boolean, signal: AbortSignal): Promise<void> {
    const { client, pool, agent, runs, onMissing } = this.#options
    // The lease counts from here: the API can have written it no earlier.
    const stamp = hostClock()
    const result = await client.renew(
      pool,
      { agent, executions: runs.held(), ...(reconcile ? { reconcile } : {}) },
      signal,
    )
    this.#intervalSeconds = result.renew_seconds
    for (const answer of result.results) {
      this.#obey(answer, { stamp, graceSeconds: result.offline_grace_seconds })
    }
    if (result.missing !== undefined && result.missing.length > 0) {
      onMissing(result.missing)
    }
  }

  #obey(answer: RenewResult['results'][number], lease: { stamp: number; graceSeconds: number }) {
    const run = this.#options.runs.find(answer.flow_run_id, answer.fence)
    switch (answer.answer) {
      case 'keep':
        run?.extend(lease)
        break
      case 'cancel':
        run?.extend(lease)
        run?.stop(answer.grace_seconds ?? DEFAULT_GRACE, answer.reason ?? 'it is being cancelled')
        break
      case 'stop':
        run?.stop(0, answer.reason ?? 'its execution is no longer current')
        break
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#asked) {
      return
    }
    this.#wake = new AbortController()
    // Woken or ended: the loop looks which.
    await sleep(milliseconds, this.#wake.signal).catch(() => undefined)
  }
}
