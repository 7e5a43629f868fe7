import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { AgentIdentity } from '#core/wire/execution.ts'
import { IDLE_RENEW_SECONDS } from '#domain/execution.ts'
import { NOTED_EVERY_SECONDS } from '#domain/readiness.ts'
import { recordQueuesPolled } from '#storage/work-queues.ts'
import { recordDoorbellsOpen, recordHeartbeat, type WaitingAgent } from '#storage/workers.ts'
import { AGENT_INTERVAL_SECONDS } from './home-readiness.ts'
import type { Home } from './home.ts'
import { report } from '../operations/report.ts'

/**
 * Notes in the store who serves the pool. An agent at its doorbell is noted once, when it opens it; polls are noted now and
 * then, and so are the heartbeats of agents that poll: an agent is a worker to everybody else.
 */
export class HomePresence {
  readonly #home: Home
  /** When a poll of a queue, or of an agent, was last noted. */
  readonly #noted = new Map<string, Micros>()
  #opened: WaitingAgent[] = []
  #noting: Promise<void> | undefined

  constructor(home: Home) {
    this.#home = home
  }

  /** An agent has claimed or renewed; at its doorbell that is no news. */
  seen(agent: AgentIdentity, queues: string[] | null): void {
    if (!this.#home.doorbell.isHeldBy(agent.agent_id)) {
      this.polled(queues, agent)
    }
  }

  /** Somebody has asked for runs of these queues; null: of all. */
  polled(queues: string[] | null, agent?: AgentIdentity): void {
    const home = this.#home
    const config = home.store.workPool()
    if (config === undefined) {
      return
    }
    const isNews = agent !== undefined && this.#isTime(`agent ${agent.agent_id}`)
    const ids = queues ?? config.queues.map((queue) => queue.id)
    const due = ids.filter((id) => this.#isTime(`queue ${id}`))
    if (!isNews && due.length === 0) {
      return
    }
    const now = home.now()
    const note = async () => {
      const workspace = home.workspace()
      if (isNews) {
        const beat = { name: agent.name, heartbeat_interval_seconds: IDLE_RENEW_SECONDS }
        await recordHeartbeat(workspace, config.pool.id, beat, now)
      }
      if (due.length > 0) {
        await recordQueuesPolled(workspace, due, now)
      }
      await home.readiness.seen([config.pool.id, ...due])
    }
    home.state.waitUntil(
      note().catch((error: unknown) => {
        // Only what is shown of agents and queues grows old; the next poll writes it again.
        report('presence could not be noted', error, { object: home.name })
      }),
    )
  }

  /** An agent has opened its doorbell. */
  opened(agent: WaitingAgent): void {
    this.#opened.push(agent)
    this.#noting ??= this.#noteOpened().finally(() => {
      this.#noting = undefined
    })
    this.#home.state.waitUntil(this.#noting)
  }

  /** What comes while one note is being written goes with the next one. */
  async #noteOpened(): Promise<void> {
    const home = this.#home
    while (this.#opened.length > 0) {
      const agents = this.#opened.splice(0)
      const config = home.store.workPool()
      if (config === undefined) {
        return
      }
      try {
        await recordDoorbellsOpen(
          home.workspace(),
          config.pool.id,
          agents,
          AGENT_INTERVAL_SECONDS,
          home.now(),
        )
      } catch (error) {
        report('doorbells could not be noted', error, { object: home.name })
        home.readiness.lookSoon()
        return
      }
      const ids = agents.flatMap(({ queues }) => queues ?? config.queues.map(({ id }) => id))
      await home.readiness.seen([config.pool.id, ...ids])
    }
  }

  #isTime(key: string): boolean {
    const now = this.#home.now()
    if (now - (this.#noted.get(key) ?? 0) < NOTED_EVERY_SECONDS * MICROS_PER_SECOND) {
      return false
    }
    this.#noted.set(key, now)
    return true
  }
}
