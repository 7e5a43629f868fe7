import type { Client } from '../core/client.ts'
import type { Finish, FinishResult } from '../core/wire/execution.ts'
import type { AgentLog } from './agent-log.ts'
import { callPersistently, sentence } from './calls.ts'
import { FatalError } from './fatal-error.ts'

export type ExecutionEnd = Finish['executions'][number]
export type EndAnswer = FinishResult['results'][number]

export interface FinishesOptions {
  client: Client
  log: AgentLog
  pool: string
  agentId: string
  signal: AbortSignal
}

interface Waiting {
  end: ExecutionEnd
  resolve: (answer: EndAnswer | undefined) => void
  reject: (reason: unknown) => void
}

/** One request carries at most this many (`core/wire/execution.ts`). */
const BATCH = 100

/** Reports the ends of executions, those that come together in one call, and repeats until the API has them. */
export class Finishes {
  readonly #options: FinishesOptions
  #waiting: Waiting[] = []
  #sending = false

  constructor(options: FinishesOptions) {
    this.#options = options
  }

  /**
   * Resolves when the API has acknowledged the end; with undefined when it will never take it (the pool is deleted, say).
   * @throws FatalError; the signal's reason when the agent stops before
   */
  report(end: ExecutionEnd): Promise<EndAnswer | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ end, resolve, reject })
      void this.#send()
    })
  }

  async #send(): Promise<void> {
    if (this.#sending) {
      return
    }
    this.#sending = true
    while (this.#waiting.length > 0) {
      await this.#sendBatch(this.#waiting.splice(0, BATCH))
    }
    this.#sending = false
  }

  async #sendBatch(batch: Waiting[]): Promise<void> {
    const { client, log, pool, agentId, signal } = this.#options
    const executions = batch.map(({ end }) => end)
    try {
      const { results } = await callPersistently(
        () => client.finish(pool, { agent_id: agentId, executions }),
        { log, what: 'report the end of runs', signal },
      )
      for (const { end, resolve } of batch) {
        resolve(
          results.find((one) => one.flow_run_id === end.flow_run_id && one.fence === end.fence),
        )
      }
    } catch (error) {
      await this.#settleFailed(batch, error)
    }
  }

  /** Of a refused batch each end is reported alone, so that one does not keep the others back. */
  async #settleFailed(batch: Waiting[], error: unknown): Promise<void> {
    const { log, signal } = this.#options
    const [first] = batch
    if (error instanceof FatalError || signal.aborted) {
      for (const { reject } of batch) {
        reject(error)
      }
    } else if (batch.length > 1) {
      for (const one of batch) {
        await this.#sendBatch([one])
      }
    } else if (first !== undefined) {
      log.error('the API refused the report of an end; the run is let go', {
        flow_run: first.end.flow_run_id,
        error: sentence(error),
      })
      first.resolve(undefined)
    }
  }
}
