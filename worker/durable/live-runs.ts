import { runTail } from '#core/flow-run-id.ts'
import type { HomeRun } from '#domain/execution.ts'
import { holdsDeploymentSlot } from '#domain/slot-lease.ts'

interface LiveRun extends Record<string, SqlStorageValue> {
  id: string
  queue_id: string | null
  deployment_id: string | null
  concurrency_key: string | null
  agent_id: string | null
  /** Whether its slots of its deployment and its key are in use. */
  slot: number
}

/**
 * The live executions in memory, by what limits count: a slot is the run in one of these sets. Read from the table when the
 * object wakes, and changed with it.
 */
export class LiveRuns {
  readonly #runs = new Map<string, LiveRun>()
  readonly #ofQueue = new Index()
  readonly #ofAgent = new Index()
  readonly #ofDeployment = new Index()
  /** By deployment, then by key. */
  readonly #ofKey = new Map<string, Index>()

  constructor(sql: SqlStorage) {
    const rows = sql.exec<LiveRun>(
      'SELECT id, queue_id, deployment_id, concurrency_key, agent_id, slot FROM run WHERE live = 1',
    )
    for (const row of rows) {
      this.#add(row)
    }
  }

  get count(): number {
    return this.#runs.size
  }

  countOfQueue(id: string): number {
    return this.#ofQueue.get(id).size
  }

  /** Those that hold a slot of it. */
  countOfDeployment(id: string): number {
    return this.#ofDeployment.get(id).size
  }

  /** Of each key of the deployment. */
  countOfKeys(deploymentId: string): ReadonlyMap<string, number> {
    const keys = this.#ofKey.get(deploymentId)
    return new Map([...(keys?.entries() ?? [])].map(([key, ids]) => [key, ids.size]))
  }

  ofAgent(id: string): string[] {
    return [...this.#ofAgent.get(id)]
  }

  withTail(tail: string): string[] {
    return [...this.#runs.keys()].filter((id) => runTail(id) === tail)
  }

  changed(run: HomeRun): void {
    const { id } = run.record
    this.removed(id)
    if (run.live) {
      this.#add({
        id,
        queue_id: run.record.work_queue_id,
        deployment_id: run.record.deployment_id,
        concurrency_key: run.record.concurrency_key ?? null,
        agent_id: run.agent_id,
        slot: holdsDeploymentSlot(run) ? 1 : 0,
      })
    }
  }

  removed(id: string): void {
    const run = this.#runs.get(id)
    if (run !== undefined) {
      this.#runs.delete(id)
      this.#ofQueue.remove(run.queue_id, id)
      this.#ofAgent.remove(run.agent_id, id)
      this.#ofDeployment.remove(run.deployment_id, id)
      this.#keysOf(run)?.remove(run.concurrency_key, id)
    }
  }

  #add(run: LiveRun): void {
    this.#runs.set(run.id, run)
    this.#ofQueue.add(run.queue_id, run.id)
    this.#ofAgent.add(run.agent_id, run.id)
    if (run.slot === 1) {
      this.#ofDeployment.add(run.deployment_id, run.id)
      this.#keysOf(run)?.add(run.concurrency_key, run.id)
    }
  }

  #keysOf({ deployment_id: id, concurrency_key: key }: LiveRun): Index | undefined {
    if (id === null || key === null) {
      return undefined
    }
    const keys = this.#ofKey.get(id) ?? new Index()
    this.#ofKey.set(id, keys)
    return keys
  }
}

const NONE: ReadonlySet<string> = new Set()

/** The runs by something that they have. */
class Index {
  readonly #ids = new Map<string, Set<string>>()

  get(of: string): ReadonlySet<string> {
    return this.#ids.get(of) ?? NONE
  }

  entries(): Iterable<[string, ReadonlySet<string>]> {
    return this.#ids
  }

  add(of: string | null, id: string): void {
    if (of !== null) {
      const ids = this.#ids.get(of) ?? new Set()
      this.#ids.set(of, ids.add(id))
    }
  }

  remove(of: string | null, id: string): void {
    const ids = of === null ? undefined : this.#ids.get(of)
    if (of !== null && ids?.delete(id) === true && ids.size === 0) {
      this.#ids.delete(of)
    }
  }
}
