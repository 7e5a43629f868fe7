import { generateName } from '#core/name.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { OrchestrationResult, State, StateCreate } from '#core/wire/state.ts'
import type { TaskRun, TaskRunCreate, TaskRunUpdate } from '#core/wire/task-run.ts'
import { DomainError } from '#domain/errors.ts'
import { proposedState } from '#domain/flow-run.ts'
import {
  linkSubflowStates,
  mergeTaskRuns,
  recordTaskRun,
  type TaskRunEvent,
} from '#domain/task-run-recorder.ts'
import { taskPolicy } from '#domain/task-run-rules.ts'
import { applyTaskState, newTaskRun, toTaskRun, type TaskRunRecord } from '#domain/task-run.ts'
import { judge, orchestrationResult } from '#domain/transition.ts'
import { briefly } from '#storage/briefly.ts'
import { newId } from '#storage/new-id.ts'
import { replicaRow, upsertReplicas } from '#storage/replica.ts'
import { taskRun } from '#storage/schema/runs.ts'
import { saveCachedState } from '#storage/task-caches.ts'
import { findTaskRunRecords, removeTaskRunsOf, type TaskRunKey } from '#storage/task-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import { eventHubStub } from '../operations/stubs.ts'
import { gatherTaskRunFacts, releaseSlotsOf } from '../operations/task-run-facts.ts'
import type { DeferredTasks } from './deferred-tasks.ts'
import { ENDED_STAYS_MS, TaskRunStore } from './event-stream-store.ts'
import { Flusher, type FlushRow } from './flush.ts'
import type { Checked } from './home-diagnosis.ts'
import { report } from '../operations/report.ts'
import { diagnoseTaskRuns, type StreamPart } from './stream-diagnosis.ts'

/** After a failure to tell the store of a deleted flow run. */
const RETRY_MS = 5000

interface Surroundings {
  storage: DurableObjectStorage
  /** Of the object. */
  name: string
  workspace(): Workspace
  deferred: Pick<DeferredTasks, 'expect' | 'deliver'>
  waitUntil(promise: Promise<unknown>): void
  /** Ends the object where the store says that its workspace was deleted. */
  eraseIfTold(write: Promise<void>): Promise<void>
  /** A time at which the alarm is wanted may have changed. */
  changed(): void
  /** So many more task runs have been recorded; less than none where one was taken for new that was not. */
  counted(more: number): void
}

/** The task runs of a stream, which is the only one to write them. */
export class StreamTaskRuns {
  readonly #deps: Surroundings
  readonly #store: TaskRunStore
  readonly #flusher: Flusher
  /** The `seq` of what the store does not have yet, by id: a task run stays here as long as it is in this map. */
  readonly #unflushed = new Map<string, number>()
  /** Rows whose older copy was looked for in the store since the object woke. */
  readonly #merged = new Set<string>()
  #sweepMs: number | null
  #retryMs: number | null

  constructor(surroundings: Surroundings) {
    this.#deps = surroundings
    this.#store = new TaskRunStore(surroundings.storage.sql)
    this.#sweepMs = this.#store.nextSweep(Date.now())
    this.#retryMs = this.#store.untoldFlowRuns().length > 0 ? Date.now() : null
    if (this.#store.readMarker()) {
      for (const run of this.#store.list(this.#store.ids())) {
        this.#unflushed.set(run.id, run.seq)
      }
    }
    this.#flusher = new Flusher({
      prepare: (ids) => this.#mergeWithStore(ids),
      read: (ids) => this.#store.list(ids).map((run) => this.#toFlushRow(run)),
      // What is over stays here for minutes only, so that all may be looked at.
      inDoubt: (_since, after, limit) => {
        const ids = this.#store.idsAfter(after, limit)
        return { ids, next: ids.length < limit ? null : (ids.at(-1) ?? null) }
      },
      write: (json, count) =>
        this.#deps.eraseIfTold(
          upsertReplicas(this.#deps.workspace().database, taskRun, json, count),
        ),
      acknowledged: (rows) => {
        this.#afterFlush(rows)
      },
      setAside: (row, error) => {
        this.#store.noteFault(row.id, row.seq, String(error))
      },
      takeBack: (id) => {
        this.#store.forgetFault(id)
      },
      refused: () => this.#store.faults(),
      lags: (since) => {
        const told = eventHubStub(this.#deps.workspace()).noteLag(this.#deps.name, since)
        // It is said again with the next try.
        this.#deps.waitUntil(told.catch(() => undefined))
      },
      readMarker: () => (this.#store.readMarker() ? 0 : null),
      writeMarker: (since) => {
        this.#store.writeMarker(since !== null)
      },
      now: () => Date.now() * 1000,
    })
  }

  /** When the object's alarm must call `onAlarm`, in milliseconds; null: not at all. */
  get due(): number | null {
    const flush = this.#flusher.due
    const times = [flush === null ? null : flush / 1000, this.#retryMs, this.#sweepMs]
    const next = Math.min(...times.map((time) => time ?? Infinity))
    return next === Infinity ? null : next
  }

  /**
   * Records what a batch of events reports, in the caller's transaction.
   * @returns for each report whether it said anything new; `undefined` where its flow run was deleted, or is not the task run's
   */
  record(reports: readonly TaskRunEvent[], now: Micros): (boolean | undefined)[] {
    const text = formatTimestamp(now)
    const known = this.#knownRuns(reports)
    const changed = new Set<string>()
    const news = reports.map((reported) => {
      if (known.deletedFlowRuns.has(reported.flow_run_id ?? '')) {
        return undefined
      }
      const key = naturalKey(keyOf(reported))
      const run = known.byId.get(reported.task_run_id) ?? known.byId.get(known.byKey.get(key) ?? '')
      if (run !== undefined && isOfAnother(run, reported.flow_run_id)) {
        return undefined
      }
      const next = recordTaskRun(run, reported, text)
      if (next !== undefined) {
        this.#deps.counted(run === undefined ? 1 : 0)
        known.byId.set(next.id, next)
        known.byKey.set(key, next.id)
        changed.add(next.id)
      }
      return next !== undefined
    })
    for (const id of changed) {
      const run = known.byId.get(id)
      if (run !== undefined) {
        this.#put(run)
      }
    }
    return news
  }

  /** Makes a task run, or finds the one with its natural key: idempotent by that, and by the id if one is given. */
  async create(
    create: TaskRunCreate,
    now: Micros,
  ): Promise<{ taskRun: TaskRun; created: boolean }> {
    const id = create.id ?? newId(now)
    const key: TaskRunKey = {
      id,
      flow_run_id: create.flow_run_id ?? null,
      task_key: create.task_key,
      dynamic_key: create.dynamic_key,
    }
    const merged = await this.#load(key)
    const byKey = this.#store.listByNaturalKeys([key])[0]
    if (byKey !== undefined) {
      return { taskRun: toTaskRun(byKey, now), created: false }
    }
    const byId = this.#store.find(id)
    if (byId !== undefined) {
      if (byId.deleted || !hasKey(byId, key)) {
        throw new DomainError('conflict', `There is another task run with id '${id}'.`)
      }
      return { taskRun: toTaskRun(byId, now), created: false }
    }
    const proposed = proposedState(create.state ?? { type: 'PENDING' }, now)
    const name = generateName([Math.random(), Math.random()])
    const run = applyTaskState(newTaskRun(create, id, name, now), proposed, newId(now), now)
    if (merged) {
      this.#merged.add(run.id)
    }
    this.#deps.counted(1)
    this.#deps.deferred.expect(run)
    await Promise.all([this.#settle(run), this.#deps.deferred.deliver(now)])
    return { taskRun: toTaskRun(run, now), created: true }
  }

  /**
   * Proposes a state. Undefined: there is no such task run.
   * @returns `written`: whether a state was written, be it the proposed one or another
   */
  async setState(
    id: string,
    state: StateCreate,
    force: boolean,
    now: Micros,
  ): Promise<{ result: OrchestrationResult; written: boolean } | undefined> {
    const run = await this.#find(id)
    if (run === undefined) {
      return undefined
    }
    const workspace = this.#deps.workspace()
    const to = proposedState(state, now)
    const facts = await gatherTaskRunFacts(workspace, run, to, force, now)
    const current = this.#store.find(id)
    if (current === undefined || current.deleted) {
      await releaseSlotsOf(workspace, { ...run, deleted: true }, now)
      return undefined
    }
    const from = current.states.at(-1) ?? null
    const judgement = judge(
      taskPolicy(to, force),
      { run: current, from, to, now },
      { ...facts, random: Math.random() },
    )
    const { verdict } = judgement
    const next =
      verdict.kind === 'accept' ? judgement.to : verdict.kind === 'reject' ? verdict.state : null
    if (next === null) {
      await releaseSlotsOf(workspace, current, now)
      return { result: orchestrationResult(verdict, from), written: false }
    }
    const changed = applyTaskState(judgement.run, next, newId(now), now)
    this.#deps.deferred.expect(changed)
    await Promise.all([this.#settle(changed), this.#deps.deferred.deliver(now)])
    await releaseSlotsOf(workspace, changed, now)
    const written = changed.states.at(-1)
    const cacheKey = written?.state_details.cache_key
    if (verdict.kind === 'accept' && written?.type === 'COMPLETED' && cacheKey) {
      // Written is written: with the store away the result is computed again by who asks for it next.
      await briefly(workspace, saveCachedState(workspace, cacheKey, written)).catch(
        (error: unknown) => {
          report('a result could not be noted as cached', error)
        },
      )
    }
    return {
      result: orchestrationResult(verdict, changed.states.at(-1) ?? null),
      written: true,
    }
  }

  /** Copies states of a subflow to the task run that stands for it. Idempotent by the states' ids. @returns whether there is such a task run */
  async linkSubflow(
    id: string,
    childFlowRunId: string,
    states: State[],
    now: Micros,
  ): Promise<boolean> {
    const run = await this.#find(id)
    if (run === undefined) {
      return false
    }
    const changed = linkSubflowStates(run, childFlowRunId, states, formatTimestamp(now))
    if (changed !== undefined) {
      this.#put(changed)
      this.#deps.changed()
    }
    return true
  }

  /** @returns whether there is such a task run */
  async update(id: string, update: TaskRunUpdate, now: Micros): Promise<boolean> {
    const run = await this.#find(id)
    if (run === undefined) {
      return false
    }
    await this.#settle({
      ...run,
      name: update.name ?? run.name,
      seq: run.seq + 1,
      updated: formatTimestamp(now),
    })
    return true
  }

  /** Leaves a tombstone, so that no late event brings it back. @returns whether there was such a task run */
  async delete(id: string, now: Micros): Promise<boolean> {
    const run = await this.#find(id)
    if (run === undefined) {
      return false
    }
    const gone = { ...run, deleted: true, seq: run.seq + 1, updated: formatTimestamp(now) }
    await this.#settle(gone)
    await releaseSlotsOf(this.#deps.workspace(), gone, now)
    return true
  }

  /** The task run as it is here: newer than in the store. Undefined: it is not here, ask the store. */
  find(id: string): TaskRunRecord | undefined {
    return this.#store.find(id)
  }

  findByState(stateId: string): TaskRunRecord | undefined {
    return this.#store.findByState(stateId)
  }

  /** Forgets the task runs of a flow run that was deleted, here and in the store; what still arrives of them is not recorded. */
  async deleteFlowRun(flowRunId: string): Promise<void> {
    const ids = this.#store.idsOfFlowRun(flowRunId)
    this.#store.noteDeletedFlowRun(flowRunId, Date.now())
    this.#forget(ids)
    await this.#tellDeleted()
    this.#deps.changed()
  }

  /** What is here of the task runs that a batch reports, in three queries for all of them. */
  #knownRuns(reports: readonly TaskRunEvent[]): {
    byId: Map<string, TaskRunRecord>
    byKey: Map<string, string>
    deletedFlowRuns: Set<string>
  } {
    const keys = reports.map(keyOf)
    const byKey = this.#store.listByNaturalKeys(keys)
    const runs = [...byKey, ...this.#store.list(keys.map(({ id }) => id))]
    return {
      byId: new Map(runs.map((run) => [run.id, run])),
      byKey: new Map(byKey.map((run) => [naturalKey(run), run.id])),
      deletedFlowRuns: new Set(
        this.#store.deletedAmong(keys.flatMap(({ flow_run_id }) => flow_run_id ?? [])),
      ),
    }
  }

  async #find(id: string): Promise<TaskRunRecord | undefined> {
    await this.#load({ id, flow_run_id: null, task_key: '', dynamic_key: '' })
    const run = this.#store.find(id)
    return run === undefined || run.deleted ? undefined : run
  }

  /** Brings a task run in that only the store has, before a change that must know it. @returns whether the store was asked */
  async #load(key: TaskRunKey): Promise<boolean> {
    const local = this.#store.find(key.id) ?? this.#store.listByNaturalKeys([key])[0]
    return local === undefined
      ? await this.#unlessYoung(key.flow_run_id, () => this.#loadFromStore(key))
      : await this.#unlessYoung(local.flow_run_id, () => this.#mergeWithStore([local.id]))
  }

  async #loadFromStore(key: TaskRunKey): Promise<void> {
    const stored = await this.#askStore([key])
    // While the store was asked, an event may have begun the row here: the next flush joins the two.
    for (const run of stored.filter(({ id }) => this.#store.find(id) === undefined)) {
      this.#merged.add(run.id)
      this.#store.put(run, true, Date.now())
    }
    this.#sweepMs ??= this.#store.nextSweep(Date.now())
    this.#deps.changed()
  }

  /**
   * Asks the store, and throws when it is away; but for a flow run so young that all of its task runs are still here, where its
   * work goes on and the next flush joins what is here with what the store has.
   * @returns whether the store answered
   */
  async #unlessYoung(flowRunId: string | null, ask: () => Promise<void>): Promise<boolean> {
    if (flowRunId === null || Date.now() - timeOf(flowRunId) > ENDED_STAYS_MS) {
      await ask()
      return true
    }
    try {
      await briefly(this.#deps.workspace(), ask())
      return true
    } catch (error) {
      report('a task run goes on without the store', error)
      return false
    }
  }

  /** Before a flush: rows that were begun here without a look into the store are joined with what it has of them. */
  async #mergeWithStore(ids: string[]): Promise<void> {
    const unmerged = this.#store.listUnmerged(ids.filter((id) => !this.#merged.has(id)))
    if (unmerged.length === 0) {
      return
    }
    const stored = await this.#askStore(unmerged)
    this.#deps.storage.transactionSync(() => {
      // Read again: events have come in meanwhile.
      for (const local of this.#store.listUnmerged(unmerged.map(({ id }) => id))) {
        const match =
          stored.find((run) => run.id === local.id) ??
          stored.find((run) => hasKey(run, local) && !run.deleted)
        this.#merged.add(local.id)
        if (match !== undefined) {
          this.#adopt(local, match)
        }
      }
    })
  }

  #adopt(local: TaskRunRecord, stored: TaskRunRecord): void {
    this.#deps.counted(-1)
    if (isOfAnother(stored, local.flow_run_id)) {
      this.#forget([local.id])
      return
    }
    const joined = mergeTaskRuns(stored, local)
    if (joined.id !== local.id) {
      this.#forget([local.id])
    }
    this.#merged.add(joined.id)
    if (joined.seq > stored.seq) {
      this.#put(joined)
    } else {
      this.#store.put(joined, true, Date.now())
      this.#unflushed.delete(joined.id)
    }
  }

  async #askStore(keys: readonly TaskRunKey[]): Promise<TaskRunRecord[]> {
    try {
      return await findTaskRunRecords(this.#deps.workspace(), keys)
    } catch (cause) {
      throw new DomainError('unavailable', 'The store can not be reached now.', { cause })
    }
  }

  #put(run: TaskRunRecord): void {
    this.#store.put(run, this.#merged.has(run.id), Date.now())
    this.#unflushed.set(run.id, run.seq)
    this.#flusher.markDirty(run.id)
    this.#sweepMs ??= this.#store.nextSweep(Date.now())
  }

  /** For a client that waits: into the store at once, if it answers within a second. */
  async #settle(run: TaskRunRecord): Promise<void> {
    this.#put(run)
    this.#deps.changed()
    await this.#flusher.flushed([run.id])
    this.#deps.changed()
  }

  #forget(ids: readonly string[]): void {
    this.#store.remove(ids)
    for (const id of ids) {
      this.#unflushed.delete(id)
      this.#merged.delete(id)
    }
  }

  /** Only after the flush in flight, which might still carry rows of these flow runs. */
  async #tellDeleted(): Promise<void> {
    const flowRunIds = this.#store.untoldFlowRuns()
    this.#retryMs = flowRunIds.length === 0 ? null : Date.now() + RETRY_MS
    if (flowRunIds.length === 0 || !(await this.#flusher.flushed())) {
      return
    }
    try {
      await removeTaskRunsOf(this.#deps.workspace(), flowRunIds)
    } catch {
      // The store is away; the alarm comes back to it.
      return
    }
    this.#store.noteTold(flowRunIds)
    this.#retryMs = null
  }

  #afterFlush(rows: FlushRow[]): void {
    for (const row of rows) {
      if (this.#unflushed.get(row.id) === row.seq) {
        this.#unflushed.delete(row.id)
      }
    }
    const hub = eventHubStub(this.#deps.workspace())
    const now = Date.now() * 1000
    const runs = this.#store.list(rows.map(({ id }) => id)).filter((run) => !run.deleted)
    for (const [flowRunId, ofFlowRun] of Map.groupBy(runs, (run) => run.flow_run_id)) {
      if (flowRunId !== null) {
        const published = hub.publishTaskRuns(
          flowRunId,
          ofFlowRun.map((run) => toTaskRun(run, now)),
        )
        // The feed is not waited for; a screen that misses a change sees the next one.
        this.#deps.waitUntil(published.catch(() => undefined))
      }
    }
  }

  #toFlushRow(run: TaskRunRecord): FlushRow {
    const columns = replicaRow(taskRun, { ...run, workspace_id: this.#deps.workspace().id })
    return { id: run.id, seq: run.seq, columns }
  }

  async diagnose(part: StreamPart, after: string | null, repair: boolean): Promise<Checked> {
    const tellAgain = (run: TaskRunRecord) => {
      this.#put(run)
    }
    const stream = {
      workspace: this.#deps.workspace(),
      store: this.#store,
      flusher: this.#flusher,
      tellAgain,
    }
    return await diagnoseTaskRuns(stream, part, after, repair)
  }

  /** Flushes, tells of deletions, lets go of what is old. Never throws. */
  async onAlarm(): Promise<void> {
    try {
      await this.#flusher.onAlarm()
      if (this.#retryMs !== null && this.#retryMs <= Date.now()) {
        await this.#tellDeleted()
      }
      if (this.#sweepMs !== null && this.#sweepMs <= Date.now()) {
        this.sweep()
      }
    } catch {
      this.#retryMs = Date.now() + RETRY_MS
    }
  }

  /** Lets go of what the store has and nobody is likely to ask for. */
  sweep(): void {
    this.#store.sweep(new Set(this.#unflushed.keys()), Date.now())
    this.#sweepMs = this.#store.nextSweep(Date.now())
  }
}

/** When an id of version 7 was made, in milliseconds; of others 0. */
function timeOf(id: string): number {
  return id[14] === '7' ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : 0
}

function keyOf({ task_run_id, flow_run_id, task_run }: TaskRunEvent): TaskRunKey {
  const { task_key, dynamic_key } = task_run
  return { id: task_run_id, flow_run_id, task_key, dynamic_key }
}

/** Task runs of no flow run have no natural key: each has its own. */
function naturalKey(key: TaskRunKey): string {
  const { id, flow_run_id, task_key, dynamic_key } = key
  return JSON.stringify(flow_run_id === null ? [id] : [flow_run_id, task_key, dynamic_key])
}

/** A task run stays with its flow run, whatever else is reported of it. Who works off a deferred one may not know its flow run. */
function isOfAnother(run: TaskRunRecord, flowRunId: string | null): boolean {
  return flowRunId !== null && run.flow_run_id !== flowRunId
}

function hasKey(run: TaskRunRecord, key: Omit<TaskRunKey, 'id'>): boolean {
  return (
    run.flow_run_id !== null &&
    run.flow_run_id === key.flow_run_id &&
    run.task_key === key.task_key &&
    run.dynamic_key === key.dynamic_key
  )
}
