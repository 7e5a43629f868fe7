import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type { Event } from '#core/wire/event.ts'
import { flowRunStateEvent, type FlowRunSurroundings } from '#domain/flow-run-event.ts'
import type { HomeRun } from '#domain/execution.ts'
import { objectContext } from '../operations/object-context.ts'
import { eventStreamStub } from '../operations/stubs.ts'
import type { Home } from './home.ts'
import { report } from '../operations/report.ts'

/** One call carries at most so many; an event has some KB. */
const BATCH = 200
/** States that come closer together than this are told together: each call costs a stream a row, and the hub another. */
const GATHER_MS = 100
/** After so long the alarm looks whether all was taken, and takes the note of it away; so a burst costs two rows. */
const CONFIRM_MICROS = 5 * MICROS_PER_SECOND
const LONGEST_WAIT_MICROS = 60 * MICROS_PER_SECOND
/** What the clocks of two objects may differ by. */
const SLACK_MICROS = 60 * MICROS_PER_SECOND
const MARK = 'events_since'

interface Untaken {
  run_id: string
  event: Event
  /** It was sent before, and nobody knows what became of it. */
  again: boolean
}

/**
 * Tells the streams of runs' states. What they have not taken yet is in memory; across restarts there is one note: states since
 * that time may not have been taken. A run stays at home until its events were.
 */
export class HomeEvents {
  readonly #home: Home
  readonly #untaken = new Set<Untaken>()
  /** How many of them each run has. */
  readonly #untakenOf = new Map<string, number>()
  #since: string | undefined
  #sending: Promise<void> | undefined
  #failures = 0
  #due: Micros | null = null
  #lastSentMs = 0

  constructor(home: Home) {
    this.#home = home
    const mark = home.store.meta(MARK)
    if (mark !== undefined) {
      const [since = '', written] = mark.split(' ')
      this.#since = since
      for (const run of home.store.withStatesSince(since, Number(written ?? 0))) {
        const { states } = run.record
        this.#collect(run, states.filter(({ timestamp }) => timestamp < since).length, true)
      }
      this.#due = home.now()
    }
  }

  /** When the home's alarm must call `onAlarm`; null: not at all. */
  get due(): Micros | null {
    return this.#due
  }

  isUntaken(runId: string): boolean {
    return this.#untakenOf.has(runId)
  }

  /** Call it in the same turn as the write of the run, with the number of states that were told before. */
  tell(run: HomeRun, told: number): void {
    if (!this.#collect(run, told, false)) {
      return
    }
    if (this.#since === undefined) {
      const now = this.#home.now()
      this.#since = run.record.states[told]?.timestamp ?? formatTimestamp(now)
      // Few rows have been written since, and that is a column; a state's time is deep in the row.
      this.#home.store.setMeta(MARK, `${this.#since} ${now}`)
    }
    this.#due ??= this.#home.now() + CONFIRM_MICROS
    this.#home.state.waitUntil(this.#send())
  }

  /** Never throws. */
  async onAlarm(): Promise<void> {
    if (this.#due === null || this.#due > this.#home.now()) {
      return
    }
    this.#due = this.#home.now() + CONFIRM_MICROS
    await this.#send()
    if (this.#untaken.size === 0) {
      this.#home.store.setMeta(MARK, null)
      this.#since = undefined
      this.#due = null
    }
  }

  /** @returns whether there is anything to tell */
  #collect(run: HomeRun, from: number, again: boolean): boolean {
    const { record } = run
    const surroundings = surroundingsOf(this.#home, run)
    const events = record.states.flatMap((_state, index) =>
      index < from ? [] : (flowRunStateEvent(record, index, surroundings) ?? []),
    )
    for (const event of events) {
      this.#untaken.add({ run_id: record.id, event, again })
    }
    if (events.length > 0) {
      this.#untakenOf.set(record.id, (this.#untakenOf.get(record.id) ?? 0) + events.length)
    }
    return events.length > 0
  }

  #taken(untaken: Untaken): void {
    this.#untaken.delete(untaken)
    const left = (this.#untakenOf.get(untaken.run_id) ?? 1) - 1
    if (left === 0) {
      this.#untakenOf.delete(untaken.run_id)
    } else {
      this.#untakenOf.set(untaken.run_id, left)
    }
  }

  async #send(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
    await this.#sending
  }

  async #sendAll(): Promise<void> {
    try {
      // What is written in the same turn goes together.
      await Promise.resolve()
      while (this.#untaken.size > 0) {
        await this.#gathered()
        this.#lastSentMs = Date.now()
        await this.#sendBatch(firstOf(this.#untaken, BATCH))
      }
      this.#failures = 0
    } catch (error) {
      report('states could not be told as events', error, { object: this.#home.name })
      this.#failures += 1
      const wait = Math.min(MICROS_PER_SECOND * 2 ** (this.#failures - 1), LONGEST_WAIT_MICROS)
      this.#due = this.#home.now() + wait
      this.#home.arm()
    }
  }

  /** The first of a burst goes at once; what follows waits for the rest. */
  async #gathered(): Promise<void> {
    const wait = this.#lastSentMs + GATHER_MS - Date.now()
    if (wait > 0 && this.#untaken.size < BATCH) {
      await scheduler.wait(Math.min(wait, GATHER_MS))
    }
  }

  async #sendBatch(batch: Untaken[]): Promise<void> {
    const workspace = this.#home.workspace()
    const context = objectContext(workspace)
    const since = (parseTimestamp(this.#since ?? '') ?? 0) - SLACK_MICROS
    const groups = Map.groupBy(batch, ({ run_id, again }) =>
      JSON.stringify([eventStreamStub(workspace, run_id).id.toString(), again]),
    )
    const again = new Set(batch.filter((untaken) => untaken.again))
    for (const untaken of batch) {
      untaken.again = true
    }
    // All of them end before any is sent again: a stream that is asked whether it has an event must not be about to get it.
    const results = await Promise.allSettled(
      [...groups.values()].map(async (group) => {
        const known = group.some((untaken) => again.has(untaken))
        const events = group.map(({ event }) => event)
        const stream = eventStreamStub(workspace, group[0]?.run_id ?? null)
        await stream.recordStates(context, events, known ? since : null, this.#home.now())
        for (const untaken of group) {
          this.#taken(untaken)
        }
        this.#home.letGo([...new Set(group.map(({ run_id }) => run_id))], known)
      }),
    )
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) {
      throw failed.reason
    }
  }
}

function firstOf<T>(things: Iterable<T>, most: number): T[] {
  const first: T[] = []
  for (const thing of things) {
    if (first.length >= most) {
      break
    }
    first.push(thing)
  }
  return first
}

function surroundingsOf(
  home: Home,
  { record, flow_name, deployment_name }: HomeRun,
): FlowRunSurroundings {
  const config = home.store.workPool()
  const pool = config !== undefined && config.pool.id === record.work_pool_id ? config.pool : null
  const deployment =
    record.deployment_id === null ? undefined : home.store.deployment(record.deployment_id)
  return {
    flow_name,
    flow_tags: deployment?.flow.tags ?? [],
    deployment_name,
    deployment_tags: deployment?.deployment.tags ?? [],
    work_queue: config?.queues.find(({ id }) => id === record.work_queue_id) ?? null,
    work_pool: pool,
  }
}
