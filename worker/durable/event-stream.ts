import { DurableObject } from 'cloudflare:workers'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { EventFilter } from '#core/wire/event-filter.ts'
import type { Event, ReceivedEvent } from '#core/wire/event.ts'
import type { OrchestrationResult, State, StateCreate } from '#core/wire/state.ts'
import type { TaskRun, TaskRunCreate, TaskRunUpdate } from '#core/wire/task-run.ts'
import type { Counted, CountedThing } from '#domain/event-counts.ts'
import type { Span, StreamPage } from '#domain/event-query.ts'
import { NOTHING } from '#domain/usage.ts'
import { readTaskRunEvent } from '#domain/task-run-recorder.ts'
import type { TaskRunRecord } from '#domain/task-run.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { objectContext, workspaceOf, type ObjectContext } from '../operations/object-context.ts'
import { eventHubStub, eventStreamNumber } from '../operations/stubs.ts'
import { CONTEXT_TABLE, ContextStore } from './context-store.ts'
import { DEFERRED_TABLE, DeferredTasks } from './deferred-tasks.ts'
import { DEPARTED_TABLE } from './departed-store.ts'
import { eraseIfTold, eraseObject } from './erase.ts'
import { EVENT_COUNTS, EVENT_LOG_TABLES, EventLog, type NumberedEvent } from './event-log.ts'
import { Publication } from './event-publication.ts'
import { countBy, countMatching, searchEvents, type EventSearch } from './event-search.ts'
import { EVENT_TABLES } from './event-stream-store.ts'
import type { Checked } from './home-diagnosis.ts'
import { migrate } from './migrate.ts'
import type { StreamPart } from './stream-diagnosis.ts'
import { StreamTaskRuns } from './stream-task-runs.ts'
import { USAGE_TABLE, UsageTeller } from './usage-teller.ts'

/** Of a page of events that are read in their order. */
const PAGE_CHARS = 1_000_000
/** Between two steps of letting go of old events. */
const SWEEP_PAUSE_MS = 1000
const DAY_MS = 24 * 3_600_000

/**
 * Takes the events of the flow runs whose ids hash to it, keeps them, hands them to the hub, and is the only writer of their
 * task runs.
 */
export class EventStream extends DurableObject<Bindings> {
  readonly #context: ContextStore
  readonly #log: EventLog
  readonly #taskRuns: StreamTaskRuns
  readonly #deferred: DeferredTasks
  readonly #publication: Publication
  readonly #usage: UsageTeller
  /** How many task runs have been recorded, ever. */
  #recorded: number
  #sweepMs: number | null
  #alarmMs: number | null = null

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    migrate(ctx.storage.sql, ctx.storage, [
      [CONTEXT_TABLE, ...EVENT_TABLES],
      EVENT_LOG_TABLES,
      DEFERRED_TABLE,
      DEPARTED_TABLE,
      [EVENT_COUNTS, USAGE_TABLE],
    ])
    this.#context = new ContextStore(ctx.storage.sql)
    this.#log = new EventLog(ctx.storage.sql)
    this.#usage = new UsageTeller({
      sql: ctx.storage.sql,
      workspace: () => this.#workspace(),
      source: () => `events:${eventStreamNumber(this.#workspace(), ctx.id)}`,
      counts: () => ({
        ...NOTHING,
        events: this.#log.newestSeq(),
        task_runs: this.#recorded,
      }),
      now: () => Date.now() * 1000,
      waitUntil: (promise) => {
        ctx.waitUntil(promise)
      },
    })
    this.#recorded = Math.max(this.#log.taskRuns(), this.#usage.counted.task_runs)
    this.#sweepMs = this.#nextSweep()
    this.#deferred = new DeferredTasks({
      sql: ctx.storage.sql,
      workspace: () => this.#workspace(),
      find: (id) => this.#taskRuns.find(id),
    })
    this.#taskRuns = new StreamTaskRuns({
      storage: ctx.storage,
      name: ctx.id.toString(),
      workspace: () => this.#workspace(),
      deferred: this.#deferred,
      waitUntil: (promise) => {
        ctx.waitUntil(promise)
      },
      eraseIfTold: (write) => eraseIfTold(ctx, write),
      changed: () => {
        this.#arm()
      },
      counted: (more) => {
        this.#recorded += more
      },
    })
    this.#publication = new Publication({
      taken: () => this.#log.taken(),
      noteTaken: (seq) => {
        this.#log.noteTaken(seq)
      },
      newestSeq: () => this.#log.newestSeq(),
      after: (seq, most, mostChars) => this.#log.after(seq, most, mostChars),
      send: async (events) => {
        const workspace = this.#workspace()
        const stream = eventStreamNumber(workspace, ctx.id)
        return await eventHubStub(workspace).publishEvents(objectContext(workspace), stream, events)
      },
      nowMs: () => Date.now(),
    })
    void ctx.blockConcurrencyWhile(async () => {
      // An alarm that is set already may be the one that wakes the object: to set it again would cancel it.
      this.#alarmMs = await ctx.storage.getAlarm()
      this.#arm()
    })
  }

  /** Keeps events and records the task runs they report; idempotent by event id. Asks nothing of the store. */
  record(context: ObjectContext, events: Event[], now: Micros): void {
    this.#context.keep(context)
    this.ctx.storage.transactionSync(() => {
      const reports = events.map((event) => readTaskRunEvent(event))
      const news = this.#taskRuns.record(
        reports.filter((report) => report !== undefined),
        now,
      )
      let index = -1
      const fresh = events.filter((event, place) => {
        index += reports[place] === undefined ? 0 : 1
        // A task run's state is known by its task run; any other event by a row.
        return (reports[place] && news[index]) ?? this.#log.noteEvent(event.id)
      })
      this.#keep(fresh, now)
    })
    this.#publish()
  }

  /**
   * Keeps the events of flow runs' states, which their home tells each once.
   * @param since if not null, the home may have told them before, then or later; so they are looked for
   */
  recordStates(context: ObjectContext, events: Event[], since: Micros | null, now: Micros): void {
    this.#context.keep(context)
    const ids = events.map(({ id }) => id)
    const kept = since === null ? new Set<string>() : this.#log.keptSince(ids, since / 1000)
    this.#keep(
      events.filter(({ id }) => !kept.has(id)),
      now,
    )
    this.#publish()
  }

  /** Somebody reads what the workspace has used. */
  async tellUsage(context: ObjectContext): Promise<void> {
    this.#context.keep(context)
    await this.#usage.tellRest()
  }

  // Reading events

  searchEvents(context: ObjectContext, search: EventSearch): StreamPage {
    this.#context.keep(context)
    return searchEvents(this.#log, search)
  }

  countEvents(context: ObjectContext, filter: EventFilter, span: Span): number {
    this.#context.keep(context)
    return countMatching(this.#log, filter, span)
  }

  countEventsBy(
    context: ObjectContext,
    filter: EventFilter,
    span: Span,
    thing: CountedThing,
  ): Counted[] {
    this.#context.keep(context)
    return countBy(this.#log, filter, span, thing)
  }

  /** Events after a number of the stream, in the order of their arrival. */
  eventsAfter(context: ObjectContext, seq: number, limit: number): NumberedEvent[] {
    this.#context.keep(context)
    return this.#log.after(seq, limit, PAGE_CHARS)
  }

  // Task runs

  /** Makes a task run, or finds the one with its natural key: idempotent by that, and by the id if one is given. */
  async createTaskRun(
    context: ObjectContext,
    create: TaskRunCreate,
    now: Micros,
  ): Promise<{ taskRun: TaskRun; created: boolean }> {
    this.#context.keep(context)
    return await this.#taskRuns.create(create, now)
  }

  /**
   * Proposes a state. Undefined: there is no such task run.
   * @returns `written`: whether a state was written, be it the proposed one or another
   */
  async setTaskRunState(
    context: ObjectContext,
    id: string,
    state: StateCreate,
    force: boolean,
    now: Micros,
  ): Promise<{ result: OrchestrationResult; written: boolean } | undefined> {
    this.#context.keep(context)
    return await this.#taskRuns.setState(id, state, force, now)
  }

  /** Copies states of a subflow to the task run that stands for it. Idempotent by the states' ids. @returns whether there is such a task run */
  async linkSubflow(
    context: ObjectContext,
    id: string,
    childFlowRunId: string,
    states: State[],
    now: Micros,
  ): Promise<boolean> {
    this.#context.keep(context)
    return await this.#taskRuns.linkSubflow(id, childFlowRunId, states, now)
  }

  /** @returns whether there is such a task run */
  async updateTaskRun(
    context: ObjectContext,
    id: string,
    update: TaskRunUpdate,
    now: Micros,
  ): Promise<boolean> {
    this.#context.keep(context)
    return await this.#taskRuns.update(id, update, now)
  }

  /** Leaves a tombstone, so that no late event brings it back. @returns whether there was such a task run */
  async deleteTaskRun(context: ObjectContext, id: string, now: Micros): Promise<boolean> {
    this.#context.keep(context)
    return await this.#taskRuns.delete(id, now)
  }

  /** The task run as it is here: newer than in the store. Undefined: it is not here, ask the store. */
  findTaskRun(context: ObjectContext, id: string): TaskRunRecord | undefined {
    this.#context.keep(context)
    return this.#taskRuns.find(id)
  }

  findTaskRunByState(context: ObjectContext, stateId: string): TaskRunRecord | undefined {
    this.#context.keep(context)
    return this.#taskRuns.findByState(stateId)
  }

  /** Forgets the task runs of a flow run that was deleted, here and in the store; what still arrives of them is not recorded. */
  async deleteFlowRun(context: ObjectContext, flowRunId: string): Promise<void> {
    this.#context.keep(context)
    await this.#taskRuns.deleteFlowRun(flowRunId)
  }

  async deleteFlowRuns(context: ObjectContext, flowRunIds: string[]): Promise<void> {
    for (const id of flowRunIds) {
      // oxlint-disable-next-line no-await-in-loop -- one at a time, as they come by themselves
      await this.deleteFlowRun(context, id)
    }
  }

  /** Flushes, publishes, lets go of what is old. Never throws: the platform gives an alarm up that throws six times. */
  /** Compares its task runs with the store. */
  async diagnose(
    context: ObjectContext,
    part: StreamPart,
    after: string | null,
    repair: boolean,
  ): Promise<Checked> {
    this.#context.keep(context)
    const checked = await this.#taskRuns.diagnose(part, after, repair)
    this.#arm()
    return checked
  }

  override async alarm(): Promise<void> {
    this.#alarmMs = null
    await Promise.all([this.#taskRuns.onAlarm(), this.#publication.onAlarm()])
    if (this.#deferred.due !== null && this.#deferred.due <= Date.now()) {
      await this.#deferred.deliver(Date.now() * 1000)
    }
    if (this.#sweepMs !== null && this.#sweepMs <= Date.now()) {
      this.#sweepEvents()
    }
    this.#arm()
  }

  /** Its workspace was deleted. */
  async erase(): Promise<void> {
    await eraseObject(this.ctx)
  }

  /** Lets go of task runs that the store has and nobody is likely to ask for, and of old events. */
  sweep(): void {
    this.#taskRuns.sweep()
    this.#sweepEvents()
  }

  #sweepEvents(): void {
    if (this.#usage.counted.task_runs !== this.#recorded) {
      // The row that says so may be the last one to go.
      this.#usage.keepCounts()
    }
    const more = this.#log.sweep(Date.now() - this.#usage.days.event_days * DAY_MS)
    this.#sweepMs = more ? Date.now() + SWEEP_PAUSE_MS : this.#nextSweep()
  }

  #nextSweep(): number | null {
    const oldest = this.#log.oldest()
    return oldest === null ? null : oldest + this.#usage.days.event_days * DAY_MS
  }

  #keep(events: readonly Event[], now: Micros): void {
    const received = formatTimestamp(now)
    this.#log.append(
      events.map((event): ReceivedEvent => ({
        ...event,
        related: event.related ?? [],
        payload: event.payload ?? {},
        follows: event.follows ?? null,
        received,
      })),
      this.#recorded,
      Math.floor(now / 1000),
    )
    if (events.length > 0) {
      this.#publication.expect()
      this.#sweepMs ??= this.#nextSweep()
      this.#usage.changed()
    }
  }

  #publish(): void {
    this.#arm()
    this.ctx.waitUntil(this.#send())
  }

  async #send(): Promise<void> {
    await this.#publication.send()
    this.#arm()
  }

  #workspace(): Workspace {
    const context = this.#context.read()
    if (context === undefined) {
      throw new Error('the stream has rows, but was never told of its workspace')
    }
    return workspaceOf(this.env, context)
  }

  /** Sets the one alarm to what comes first; a row written, so only when that has changed. */
  #arm(): void {
    const times = [this.#taskRuns.due, this.#publication.due, this.#deferred.due, this.#sweepMs]
    const next = Math.min(...times.map((time) => time ?? Infinity))
    if (next === Infinity || (this.#alarmMs !== null && this.#alarmMs <= next)) {
      return
    }
    this.#alarmMs = next
    this.ctx.waitUntil(this.ctx.storage.setAlarm(Math.ceil(next)))
  }
}
