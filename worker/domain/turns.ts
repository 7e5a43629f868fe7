/**
 * In whose turn the waiting runs of one queue are served, where some of them have keys. Each key of a deployment is a line of
 * its own, all runs without a key are one more. Every line has a turn, a number; the lowest is served next, first due first in
 * within the line, and then its turn is put off by the cost of one run over the line's weight. So over any while the lines that
 * wait are served in proportion to their weights, and one that was not there, or could not be served, gains nothing by that.
 */

/** Divisible by all weights up to 16, so that their turns are exact. */
const TURN_COST = 720_720

/** A run that is due. */
export interface Candidate {
  id: string
  deployment_id: string | null
  /** When it was due, and its place among those due at the same time. */
  due: number
  position: number
  key?: string | null
}

/** The runs of one queue that have one key of one deployment. */
export interface Line {
  deployment_id: string
  key: string
  turn: number
  /** Of its first run. */
  due: number
  position: number
}

/** How far a queue has come, and the turn of its runs without a key. */
export interface Clock {
  now: number
  plain: number
}

export const NEW_CLOCK: Clock = { now: 0, plain: 0 }

/** What waits in one queue in lines of keys. */
export interface KeyedQueue {
  clock: Clock
  /** The deployments that have lines with runs that are due. */
  deployments: readonly string[]
  /** The deployment's lines by turn, then by their first runs; those of the keys left out are not given. */
  lines: (deploymentId: string, without: ReadonlySet<string>) => Iterable<Line>
  /** Its runs that are due, in order. */
  runs: (line: Line) => Iterable<Candidate>
}

/** The turns of a queue after some of its runs were served. */
export interface TurnsAfter {
  clock: Clock
  lines: { deployment_id: string; key: string; turn: number }[]
}

/** What the turns must know beside the queue; both grow while runs are chosen. */
interface Choice {
  /** Deployments of which no run may start. */
  blocked: ReadonlySet<string>
  /** The keys of a deployment of which no run may start. */
  full: (deploymentId: string) => ReadonlySet<string>
  weight: (deploymentId: string, key: string) => number
}

/** A line that has been looked at; without one, all runs without a key. */
interface Stream {
  line: Line | null
  turn: number
  runs: Iterator<Candidate>
  head: Candidate | undefined
}

/** Gives the runs of a queue one by one in their order; who asks says of each what becomes of it. */
export class Turns {
  readonly #queue: KeyedQueue | undefined
  readonly #choice: Choice
  readonly #plain: Stream
  /** The lines of each deployment that have not been looked at, and the first of them. */
  readonly #unread = new Map<string, { lines: Iterator<Line>; first: Line | undefined }>()
  #streams: Stream[]
  #current: Stream | undefined
  readonly #served = new Map<string, Line>()
  #now: number

  constructor(plain: Iterable<Candidate>, queue: KeyedQueue | undefined, choice: Choice) {
    this.#queue = queue
    this.#choice = choice
    this.#now = queue?.clock.now ?? 0
    this.#plain = opened(null, queue?.clock.plain ?? 0, plain)
    this.#streams = [this.#plain]
    for (const id of queue?.deployments ?? []) {
      const lines = (queue?.lines(id, choice.full(id)) ?? [])[Symbol.iterator]()
      this.#unread.set(id, { lines, first: valueOf(lines.next()) })
    }
  }

  /** The run whose turn it is; the same again until it is served or passed, or may no longer start. */
  next(): Candidate | undefined {
    for (;;) {
      this.#leaveBlocked()
      const stream = lowest(this.#streams)
      const unread = this.#lowestUnread()
      if (unread?.first !== undefined && (stream === undefined || isBefore(unread.first, stream))) {
        const { first } = unread
        this.#streams.push(opened(first, first.turn, this.#queue?.runs(first) ?? []))
        unread.first = valueOf(unread.lines.next())
        continue
      }
      this.#current = stream
      return stream?.head
    }
  }

  /** The run starts: its line waits for its next turn. */
  serve(): void {
    const stream = this.#current
    if (stream !== undefined && this.#queue !== undefined) {
      const { line } = stream
      this.#now = Math.max(this.#now, stream.turn)
      stream.turn = this.#now + this.#costOf(line)
      if (line !== null) {
        this.#served.set(`${line.deployment_id} ${line.key}`, { ...line, turn: stream.turn })
      }
    }
    this.pass()
  }

  /** The run is no longer there. */
  pass(): void {
    if (this.#current !== undefined) {
      this.#current.head = valueOf(this.#current.runs.next())
    }
  }

  /** What is to be kept; undefined where no run with a key waits. */
  after(): TurnsAfter | undefined {
    const lines = [...this.#served.values()]
    return this.#queue === undefined
      ? undefined
      : { clock: { now: this.#now, plain: this.#plain.turn }, lines }
  }

  #costOf(line: Line | null): number {
    return turnCost(line === null ? 1 : this.#choice.weight(line.deployment_id, line.key))
  }

  /** Goes past what may no longer start. */
  #leaveBlocked(): void {
    const { blocked, full } = this.#choice
    while (isOf(blocked, this.#plain.head)) {
      this.#plain.head = valueOf(this.#plain.runs.next())
    }
    this.#streams = this.#streams.filter(
      ({ line, head }) =>
        line === null ||
        (head !== undefined && !isOf(blocked, head) && !full(line.deployment_id).has(line.key)),
    )
    for (const [id, unread] of this.#unread) {
      while (unread.first !== undefined && full(id).has(unread.first.key)) {
        unread.first = valueOf(unread.lines.next())
      }
      if (unread.first === undefined || blocked.has(id)) {
        this.#unread.delete(id)
      }
    }
  }

  #lowestUnread() {
    let found: { lines: Iterator<Line>; first: Line | undefined } | undefined
    for (const unread of this.#unread.values()) {
      const { first } = unread
      if (first !== undefined && (found?.first === undefined || isLower(first, found.first))) {
        found = unread
      }
    }
    return found
  }
}

/** How far one run puts the turn of its line off. */
export function turnCost(weight: number): number {
  return Math.round(TURN_COST / weight)
}

function opened(line: Line | null, turn: number, runs: Iterable<Candidate>): Stream {
  const iterator = runs[Symbol.iterator]()
  return { line, turn, runs: iterator, head: valueOf(iterator.next()) }
}

function lowest(streams: readonly Stream[]): Stream | undefined {
  let found: Stream | undefined
  for (const stream of streams) {
    if (stream.head !== undefined && (found === undefined || isBefore(placeOf(stream), found))) {
      found = stream
    }
  }
  return found
}

interface Place {
  turn: number
  due: number
  position: number
}

function placeOf({ turn, head }: Stream): Place {
  return { turn, due: head?.due ?? Infinity, position: head?.position ?? Infinity }
}

function isBefore(place: Place, stream: Stream): boolean {
  return isLower(place, placeOf(stream))
}

function isLower(a: Place, b: Place): boolean {
  return (a.turn - b.turn || a.due - b.due || a.position - b.position) < 0
}

function isOf(blocked: ReadonlySet<string>, run: Candidate | undefined): boolean {
  const id = run?.deployment_id ?? null
  return id !== null && blocked.has(id)
}

function valueOf<T>(result: IteratorResult<T, unknown>): T | undefined {
  return result.done === true ? undefined : result.value
}
