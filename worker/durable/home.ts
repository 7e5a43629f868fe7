import { flowRunStateId, type HomeKey } from '#core/flow-run-id.ts'
import type { Micros } from '#core/time.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import type { StateCreate } from '#core/wire/state.ts'
import { newHomeRun, settled, type HomeRun, type Moment } from '#domain/execution.ts'
import type { MissedRule } from '#domain/missed-runs.ts'
import {
  toFlowRun,
  toFlowRunRow,
  toStoreColumns,
  type FlowRunRecord,
  type RunNames,
} from '#domain/flow-run.ts'
import {
  readFlowRunRecord,
  readFlowRunRecords,
  type StoredFlowRun,
} from '#storage/flow-run-records.ts'
import { replicaRow, upsertReplicas } from '#storage/replica.ts'
import { flowRun } from '#storage/schema/runs.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { workspaceOf, type ObjectContext } from '../operations/object-context.ts'
import { eventHubStub } from '../operations/stubs.ts'
import { AuditOutbox } from './audit-outbox.ts'
import { ContextStore } from './context-store.ts'
import { DepartedStore } from './departed-store.ts'
import { Doorbell } from './doorbell.ts'
import { eraseIfTold } from './erase.ts'
import { Flusher, type FlushRow } from './flush.ts'
import { HomeEvents } from './home-events.ts'
import { messageDue, messagesOf } from './home-outbox.ts'
import { HomePresence } from './home-presence.ts'
import { HomeReadiness } from './home-readiness.ts'
import { HomeUsage } from './home-usage.ts'
import { InputStore } from './input-store.ts'
import { MoveStore } from './move-store.ts'
import { LONGEST_SLEEP_MS } from './longest-sleep.ts'
import { report } from '../operations/report.ts'
import { holdsDate } from './schedules.ts'
import { WorkPoolStore } from './work-pool-store.ts'

/** An alarm so long past has been given up by the platform. */
const OVERDUE_MS = 60_000

/** How many runs come back in one question. */
const READ_BACK_ROWS = 50

/** What a home must know: its workspace and its own key. */
export interface HomeContext extends ObjectContext {
  home_key: HomeKey
}

/** A run that is to be made. */
export interface NewFlowRun {
  record: FlowRunRecord
  flow_name: string | null
  deployment_name: string | null
  /** The first state; null makes a run that is Pending, as in Prefect. */
  state: StateCreate | null
  /** Of a run that a schedule makes. */
  missed?: MissedRule
}

/** Who proposes a state; a run's own code speaks under its fence. */
export type Proposer =
  { kind: 'key' | 'user' } | { kind: 'run'; flow_run_id: string; fence: number }

/**
 * What all parts of a home rest on: its tables, its flusher, its doorbell, its clock and its one alarm. The parts are functions
 * over it, one file each (`home-runs`, `home-executions`, `home-config`, …).
 */
export class Home {
  readonly state: DurableObjectState
  readonly bindings: Bindings
  readonly store: WorkPoolStore
  readonly inputs: InputStore
  readonly moves: MoveStore
  readonly departed: DepartedStore<FlowRunRecord>
  readonly flusher: Flusher
  readonly events: HomeEvents
  readonly readiness: HomeReadiness
  readonly doorbell: Doorbell
  readonly presence: HomePresence
  readonly usage: HomeUsage
  readonly audit: AuditOutbox
  readonly #loading = new Map<string, Promise<void>>()
  /** Runs that are being let go of for good. */
  readonly #forgetting = new Map<string, Promise<unknown>>()
  /** Runs that only their events keep here, with the `seq` that the store has. */
  readonly #leaving = new Map<string, number>()
  readonly #context: ContextStore<HomeContext>
  #lastNow = 0
  #lastPosition: number
  /** No position from here on has been given. */
  #freePosition: number
  #armedFor: Micros | null = null

  constructor(state: DurableObjectState, bindings: Bindings) {
    this.state = state
    this.bindings = bindings
    this.store = new WorkPoolStore(state.storage)
    this.inputs = new InputStore(state.storage.sql)
    this.moves = new MoveStore(state.storage.sql)
    this.departed = new DepartedStore(state.storage.sql)
    this.audit = new AuditOutbox(state, bindings)
    this.#context = new ContextStore(state.storage.sql)
    this.#freePosition = this.store.freePosition()
    this.#lastPosition = this.#freePosition
    this.usage = new HomeUsage(this, this.#freePosition)
    this.doorbell = new Doorbell(state, this.now())
    this.flusher = new Flusher({
      read: (ids) => this.#flushRows(ids),
      inDoubt: (since, after, limit) => this.store.writtenSince(since, after, limit),
      write: (json, count) =>
        eraseIfTold(state, upsertReplicas(this.workspace().database, flowRun, json, count)),
      acknowledged: (rows) => this.#acknowledged(rows),
      setAside: (row, error) => {
        report('the store refuses a flow run, which stays at home', error, {
          object: this.name,
          flow_run_id: row.id,
          seq: row.seq,
        })
        this.#noteRefused([...new Set([...this.#refused(), row.id])])
      },
      takeBack: (id) => this.#noteRefused(this.#refused().filter((refused) => refused !== id)),
      refused: () => this.#refused(),
      lags: (since) => {
        const source = this.state.id.toString()
        const told = eventHubStub(this.workspace()).noteLag(source, since)
        this.state.waitUntil(
          told.catch((error: unknown) =>
            report('a lag was not told', error, { object: this.name }),
          ),
        )
      },
      readMarker: () => this.store.marker().since,
      writeMarker: (since) => this.store.setMarker(since, this.usage.checkpoint()),
      now: () => this.now(),
    })
    this.events = new HomeEvents(this)
    this.readiness = new HomeReadiness(this)
    this.presence = new HomePresence(this)
    void state.blockConcurrencyWhile(async () => {
      await this.rearm()
    })
  }

  /** The alarm outlives the object; it is set again only where it is wrong, since each setting is a row. */
  async rearm(): Promise<void> {
    const at = await this.state.storage.getAlarm()
    const isOverdue = at !== null && at < Date.now() - OVERDUE_MS
    this.#armedFor = at === null || isOverdue ? null : at * 1000
    this.arm()
  }

  // Runs

  save(run: HomeRun): void {
    const { told, messages } = messagesOf(run)
    this.store.save(told, this.now())
    this.events.tell(told, run.told)
    for (const message of messages) {
      const now = this.now()
      this.store.addMessage(message, now, messageDue(message, now))
    }
    this.flusher.markDirty(run.record.id)
  }

  /** A renewal that changed nothing but the lease is nobody's business but ours: the store is not told. */
  saveLease(before: HomeRun, after: HomeRun): void {
    if (after.record.seq === before.record.seq) {
      this.store.save(after, this.now())
    } else {
      this.save(after)
    }
  }

  /** Takes a run back from the store when it has left; whoever asks at the same time waits for the same read. */
  async load(id: string): Promise<HomeRun | undefined> {
    const forgetting = this.#forgetting.get(id)
    if (forgetting !== undefined) {
      await forgetting.catch(() => undefined)
    }
    if (this.store.find(id) === undefined) {
      await this.#whileLoading([id], this.#loading.get(id) ?? this.#readBack(id))
    }
    const run = this.store.find(id)
    return run?.record.deleted === true ? undefined : run
  }

  /** Takes many runs back at once; those that are here, or nowhere, are passed over. Then `load` finds them here. */
  async loadMany(ids: readonly string[]): Promise<void> {
    await Promise.allSettled(ids.flatMap((id) => this.#forgetting.get(id) ?? []))
    const away = ids.filter((id) => this.store.find(id) === undefined)
    for (let start = 0; start < away.length; start += READ_BACK_ROWS) {
      const some = away.slice(start, start + READ_BACK_ROWS)
      // A row may have megabytes, so that more at a time are not worth a question less.
      // oxlint-disable-next-line no-await-in-loop
      await this.#whileLoading(some, this.#readManyBack(some))
    }
  }

  async #readManyBack(ids: string[]): Promise<void> {
    for (const one of await readFlowRunRecords(this.workspace(), ids)) {
      this.#takeBack(one)
    }
  }

  /** What is asked of these runs meanwhile waits. */
  async #whileLoading(ids: readonly string[], loading: Promise<void>): Promise<void> {
    for (const id of ids) {
      this.#loading.set(id, loading)
    }
    try {
      await loading
    } finally {
      for (const id of ids) {
        this.#loading.delete(id)
      }
    }
  }

  /**
   * Has runs deleted in the store that are over and not here; who asks for one meanwhile waits.
   * @param forget deletes those of the ids that it is given
   */
  async forget<T>(ids: readonly string[], forget: (away: string[]) => Promise<T>): Promise<T> {
    const away = ids.filter(
      (id) =>
        this.store.find(id) === undefined && !this.#loading.has(id) && !this.#forgetting.has(id),
    )
    const forgetting = forget(away)
    for (const id of away) {
      this.#forgetting.set(id, forgetting)
    }
    try {
      return await forgetting
    } finally {
      for (const id of away) {
        this.#forgetting.delete(id)
      }
    }
  }

  async #readBack(id: string): Promise<void> {
    const stored = await readFlowRunRecord(this.workspace(), id)
    if (stored !== undefined) {
      this.#takeBack(stored)
    }
  }

  #takeBack(stored: StoredFlowRun): void {
    if (this.store.find(stored.record.id) !== undefined) {
      return
    }
    const run = newHomeRun({
      ...stored,
      position: this.nextPosition(),
      // Executions that it had before are over; a number that high is above all of theirs.
      fence: stored.record.run_count + stored.record.states.length,
      told: stored.record.states.length,
    })
    // Marked, so that it leaves again after the next flush if nothing comes of it.
    this.save(settled({ ...run, from_store: true }, this.now()))
  }

  toWire(run: HomeRun): FlowRun {
    return toFlowRun(run.record, this.names(run.record), this.now())
  }

  names(record: FlowRunRecord): RunNames {
    const config = this.store.workPool()
    const here = config !== undefined && config.pool.id === record.work_pool_id
    const queue = config?.queues.find(({ id }) => id === record.work_queue_id)
    return {
      work_pool_name: here ? config.pool.name : null,
      work_queue_name: queue?.name ?? null,
    }
  }

  /** Tells the agent that runs it that something concerns the run. */
  callBack(run: HomeRun): void {
    if (run.live && run.agent_id !== null) {
      this.doorbell.callBack(run.agent_id)
    }
  }

  // After each change

  /** Rings for what may start now, and sets the alarm. */
  afterChange(): void {
    this.ring()
    this.arm()
    this.usage.teller.changed()
  }

  /** Under which name it is addressed; it begins with its workspace's id. */
  get name(): string {
    return this.state.id.name ?? this.state.id.toString()
  }

  ring(): void {
    this.doorbell.ring(() => this.store.admissionView(this.now()), this.now())
  }

  /** When there is next something to do; null: never. */
  get due(): Micros | null {
    const times = [
      this.store.nextTimer(),
      this.flusher.due,
      this.events.due,
      this.readiness.due,
      this.doorbell.due,
      this.audit.due,
    ].filter((time) => time !== null)
    return times.length === 0 ? null : Math.min(...times)
  }

  /** The one alarm stands at the earliest of all times; a row is written only when that moved. */
  arm(): void {
    const next = this.due
    const now = this.now()
    const at =
      next === null ? null : Math.min(Math.max(next, now + 1000), now + LONGEST_SLEEP_MS * 1000)
    if (at === null || (this.#armedFor !== null && at >= this.#armedFor)) {
      return
    }
    this.#armedFor = at
    void this.state.storage.setAlarm(Math.ceil(at / 1000))
  }

  /** The alarm has rung, so that none is set. */
  disarmed(): void {
    this.#armedFor = null
  }

  /** The runs that the store refuses. */
  #refused(): string[] {
    return JSON.parse(this.store.meta('refused') ?? '[]') as string[]
  }

  #noteRefused(ids: string[]): void {
    this.store.setMeta('refused', ids.length === 0 ? null : JSON.stringify(ids))
  }

  #flushRows(ids: string[]): FlushRow[] {
    const workspaceId = this.known().workspace_id
    return this.store.findMany(ids).map(({ record }) => ({
      id: record.id,
      seq: record.seq,
      columns: replicaRow(flowRun, toStoreColumns(workspaceId, record)),
    }))
  }

  /** A run leaves home once the store has exactly what is here, and nothing more can come of it by itself. */
  #acknowledged(rows: FlushRow[]): void {
    const seqs = new Map(rows.map(({ id, seq }) => [id, seq]))
    const runs = this.store.findMany([...seqs.keys()])
    const leaving: HomeRun[] = []
    for (const run of runs) {
      const { id, seq } = run.record
      if (seq === seqs.get(id) && this.#mayLeave(run)) {
        if (this.events.isUntaken(id)) {
          this.#leaving.set(id, seq)
        } else {
          leaving.push(run)
        }
      }
    }
    this.#depart(leaving)
    this.#publish(runs)
  }

  /** What leaves is kept for a day, should the store be restored to an earlier time. */
  #depart(runs: readonly HomeRun[]): void {
    this.departed.keep(
      runs.map(({ record }) => record),
      this.now(),
      this.usage.checkpoint(),
    )
    for (const { record } of runs) {
      this.store.remove(record.id)
    }
  }

  #mayLeave(run: HomeRun): boolean {
    const { record } = run
    const over = record.deleted || (record.end_time !== null && !holdsDate(record, this.now()))
    return over && !run.live && !this.store.hasMessages(record.id)
  }

  /**
   * The streams have taken these runs' events, which may have been all that kept them here.
   * @param restarted nobody remembers whether the store has them
   */
  letGo(ids: readonly string[], restarted: boolean): void {
    const leaving: HomeRun[] = []
    for (const run of this.store.findMany(ids.filter((id) => !this.events.isUntaken(id)))) {
      const { id, seq } = run.record
      const left = this.#leaving.get(id)
      this.#leaving.delete(id)
      if (left === seq && this.#mayLeave(run)) {
        leaving.push(run)
      } else if (restarted && this.#mayLeave(run)) {
        this.flusher.markDirty(id)
      }
    }
    this.#depart(leaving)
  }

  /** The console's feed. It may be lost: who missed a change reads the list. */
  #publish(runs: HomeRun[]): void {
    const now = this.now()
    const rows = runs
      .filter(({ record }) => !record.deleted)
      .map(({ record, flow_name, deployment_name }) =>
        toFlowRunRow(record, { flow_name, deployment_name, ...this.names(record) }, now),
      )
    const deleted = runs.filter(({ record }) => record.deleted).map(({ record }) => record.id)
    const hub = eventHubStub(this.workspace())
    const sent = [
      ...(rows.length > 0 ? [hub.publishFlowRuns(rows)] : []),
      ...(deleted.length > 0 ? [hub.publishFlowRunsDeleted(deleted)] : []),
    ]
    for (const call of sent) {
      this.state.waitUntil(
        call.catch((error: unknown) =>
          report('the feed was not told', error, { object: this.name }),
        ),
      )
    }
  }

  // Who and when

  /** Keeps what a caller said of the workspace, for alarms, which have no caller. */
  know(context: HomeContext): void {
    this.#context.keep(context)
  }

  known(): HomeContext {
    const context = this.#context.read()
    if (context === undefined) {
      throw new Error('this home has never been called')
    }
    return context
  }

  workspace(): Workspace {
    return workspaceOf(this.bindings, this.known())
  }

  moment(): Moment {
    const now = this.now()
    return {
      now,
      stateId: (run) =>
        flowRunStateId(run.id, Math.floor(now / 1000), crypto.getRandomValues(new Uint8Array(10))),
    }
  }

  /** Microseconds; strictly rising within the object, since its clock stands still while it computes. */
  now(): Micros {
    this.#lastNow = Math.max(this.#lastNow + 1, Date.now() * 1000)
    return this.#lastNow
  }

  /** The last position that was given, by this life or an earlier one. */
  get lastPosition(): number {
    return this.#lastPosition
  }

  /** A run's place in its queue: later than all that were given. */
  nextPosition(): number {
    this.#lastPosition = Math.max(this.#lastPosition + 1, this.now())
    if (this.#lastPosition >= this.#freePosition) {
      this.#freePosition = this.store.keepPositions(this.#lastPosition)
    }
    return this.#lastPosition
  }
}
