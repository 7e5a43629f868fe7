import type { Client } from '../../core/client.ts'
import { withRetry } from '../../core/retry.ts'
import { sleep } from '../../core/sleep.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros, parseTimestamp } from '../../core/time.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import type { Log } from '../../core/wire/log.ts'
import type { State, StateType } from '../../core/wire/state.ts'
import { everyPage } from './find.ts'
import { TaskNames } from './task-names.ts'

/** Something new about a flow run. */
export type Entry =
  | { kind: 'state'; state: State }
  /** `task` is the name of the task run that wrote the line. */
  | { kind: 'log'; log: Log; task: string | undefined }

export interface FollowOptions {
  /** Leave out changes of state. */
  logsOnly?: boolean
  /** Only what is from this time on. */
  since?: Micros
  signal?: AbortSignal
  print: (entry: Entry) => void
  /** Called when the API did not answer and is asked again. */
  onRetry?: () => void
}

/** Asked for again this soon while something happens, and ever later while nothing does. */
const FRESH_MS = 250
const SLOWEST_MS = 1000
/** A run reports its end before its last lines: they are waited for until this long has brought none, … */
const QUIET_AFTER_END_MS = 1000
/** … but no longer than this. */
const LONGEST_AFTER_END_MS = 5000
/** Lines of several processes arrive out of order; this much before the last line is read again. */
const OVERLAP: Micros = 10 * MICROS_PER_SECOND

const TERMINAL: ReadonlySet<StateType> = new Set(['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'])

export function isTerminal(type: StateType | null): boolean {
  return type !== null && TERMINAL.has(type)
}

/**
 * Follows a flow run until it ends, printing each change of state and each log line once, in the order of their times.
 * Rides out an API that is away for a while.
 * @returns the run at its end
 */
export async function followFlowRun(
  client: Client,
  id: string,
  options: FollowOptions,
): Promise<FlowRun> {
  const reader = new FlowRunReader(client, id, options)
  let waitMs = FRESH_MS
  let ended: number | undefined
  let lastNews = Date.now()
  for (;;) {
    const { run, entries } = await ask(() => reader.readNews(), options)
    for (const entry of entries) {
      options.print(entry)
    }
    const at = Date.now()
    lastNews = entries.length > 0 ? at : lastNews
    ended = isTerminal(run.state_type) ? (ended ?? at) : undefined
    if (ended !== undefined) {
      const quiet = at - Math.max(lastNews, ended) >= QUIET_AFTER_END_MS
      if (quiet || at - ended >= LONGEST_AFTER_END_MS) {
        return run
      }
    }
    const fresh = entries.length > 0 || ended !== undefined
    waitMs = fresh ? FRESH_MS : Math.min(SLOWEST_MS, waitMs * 1.5)
    await sleep(waitMs, options.signal)
  }
}

function ask<T>(call: () => Promise<T>, { signal, onRetry }: FollowOptions): Promise<T> {
  return withRetry(call, {
    attempts: 30,
    maxMs: 5000,
    ...(signal === undefined ? {} : { signal }),
    ...(onRetry === undefined ? {} : { onRetry }),
  })
}

/** Reads what is new of one run; remembers what it has already given out. */
class FlowRunReader {
  readonly #client: Client
  readonly #id: string
  readonly #options: FollowOptions
  readonly #seen = new Set<string>()
  readonly #tasks: TaskNames
  #stateId: string | null = null
  #lastLine: Micros | undefined

  constructor(client: Client, id: string, options: FollowOptions) {
    this.#client = client
    this.#id = id
    this.#options = options
    this.#tasks = new TaskNames(client)
    this.#lastLine = options.since
  }

  async readNews(): Promise<{ run: FlowRun; entries: Entry[] }> {
    // The run first: lines written before its end are then in the answer that is asked for after.
    const run = await this.#client.readFlowRun(this.#id)
    const [states, logs] = await Promise.all([this.#readStates(run), this.#readLogs()])
    this.#stateId = run.state_id
    const newLogs = logs.filter(({ id }) => !this.#seen.has(id))
    await this.#tasks.learn(newLogs)
    const entries = [
      ...states
        .filter(({ id }) => !this.#seen.has(id))
        .map((state): Entry => ({ kind: 'state', state })),
      ...newLogs.map((log): Entry => ({ kind: 'log', log, task: this.#tasks.of(log) })),
    ]
    for (const entry of entries) {
      this.#seen.add(idOf(entry))
    }
    return { run, entries: entries.toSorted((a, b) => compare(timeOf(a), timeOf(b))) }
  }

  async #readStates(run: FlowRun): Promise<State[]> {
    if (this.#options.logsOnly === true || run.state_id === this.#stateId) {
      return []
    }
    const states = await this.#client.readFlowRunStates(this.#id)
    // The list may be a moment older than the run itself.
    const current = run.state
    const all =
      current === null || states.some(({ id }) => id === current.id) ? states : [...states, current]
    const since = formatTimestamp(this.#options.since ?? 0)
    return all.filter(({ timestamp }) => timestamp >= since)
  }

  async #readLogs(): Promise<Log[]> {
    const from = this.#lastLine === undefined ? undefined : this.#lastLine - OVERLAP
    const since = Math.max(from ?? 0, this.#options.since ?? 0)
    const logs = await everyPage((page) =>
      this.#client.filterLogs({
        logs: {
          flow_run_id: { any_: [this.#id] },
          ...(since === 0 ? {} : { timestamp: { after_: formatTimestamp(since) } }),
        },
        sort: 'TIMESTAMP_ASC',
        ...page,
      }),
    )
    const last = logs.at(-1)
    const lastTime = last === undefined ? undefined : parseTimestamp(last.timestamp)
    this.#lastLine = lastTime ?? this.#lastLine
    return logs
  }
}

function idOf(entry: Entry): string {
  return entry.kind === 'state' ? entry.state.id : entry.log.id
}

function timeOf(entry: Entry): string {
  return entry.kind === 'state' ? entry.state.timestamp : entry.log.timestamp
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
