/**
 * What is known of a soak from outside the system: what its runs wrote down themselves, what was seen in the list of processes,
 * what the proxies heard the server say, and what this program has done. All times are epoch milliseconds of one machine.
 */
export interface Evidence {
  queues: Queue[]
  runs: Run[]
  /** Each time that the server gave out runs, in the order in which they stand in the answer. */
  claims: ClaimAnswer[]
  /** Claims whose answer nobody has: they may have taken anything. When they were sent. */
  lostClaims: number[]
  /** Executions that the server has acknowledged as ended: by then the slot was free. */
  finishes: { run: string; fence: number; at: number }[]
  /** When an execution was accepted or renewed, by which its lease lasts. */
  renewals: { run: string; fence: number; sent: number }[]
  /** Sightings of living processes: group by group, those of one execution; and the process of the flow alone. */
  executions: Sighting[]
  flows: Sighting[]
  changes: Change[]
}

export interface Queue {
  id: string
  name: string
  /** 1 is served first. */
  priority: number
}

export interface Run {
  id: string
  name: string
  queue: string
  deployment: string
  /** From when its creation was first sent to when it was answered. */
  created: Span
  /** When this program first asked for its end. */
  cancelled?: number
  /** How many of its attempts fail by themselves. */
  fails: number
  end: RunEnd
}

interface RunEnd {
  type: string | null
  name: string | null
  message: string | null
  at: number
  /** The state says that nobody renewed. */
  agentLost: boolean
}

export interface Span {
  from: number
  to: number
}

export interface ClaimAnswer extends Span {
  agent: string
  runs: { id: string; fence: number }[]
}

/** Something was seen alive at both ends, and it was the same all the time between. */
export interface Sighting extends Span {
  run: string
  fence: number
  pid: number
}

/**
 * A limit, or a pause, of the pool (`pool`), a queue or a deployment (their ids). Between `from` and `to` the old and the new
 * value may hold.
 */
export interface Change extends Span {
  of: string
  limit: number | null
  paused: boolean
}
