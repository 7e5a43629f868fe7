import type { Micros } from '#core/time.ts'
import { Turns, type Candidate, type KeyedQueue, type TurnsAfter } from './turns.ts'

/**
 * Which waiting runs may start now, and why the others may not. A slot is a live execution: the counts below are counted,
 * never kept.
 */
interface AdmissionQueue {
  id: string
  name: string
  /** 1 is served first. */
  priority: number
  paused: boolean
  limit: number | null
  live: number
}

export interface AdmissionDeployment {
  name: string
  limit: number | null
  live: number
  strategy: 'ENQUEUE' | 'CANCEL_NEW'
  key: { limit: number | null; weights: Readonly<Record<string, number>> } | null
}

export interface AdmissionView {
  now: Micros
  pool: { id: string; name: string; paused: boolean; limit: number | null; live: number }
  queues: readonly AdmissionQueue[]
  /** Undefined where nothing limits its runs. */
  deployment: (id: string) => AdmissionDeployment | undefined
  /** How many runs of each of its keys are live. */
  liveOfKeys: (deploymentId: string) => ReadonlyMap<string, number>
  /**
   * The queue's due runs without a key in their order (first due, first in). `blocked` grows while the runs are read: the pages
   * that follow leave the runs of those deployments out, so that they never fill a page.
   */
  candidates: (queueId: string, blocked: ReadonlySet<string>) => Iterable<Candidate>
  /** Its due runs with keys; undefined: there are none. */
  keyed: (queueId: string) => KeyedQueue | undefined
}

export interface Admission {
  /** To be claimed, in order. */
  admitted: Candidate[]
  /** Their deployment is full and its strategy is CANCEL_NEW. */
  cancelled: Candidate[]
  /** Whose turn is next in the queues where some runs have keys. */
  turns: Map<string, TurnsAfter>
}

/** What keeps runs from starting. */
export interface BlockingRule {
  kind:
    | 'pool_paused'
    | 'pool_limit'
    | 'queue_paused'
    | 'no_agent'
    | 'queue_limit'
    | 'deployment_limit'
    | 'key_limit'
  id: string
  name: string
  limit?: number | null
  live?: number
  key?: string
}

/** As many runs of full deployments as one claim cancels; the rest goes with the next one, or by its timer. */
const MAX_CANCELLED = 200

/**
 * Chooses at most `wanted` runs: strict priority over queues, first in first out within one, or by turns where runs have keys,
 * under the limits of pool, queue, deployment and key. Queues of equal priority are served in the order of their ids.
 * @param only ids of the queues to serve; undefined is all
 * @param refused is told each rule that keeps a run from starting, as it is met
 */
export function admit(
  view: AdmissionView,
  wanted: number,
  only?: ReadonlySet<string>,
  refused: (rule: BlockingRule) => void = () => undefined,
): Admission {
  const admission: Admission = { admitted: [], cancelled: [], turns: new Map() }
  const slots = new Slots(view)
  const closed = poolRule(view)
  if (closed !== undefined) {
    refused(closed)
    return admission
  }
  let room = Math.min(wanted, free(view.pool))
  for (const queue of inOrder(view.queues)) {
    const rule = queueRule(queue, only)
    if (rule !== undefined) {
      refused(rule)
      continue
    }
    let queueRoom = free(queue)
    const runs = view.candidates(queue.id, slots.blocked)
    const turns = room > 0 ? new Turns(runs, view.keyed(queue.id), slots) : undefined
    while (room > 0 && queueRoom > 0) {
      const candidate = turns?.next()
      if (turns === undefined || candidate === undefined) {
        break
      }
      const full = slots.take(candidate)
      if (full === undefined) {
        turns.serve()
        admission.admitted.push(candidate)
        room -= 1
        queueRoom -= 1
        continue
      }
      turns.pass()
      refused(full.rule)
      if (full.cancels && admission.cancelled.length < MAX_CANCELLED) {
        admission.cancelled.push(candidate)
      } else {
        slots.block(full)
      }
    }
    const after = turns?.after()
    if (after !== undefined) {
      admission.turns.set(queue.id, after)
    }
  }
  return admission
}

function inOrder(queues: readonly AdmissionQueue[]): AdmissionQueue[] {
  return queues.toSorted((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1))
}

function free(holder: { limit: number | null; live: number }): number {
  return holder.limit === null ? Number.POSITIVE_INFINITY : Math.max(0, holder.limit - holder.live)
}

function poolRule({ pool }: AdmissionView): BlockingRule | undefined {
  const { id, name, limit, live } = pool
  if (pool.paused) {
    return { kind: 'pool_paused', id, name }
  }
  return free(pool) === 0 ? { kind: 'pool_limit', id, name, limit, live } : undefined
}

function queueRule(
  queue: AdmissionQueue,
  only: ReadonlySet<string> | undefined,
): BlockingRule | undefined {
  const { id, name, limit, live } = queue
  if (queue.paused) {
    return { kind: 'queue_paused', id, name }
  }
  if (only !== undefined && !only.has(id)) {
    return { kind: 'no_agent', id, name }
  }
  return free(queue) === 0 ? { kind: 'queue_limit', id, name, limit, live } : undefined
}

interface Full {
  rule: BlockingRule
  deployment_id: string
  /** Of the key alone. */
  key: string | null
  cancels: boolean
}

/** The slots of deployments and of their keys while runs are chosen. */
class Slots {
  /** Deployments whose slots are all taken. */
  readonly blocked = new Set<string>()
  readonly #view: AdmissionView
  readonly #taken = new Map<string, number>()
  readonly #full = new Map<string, Set<string>>()
  readonly #live = new Map<string, ReadonlyMap<string, number>>()

  constructor(view: AdmissionView) {
    this.#view = view
  }

  /** The keys of a deployment whose slots are all taken. */
  readonly full = (id: string): ReadonlySet<string> => this.#fullKeys(id)

  readonly weight = (id: string, key: string): number =>
    this.#view.deployment(id)?.key?.weights[key] ?? 1

  /** Takes the run's slots; else says which one is not free. */
  take(run: Candidate): Full | undefined {
    const id = run.deployment_id
    const deployment = id === null ? undefined : this.#view.deployment(id)
    if (id === null || deployment === undefined) {
      return undefined
    }
    const key = run.key ?? null
    const name = `${id} ${key ?? ''}`
    const ofKey = this.#taken.get(name) ?? 0
    const full =
      key === null ? undefined : keyRule(id, deployment, key, this.#liveOf(id, key) + ofKey)
    if (full !== undefined) {
      return { rule: full, deployment_id: id, key, cancels: false }
    }
    const ofDeployment = this.#taken.get(id) ?? 0
    const live = deployment.live + ofDeployment
    if (deployment.limit !== null && live >= deployment.limit) {
      const rule = deploymentRule(id, { ...deployment, live })
      return { rule, deployment_id: id, key: null, cancels: deployment.strategy === 'CANCEL_NEW' }
    }
    this.#taken.set(name, ofKey + 1)
    this.#taken.set(id, ofDeployment + 1)
    return undefined
  }

  block({ deployment_id, key }: Full): void {
    if (key === null) {
      this.blocked.add(deployment_id)
    } else {
      this.#fullKeys(deployment_id).add(key)
    }
  }

  #liveOf(id: string, key: string): number {
    const live = this.#live.get(id) ?? this.#view.liveOfKeys(id)
    this.#live.set(id, live)
    return live.get(key) ?? 0
  }

  #fullKeys(id: string): Set<string> {
    const known = this.#full.get(id)
    if (known !== undefined) {
      return known
    }
    const limit = this.#view.deployment(id)?.key?.limit ?? null
    const live = limit === null ? [] : [...this.#view.liveOfKeys(id)]
    const full = new Set(live.filter(([, count]) => count >= (limit ?? 0)).map(([key]) => key))
    this.#full.set(id, full)
    return full
  }
}

function deploymentRule(id: string, { name, limit, live }: AdmissionDeployment): BlockingRule {
  return { kind: 'deployment_limit', id, name, limit, live }
}

function keyRule(
  id: string,
  { name, key: keys }: AdmissionDeployment,
  key: string,
  live: number,
): BlockingRule | undefined {
  const limit = keys?.limit ?? null
  return limit === null || live < limit
    ? undefined
    : { kind: 'key_limit', id, name, key, limit, live }
}

/** Whether there is a slot, and if not, by which rule; `never` when waiting for one is in vain. */
export type Slot =
  { free: true } | { free: false; strategy: 'ENQUEUE' | 'CANCEL_NEW'; rule: string; never?: true }

/** A run that someone else than an agent takes. */
export interface SingleRun {
  work_queue_id: string | null
  deployment_id: string | null
  concurrency_key: string | null
}

/** Whether one run, which someone else than an agent takes, may start now; and if not, by which rule. */
export function admitOne(view: AdmissionView, run: SingleRun): Slot {
  const ofDeployment = admitDeployment(view, run)
  if (!ofDeployment.free) {
    return ofDeployment
  }
  const queue = view.queues.find(({ id }) => id === run.work_queue_id)
  if (queue === undefined) {
    return { free: true }
  }
  const rule = [
    view.pool.paused ? `work pool '${view.pool.name}' is paused` : '',
    queue.paused ? `work queue '${queue.name}' is paused` : '',
    free(view.pool) === 0 ? `work pool '${view.pool.name}' has reached its limit` : '',
    free(queue) === 0 ? `work queue '${queue.name}' has reached its limit` : '',
  ].find((text) => text !== '')
  return rule === undefined ? { free: true } : { free: false, strategy: 'ENQUEUE', rule }
}

/** Whether the limits of its deployment, and of its key, let one more run start. */
export function admitDeployment(
  view: AdmissionView,
  { deployment_id: id, concurrency_key: key }: Omit<SingleRun, 'work_queue_id'>,
): Slot {
  const deployment = id === null ? undefined : view.deployment(id)
  if (id === null || deployment === undefined) {
    return { free: true }
  }
  if (free(deployment) === 0) {
    return {
      free: false,
      strategy: deployment.strategy,
      rule: 'Deployment concurrency limit reached.',
      ...(deployment.limit === 0 ? { never: true as const } : {}),
    }
  }
  const isFull =
    key && keyRule(id, deployment, key, view.liveOfKeys(id).get(key) ?? 0) !== undefined
  return isFull
    ? { free: false, strategy: 'ENQUEUE', rule: `Concurrency limit of key '${key}' reached.` }
    : { free: true }
}
