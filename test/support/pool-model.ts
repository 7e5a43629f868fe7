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
/** A run that waits so long after its time is late; of a full deployment that takes none that wait, it is cancelled then. */
const LATE_MS = 15_000
/** What one run puts the turn of its line off, divided by the line's weight. */
const TURN = 720_720

type Type = 'SCHEDULED' | 'PENDING' | 'RUNNING' | 'CANCELLING'
type EndType = 'COMPLETED' | 'FAILED' | 'CRASHED' | 'CANCELLED'

export interface ModelRun {
  id: string
  queue: string
  deployment: string | null
  /** It shares a limit, and waits in line, with those of the same deployment and key. */
  key: string | null
  /** It is cancelled when it has not begun by then. */
  startBefore: number | null
  /** From when it may be claimed, and its place among those of the same time. */
  due: number
  place: number
  /** How often it may be started anew when its infrastructure fails. */
  retries: number
  /** It was running, or was tried anew: it is past all that can happen to one that never began. */
  begun: boolean
  /** It has been looked at when it was due; and when it was late. */
  arrived: boolean
  late: boolean
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

export interface ModelDeployment {
  limit: number | null
  /** What is due while it is full does not wait, but is cancelled. */
  cancelsNew: boolean
  /** As many runs may be due and wait; the next one is cancelled. */
  maxWaiting: number | null
  keyLimit: number | null
  weights: Record<string, number>
}

/** Where runs wait: those of one key, or all of the queue that have none. */
interface ModelLine {
  queue: string
  deployment: string | null
  key: string | null
  turn: number
}

/** The real one, when its alarm comes. */
interface HomeAlarm {
  ring: () => void
  isCancelled: (id: string) => boolean
  /** Of all lines of keys, by queue, deployment and key. */
  turns: () => Map<string, number>
}

const ENDS: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'])

export class PoolModel {
  readonly runs = new Map<string, ModelRun>()
  readonly queues: ModelQueue[]
  readonly deployments: Map<string, ModelDeployment>
  limit: number | null = null
  paused = false
  #place = 0
  /** Whose turn is next: of each queue its lines, and how far it has come. */
  readonly #lines = new Map<string, ModelLine>()
  readonly #clocks = new Map<string, number>()

  constructor(queues: ModelQueue[], deployments: string[]) {
    this.queues = queues
    this.deployments = new Map(
      deployments.map((id) => [
        id,
        { limit: null, cancelsNew: false, maxWaiting: null, keyLimit: null, weights: {} },
      ]),
    )
  }

  enqueue(
    run: Pick<ModelRun, 'id' | 'queue' | 'deployment' | 'key' | 'startBefore' | 'due' | 'retries'>,
    now: number,
  ): Type | EndType {
    this.#place += 1
    const cap = this.deployments.get(run.deployment ?? '')?.maxWaiting ?? Infinity
    const others = this.waiting.filter((one) => one.deployment === run.deployment && one.due <= now)
    const type = run.due <= now && others.length >= cap ? 'CANCELLED' : 'SCHEDULED'
    this.runs.set(run.id, {
      ...run,
      place: this.#place,
      type,
      begun: false,
      arrived: run.due <= now,
      late: false,
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
    this.#settleLines()
    return type
  }

  get live(): ModelRun[] {
    return [...this.runs.values()].filter(({ live }) => live)
  }

  /** Those that wait for a worker, due or not. */
  get waiting(): ModelRun[] {
    return [...this.runs.values()].filter(({ type, live }) => type === 'SCHEDULED' && !live)
  }

  /** Gives an agent the runs that may start: queue by queue, the lines of each by turns, first due first within a line. */
  claim(agent: string, wanted: number, only: ReadonlySet<string> | null, now: number): ModelRun[] {
    this.#endTooLate(now)
    const given: ModelRun[] = []
    for (const queue of this.queues.toSorted((a, b) => a.priority - b.priority)) {
      const isServed = only === null || only.has(queue.id)
      const due = this.waiting.filter((run) => run.queue === queue.id && run.due <= now)
      const takesTurns = due.some(({ key }) => key !== null)
      const passed = new Set<ModelRun>()
      if (!isServed || this.paused || queue.paused) {
        continue
      }
      while (given.length < wanted) {
        const [run] = due
          .filter((one) => !one.live && !passed.has(one))
          .toSorted(
            (a, b) => this.#turnOf(a) - this.#turnOf(b) || a.due - b.due || a.place - b.place,
          )
        if (run === undefined || !this.#hasRoom(queue)) {
          break
        }
        passed.add(run)
        if (this.#isKeyFull(run)) {
          continue
        }
        if (this.#isDeploymentFull(run)) {
          const { cancelsNew = false } = this.deployments.get(run.deployment ?? '') ?? {}
          run.type = cancelsNew ? 'CANCELLED' : run.type
          continue
        }
        run.type = 'PENDING'
        run.arrived = true
        run.live = true
        run.agent = agent
        run.fence += 1
        run.accepted = false
        run.lost = false
        run.lease = now + ACCEPT_MS
        given.push(run)
        if (takesTurns) {
          this.#serveLine(run)
        }
      }
    }
    this.#settleLines()
    return given
  }

  #hasRoom(queue: ModelQueue): boolean {
    const { live } = this
    const ofQueue = live.filter((one) => one.queue === queue.id)
    return live.length < (this.limit ?? Infinity) && ofQueue.length < (queue.limit ?? Infinity)
  }

  #isDeploymentFull(run: ModelRun): boolean {
    return run.deployment !== null && this.#isFull(run.deployment)
  }

  #isKeyFull(run: ModelRun): boolean {
    const limit = this.deployments.get(run.deployment ?? '')?.keyLimit ?? Infinity
    return run.key !== null && this.live.filter((one) => isSameKey(one, run)).length >= limit
  }

  #turnOf(run: ModelRun): number {
    return this.#lines.get(lineOf(run))?.turn ?? 0
  }

  #costOf({ deployment, key }: { deployment: string | null; key: string | null }): number {
    const weights = this.deployments.get(deployment ?? '')?.weights
    return Math.round(TURN / (key === null ? 1 : (weights?.[key] ?? 1)))
  }

  #serveLine(run: ModelRun): void {
    const { queue, deployment, key } = run
    const clock = Math.max(this.#clocks.get(queue) ?? 0, this.#turnOf(run))
    this.#clocks.set(queue, clock)
    const turn = clock + this.#costOf(run)
    this.#lines.set(lineOf(run), { queue, deployment: key === null ? null : deployment, key, turn })
  }

  /** A line of a key is there while runs wait in it, due or not; who comes waits behind those that are there. */
  #settleLines(): void {
    const { waiting } = this
    const names = new Set(waiting.map(lineOf))
    for (const [name, { key }] of this.#lines) {
      if (key !== null && !names.has(name)) {
        this.#lines.delete(name)
      }
    }
    for (const run of waiting) {
      const { queue, deployment, key } = run
      if (key !== null && !this.#lines.has(lineOf(run))) {
        const turn = (this.#clocks.get(queue) ?? 0) + this.#costOf(run)
        this.#lines.set(lineOf(run), { queue, deployment, key, turn })
      }
    }
  }

  /** What never began, and no longer may. */
  #endTooLate(now: number): void {
    for (const run of this.waiting) {
      if (run.startBefore !== null && run.startBefore <= now && !run.begun) {
        run.type = 'CANCELLED'
      }
    }
    this.#settleLines()
  }

  accept(run: ModelRun, agent: string, fence: number, now: number): 'go' | 'stop' {
    if (!isCurrent(run, agent, fence)) {
      return 'stop'
    }
    if (run.type !== 'PENDING' && run.before !== 'PENDING') {
      // What was accepted before may run.
      if (!run.accepted) {
        this.#endExecution(run, false, now)
        this.#settleLines()
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
      run.begun ||= type === 'RUNNING'
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
    this.#settleLines()
    return 'ended'
  }

  cancel(run: ModelRun, now: number): void {
    if (run.type === 'SCHEDULED' && !run.live) {
      run.type = 'CANCELLED'
      this.#settleLines()
    } else if (run.type === 'PENDING' || run.type === 'RUNNING') {
      run.type = 'CANCELLING'
      run.since = now
    }
  }

  /**
   * Everything that is due happens. Where that hangs on the order of what was due together, the home says what became of it.
   * @returns what of it can't be right
   */
  alarm(now: number, home: HomeAlarm): string[] {
    const before = new Set(this.waiting)
    const full = new Set([...this.deployments.keys()].filter((id) => this.#isFull(id)))
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
    home.ring()
    const faults = this.#adoptCancelled(now, before, full, home)
    return [...faults, ...this.#adoptTurns(before, home)]
  }

  /** A deployment cancels what comes when it is full, or when as many wait as may. */
  #adoptCancelled(
    now: number,
    before: ReadonlySet<ModelRun>,
    full: ReadonlySet<string>,
    home: HomeAlarm,
  ): string[] {
    const faults: string[] = []
    const waiting = this.waiting.filter(({ due }) => due <= now)
    const gone = new Set(waiting.filter(({ id }) => home.isCancelled(id)))
    const throughout = waiting.filter((run) => before.has(run) && !gone.has(run))
    const sometime = [...new Set([...before, ...waiting])].filter(({ due }) => due <= now)
    for (const run of waiting) {
      const { deployment: id } = run
      const rules = id === null ? undefined : this.deployments.get(id)
      const inFront = (of: ModelRun[]) =>
        of.filter((one) => one.deployment === id && isBefore(one, run)).length
      // Only who has just come is one too many, not who was there before, or comes back.
      const cap = run.arrived ? Infinity : (rules?.maxWaiting ?? Infinity)
      const turnsLate = run.due + LATE_MS <= now && !run.late
      const refuses = id !== null && rules?.cancelsNew === true && turnsLate
      const may = inFront(sometime) >= cap || (refuses && full.has(id))
      const must = before.has(run) && (inFront(throughout) >= cap || (refuses && this.#isFull(id)))
      if (gone.has(run) ? !may : must) {
        faults.push(`${run.id} is ${gone.has(run) ? '' : 'not '}cancelled`)
      }
      run.arrived = true
      run.late ||= turnsLate
    }
    for (const run of gone) {
      run.type = 'CANCELLED'
    }
    return faults
  }

  #isFull(deployment: string): boolean {
    const limit = this.deployments.get(deployment)?.limit ?? Infinity
    return this.live.filter((run) => run.deployment === deployment).length >= limit
  }

  /** A line whose runs went while others came may have been gone in between, and has come anew then. */
  #adoptTurns(before: ReadonlySet<ModelRun>, home: HomeAlarm): string[] {
    const left = new Set([...before].filter((run) => !this.waiting.includes(run)).map(lineOf))
    this.#settleLines()
    const faults: string[] = []
    for (const [name, turn] of home.turns()) {
      const line = this.#lines.get(name)
      const fresh =
        line === undefined ? 0 : (this.#clocks.get(line.queue) ?? 0) + this.#costOf(line)
      if (line !== undefined && left.has(name) && turn === fresh) {
        line.turn = turn
      } else if (line?.turn !== turn) {
        faults.push(`the turn of ${name} is ${turn}, not ${String(line?.turn)}`)
      }
    }
    return faults
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
    const waits = run.type === 'SCHEDULED' && !run.live && !run.begun
    if (waits && run.startBefore !== null && run.startBefore <= now) {
      run.type = 'CANCELLED'
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
        run.begun = true
        run.arrived = true
        run.late = true
      }
    }
  }

  /** At its old place. */
  #backToQueue(run: ModelRun): void {
    run.type = 'SCHEDULED'
    run.live = false
    run.agent = null
    run.late = false
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

function isSameKey(a: ModelRun, b: ModelRun): boolean {
  return a.deployment === b.deployment && a.key === b.key
}

function isBefore(a: ModelRun, b: ModelRun): boolean {
  return (a.due - b.due || a.place - b.place) < 0
}

function lineOf({ queue, deployment, key }: ModelRun): string {
  return key === null ? queue : `${queue} ${deployment} ${key}`
}

function isCurrent(run: ModelRun, agent: string, fence: number): boolean {
  return run.live && run.agent === agent && run.fence === fence
}
