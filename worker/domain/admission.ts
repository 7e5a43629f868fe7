import type { Micros } from '#core/time.ts'

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
  limit: number | null
  live: number
  strategy: 'ENQUEUE' | 'CANCEL_NEW'
}

export interface Candidate {
  id: string
  deployment_id: string | null
}

export interface AdmissionView {
  now: Micros
  pool: { name: string; paused: boolean; limit: number | null; live: number }
  queues: readonly AdmissionQueue[]
  deployment: (id: string) => AdmissionDeployment | undefined
  /**
   * The queue's due runs in their order (first due, first in). `blocked` grows while the runs are read: the pages that follow
   * leave the runs of those deployments out, so that they never fill a page.
   */
  candidates: (queueId: string, blocked: ReadonlySet<string>) => Iterable<Candidate>
}

export interface Admission {
  /** To be claimed, in order. */
  admitted: Candidate[]
  /** Their deployment is full and its strategy is CANCEL_NEW. */
  cancelled: Candidate[]
}

/**
 * Chooses at most `wanted` runs: strict priority over queues, first in first out within one, under the limits of pool, queue
 * and deployment. Queues of equal priority are served in the order of their ids.
 * @param only ids of the queues to serve; undefined is all
 */
export function admit(view: AdmissionView, wanted: number, only?: ReadonlySet<string>): Admission {
  const admission: Admission = { admitted: [], cancelled: [] }
  const blocked = new Set<string>()
  const taken = new Map<string, number>()
  let room = Math.min(wanted, view.pool.paused ? 0 : free(view.pool))
  for (const queue of inOrder(view.queues)) {
    if (queue.paused || (only !== undefined && !only.has(queue.id))) {
      continue
    }
    let queueRoom = free(queue)
    if (queueRoom === 0 || room === 0) {
      continue
    }
    for (const candidate of view.candidates(queue.id, blocked)) {
      if (candidate.deployment_id !== null && blocked.has(candidate.deployment_id)) {
        continue
      }
      const verdict = deploymentVerdict(view, candidate, taken)
      if (verdict === 'blocked') {
        blocked.add(candidate.deployment_id ?? '')
        continue
      }
      if (verdict === 'cancel') {
        admission.cancelled.push(candidate)
        continue
      }
      admission.admitted.push(candidate)
      room -= 1
      queueRoom -= 1
      if (room === 0 || queueRoom === 0) {
        break
      }
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

function deploymentVerdict(
  view: AdmissionView,
  candidate: Candidate,
  taken: Map<string, number>,
): 'free' | 'blocked' | 'cancel' {
  const id = candidate.deployment_id
  const deployment = id === null ? undefined : view.deployment(id)
  if (id === null || deployment === undefined || deployment.limit === null) {
    return 'free'
  }
  const live = deployment.live + (taken.get(id) ?? 0)
  if (live < deployment.limit) {
    taken.set(id, (taken.get(id) ?? 0) + 1)
    return 'free'
  }
  return deployment.strategy === 'CANCEL_NEW' ? 'cancel' : 'blocked'
}

/** Whether there is a slot, and if not, by which rule; `never` when waiting for one is in vain. */
export type Slot =
  { free: true } | { free: false; strategy: 'ENQUEUE' | 'CANCEL_NEW'; rule: string; never?: true }

/** Whether one run, which someone else than an agent takes, may start now; and if not, by which rule. */
export function admitOne(
  view: AdmissionView,
  queueId: string | null,
  deploymentId: string | null,
): Slot {
  const ofDeployment = admitDeployment(view, deploymentId)
  if (!ofDeployment.free) {
    return ofDeployment
  }
  const queue = view.queues.find(({ id }) => id === queueId)
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

/** Whether the limit of its deployment lets one more run start. */
export function admitDeployment(view: AdmissionView, deploymentId: string | null): Slot {
  const deployment = deploymentId === null ? undefined : view.deployment(deploymentId)
  return deployment === undefined || free(deployment) > 0
    ? { free: true }
    : {
        free: false,
        strategy: deployment.strategy,
        rule: 'Deployment concurrency limit reached.',
        ...(deployment.limit === 0 ? { never: true as const } : {}),
      }
}
