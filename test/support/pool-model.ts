/**
 * What a home promises, written down as plainly as can be: a list of runs, and loops over it. The model test compares every
 * answer of the real home with it. All times are milliseconds.
 */

const ACCEPT_MS = 15_000
const LEASE_MS = 45_000
/** The supervisor on the host has stopped it by then. */
const GRACE_MS = 300_000
const CANCELLING_MS = 300_000
const START_MS = 900_000
/** Leases that are over for so long, unnoticed, tell of an outage of the control plane itself. */
const OUTAGE_MS = 20_000

type Type = 'SCHEDULED' | 'PENDING' | 'RUNNING' | 'CANCELLING'
type EndType = 'COMPLETED' | 'FAILED' | 'CRASHED' | 'CANCELLED'

export interface ModelRun {
  id: string
  queue: string
  deployment: string | null
  /** From when it may be claimed, and its place among those of the same time. */
  due: number
  place: number
  /** How often it may be started anew when its infrastructure fails. */
  retries: number
  type: Type | EndType
  /** It holds its slots. */
  live: boolean
  agent: string | null
  fence: number
  accepted: boolean
  lease: number
  /** Its agent is lost: it shows CRASHED, and was this before. */
  lost: boolean
  before: Type | null
  startBy: number
  since: number
}

export interface ModelQueue {
  id: string
  name: string
  /** 1 is served first. */
  priority: number
  limit: number | null
  paused: boolean
}

const ENDS: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'])

export class PoolModel {
  readonly runs = new Map<string, ModelRun>()
  readonly queues: ModelQueue[]
  /** Limits of deployments. */
  readonly deployments: Map<string, { limit: number | null }>
  limit: number | null = null
  paused = false
  #place = 0

  constructor(queues: ModelQueue[], deployments: string[]) {
    this.queues = queues
    this.deployments = new Map(deployments.map((id) => [id, { limit: null }]))
  }

  enqueue(run: Pick<ModelRun, 'id' | 'queue' | 'deployment' | 'due' | 'retries'>): void {
    this.#place += 1
    this.runs.set(run.id, {
      ...run,
      place: this.#place,
      type: 'SCHEDULED',
      live: false,
      agent: null,
      fence: 0,
      accepted: false,
      lease: 0,
      lost: false,
      before: null,
      startBy: 0,
      since: 0,
    })
  }

  get live(): ModelRun[] {
    return [...this.runs.values()].filter(({ live }) => live)
  }

  /** Those that wait for a worker, due or not. */
  get waiting(): ModelRun[] {
    return [...this.runs.values()].filter(({ type, live }) => type === 'SCHEDULED' && !live)
  }

  /** Gives an agent the runs that may start, most urgent first. */
  claim(agent: string, wanted: number, only: ReadonlySet<string> | null, now: number): ModelRun[] {
    const given: ModelRun[] = []
    for (const queue of this.queues.toSorted((a, b) => a.priority - b.priority)) {
      const waiting = this.waiting
        .filter((run) => run.queue === queue.id && run.due <= now)
        .toSorted((a, b) => a.due - b.due || a.place - b.place)
      for (const run of waiting) {
        const isServed = only === null || only.has(queue.id)
        if (given.length < wanted && isServed && !this.paused && !queue.paused && this.#fits(run)) {
          run.type = 'PENDING'
          run.live = true
          run.agent = agent
          run.fence += 1
          run.accepted = false
          run.lost = false
          run.lease = now + ACCEPT_MS
          given.push(run)
        }
      }
    }
    return given
  }

  /** Whether pool, queue and deployment have one more slot. */
  #fits(run: ModelRun): boolean {
    const { live } = this
    const queue = this.queues.find(({ id }) => id === run.queue)
    const ofDeployment = this.deployments.get(run.deployment ?? '')
    return (
      live.length < (this.limit ?? Infinity) &&
      live.filter((one) => one.queue === run.queue).length < (queue?.limit ?? Infinity) &&
      live.filter((one) => one.deployment === run.deployment).length <
        (ofDeployment?.limit ?? Infinity)
    )
  }

  accept(run: ModelRun, agent: string, fence: number, now: number): 'go' | 'stop' {
    if (!isCurrent(run, agent, fence)) {
      return 'stop'
    }
    if (run.type !== 'PENDING' && run.before !== 'PENDING') {
      // What was accepted before may run.
      if (!run.accepted) {
        this.#endExecution(run, false, now)
      }
      return 'stop'
    }
    run.type = 'PENDING'
    run.before = null
    run.startBy = run.accepted && !run.lost ? run.startBy : now + START_MS
    run.accepted = true
    run.lost = false
    run.lease = now + LEASE_MS
    return 'go'
  }

  renew(run: ModelRun, agent: string, fence: number, now: number): 'current' | 'stop' {
    if (!isCurrent(run, agent, fence)) {
      return 'stop'
    }
    if (run.lost && run.type === 'CRASHED' && run.before !== null) {
      run.type = run.before
      run.before = null
    }
    run.startBy = run.accepted && !run.lost ? run.startBy : now + START_MS
    run.accepted = true
    run.lost = false
    run.lease = now + LEASE_MS
    return 'current'
  }

  /** Its code says so, under its fence. */
  propose(run: ModelRun, fence: number, type: 'RUNNING' | 'COMPLETED'): void {
    // A run may say that it is over whatever it is shown as, unless it is being cancelled.
    const isFromHere = type === 'RUNNING' ? run.type === 'PENDING' : run.type !== 'CANCELLING'
    if (run.live && run.fence === fence && isFromHere) {
      run.type = type
      run.before = null
    }
  }

  finish(
    run: ModelRun,
    agent: string,
    fence: number,
    interrupted: boolean,
    now: number,
  ): 'ended' | 'stale' {
    if (!isCurrent(run, agent, fence)) {
      return 'stale'
    }
    this.#endExecution(run, interrupted, now)
    return 'ended'
  }

  cancel(run: ModelRun, now: number): void {
    if (run.type === 'SCHEDULED' && !run.live) {
      run.type = 'CANCELLED'
    } else if (run.type === 'PENDING' || run.type === 'RUNNING') {
      run.type = 'CANCELLING'
      run.since = now
    }
  }

  /** Everything that is due happens. */
  alarm(now: number): void {
    const late = this.live.filter((run) => !run.lost && run.lease <= now)
    if (late.some((run) => now - run.lease >= OUTAGE_MS)) {
      for (const run of late) {
        run.lease = now + LEASE_MS
      }
    }
    for (const run of this.runs.values()) {
      while (this.#timer(run, now)) {
        // One thing after another, until nothing is due.
      }
    }
  }

  #timer(run: ModelRun, now: number): boolean {
    if (run.live && (run.lost ? run.lease + GRACE_MS : run.lease) <= now) {
      this.#leaseEnds(run, now)
      return true
    }
    if (run.live && run.accepted && run.type === 'PENDING' && run.startBy <= now) {
      run.type = 'CRASHED'
      return true
    }
    if (run.type === 'CANCELLING' && run.since + CANCELLING_MS <= now) {
      run.type = 'CANCELLED'
      return true
    }
    return false
  }

  #leaseEnds(run: ModelRun, now: number): void {
    if (!run.accepted && run.type === 'PENDING') {
      this.#backToQueue(run)
    } else if (!run.accepted || run.lost || run.type === 'COMPLETED' || run.type === 'FAILED') {
      this.#endExecution(run, false, now)
    } else {
      // What was given up, or cancelled, may run until its host has stopped it.
      run.lost = true
      if (run.type === 'PENDING' || run.type === 'RUNNING') {
        run.before = run.type
        run.type = 'CRASHED'
      } else if (run.type === 'CANCELLING') {
        run.type = 'CANCELLED'
      }
    }
  }

  #endExecution(run: ModelRun, interrupted: boolean, now: number): void {
    const wasPending = run.type === 'PENDING' || (run.lost && run.before === 'PENDING')
    run.live = false
    run.lost = false
    run.accepted = false
    run.agent = null
    run.before = null
    if (run.type === 'CANCELLING') {
      run.type = 'CANCELLED'
    } else if (wasPending && interrupted) {
      this.#backToQueue(run)
    } else if (run.type === 'PENDING' || run.type === 'RUNNING' || run.type === 'CRASHED') {
      run.type = 'CRASHED'
      if (run.retries > 0 && run.deployment !== null) {
        run.retries -= 1
        run.type = 'SCHEDULED'
        run.due = now
      }
    }
  }

  /** At its old place. */
  #backToQueue(run: ModelRun): void {
    run.type = 'SCHEDULED'
    run.live = false
    run.agent = null
  }

  /** Runs that nothing can happen to any more are forgotten. */
  forget(): string[] {
    const over = [...this.runs.values()].filter(({ type, live }) => ENDS.has(type) && !live)
    for (const { id } of over) {
      this.runs.delete(id)
    }
    return over.map(({ id }) => id)
  }
}

function isCurrent(run: ModelRun, agent: string, fence: number): boolean {
  return run.live && run.agent === agent && run.fence === fence
}
