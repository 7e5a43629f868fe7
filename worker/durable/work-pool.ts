import { DurableObject } from 'cloudflare:workers'
import { flowRunStateId, runTail, type HomeKey } from '#core/flow-run-id.ts'
import { resolveJobConfiguration } from '#core/job-template.ts'
import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type {
  Accept,
  AcceptResult,
  AgentIdentity,
  Claim,
  ClaimedRun,
  ClaimResult,
  Finish,
  FinishResult,
  Renew,
  RenewResult,
} from '#core/wire/execution.ts'
import type { FlowRun, FlowRunUpdate } from '#core/wire/flow-run.ts'
import type { OrchestrationResult, SetState, State, StateCreate } from '#core/wire/state.ts'
import type { ScheduledFlowRunsQuery, WorkerFlowRun } from '#core/wire/work-queue.ts'
import { admit, admitOne } from '#domain/admission.ts'
import {
  ACCEPT_SECONDS,
  acceptRun,
  claimRun,
  endExecution,
  IDLE_RENEW_SECONDS,
  isCurrent,
  LEASE_SECONDS,
  OFFLINE_GRACE_SECONDS,
  onTimer,
  RENEW_SECONDS,
  renewRun,
  settled,
  transit,
  type HomeRun,
  type Moment,
} from '#domain/execution.ts'
import {
  coreFlowPolicy,
  minimalFlowPolicy,
  policyAfterVerdict,
  type FlowRunFacts,
} from '#domain/flow-run-rules.ts'
import {
  currentState,
  proposedState,
  toFlowRun,
  toFlowRunRow,
  toStoreColumns,
  type FlowRunRecord,
  type RunNames,
} from '#domain/flow-run.ts'
import { judge, orchestrationResult } from '#domain/transition.ts'
import type { HomeDeployment } from '#storage/deployments.ts'
import { readHomeDeployment } from '#storage/deployments.ts'
import { readFlowRunRecord } from '#storage/flow-run-records.ts'
import { replicaRow, upsertReplicas } from '#storage/replica.ts'
import { flowRun } from '#storage/schema/runs.ts'
import { recordQueuesPolled } from '#storage/work-queues.ts'
import { recordHeartbeat } from '#storage/workers.ts'
import { readHomeWorkPool, type HomeWorkPool } from '#storage/work-pools.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { workspaceOf, type ObjectContext } from '../operations/object-context.ts'
import { signRunToken } from '../operations/run-token.ts'
import { eventHubStub } from '../operations/stubs.ts'
import { Doorbell } from './doorbell.ts'
import { Flusher, type FlushRow } from './flush.ts'
import { expandSchedules, removeAutomaticRuns } from './schedules.ts'
import { WorkPoolStore, type ConfigKind } from './work-pool-store.ts'

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
}

/** Who proposes a state; a run's own code speaks under its fence. */
export type Proposer = { kind: 'key' } | { kind: 'run'; flow_run_id: string; fence: number }

/** How long a lease must have been over, unnoticed, for that to count as an outage of the control plane itself. */
const OUTAGE_MICROS = 20 * MICROS_PER_SECOND
/** A change of configuration that was announced so long ago and never sent is read from the store. */
const PULL_AFTER_MICROS = 2 * MICROS_PER_SECOND
/** By then its batch has long landed or failed, so that what was read is the last word. */
const FORGET_CHANGE_MICROS = 60 * MICROS_PER_SECOND
/** How often agents' heartbeats and queues' polls are noted in the store. */
const PRESENCE_MICROS = 30 * MICROS_PER_SECOND
/** As many runs as the alarm looks at in one go. */
const TIMER_BATCH = 500
const DEFAULT_GRACE_SECONDS = 30
/** A run token can't outlive this, whatever its execution does. */
const RUN_TOKEN_SECONDS = 30 * 24 * 3600

/**
 * The home of flow runs: the only writer of its runs, one per work pool and a few per workspace for runs without a pool. What
 * it promises, its tables and its state diagrams stand in README.md.
 */
export class WorkPool extends DurableObject<Bindings> {
  readonly #store: WorkPoolStore
  readonly #flusher: Flusher
  readonly #doorbell: Doorbell
  readonly #loading = new Map<string, Promise<HomeRun | undefined>>()
  readonly #presence = new Map<string, Micros>()
  #context: HomeContext | undefined
  #lastNow = 0
  #lastPosition: number
  #armedFor: Micros | null = null

  constructor(state: DurableObjectState, bindings: Bindings) {
    super(state, bindings)
    this.#store = new WorkPoolStore(state.storage)
    const context = this.#store.meta('context')
    this.#context = context === undefined ? undefined : (JSON.parse(context) as HomeContext)
    this.#lastPosition = this.#store.lastPosition()
    this.#doorbell = new Doorbell(state, this.#now())
    this.#flusher = new Flusher({
      read: (ids) => this.#flushRows(ids),
      all: () => this.#store.allIds(),
      write: (json) => upsertReplicas(this.#database(), flowRun, json),
      acknowledged: (rows) => this.#acknowledged(rows),
      setAside: (row, error) => this.#setAside(row, error),
      readMarker: () => this.#store.meta('dirty') !== undefined,
      writeMarker: (dirty) => this.#store.setMeta('dirty', dirty ? '1' : null),
      now: () => this.#now(),
    })
    // After a restart nobody knows what the alarm was set to.
    this.#arm()
  }

  // Runs

  /**
   * Idempotent by run id: a run that is there already is answered as it is.
   * `mayExist`: the ids were reserved before, so that the runs may have been made, and may have left for the store.
   */
  async createFlowRuns(
    context: HomeContext,
    requests: NewFlowRun[],
    mayExist: boolean,
  ): Promise<{ run: FlowRun; created: boolean }[]> {
    this.#know(context)
    const results: { run: HomeRun; created: boolean }[] = []
    for (const request of requests) {
      const known = mayExist
        ? await this.#load(request.record.id)
        : this.#store.find(request.record.id)
      results.push(
        known === undefined
          ? { run: this.#create(request), created: true }
          : { run: known, created: false },
      )
    }
    this.#afterChange()
    await this.#flusher.flushed()
    return results.map(({ run, created }) => ({ run: this.#toWire(run), created }))
  }

  /** A run that lives here; null when it does not: then the store has it, or nobody. */
  readFlowRun(context: HomeContext, id: string): FlowRun | 'deleted' | null {
    this.#know(context)
    const run = this.#store.find(id)
    if (run === undefined) {
      return null
    }
    // The store may not know yet.
    return run.record.deleted ? 'deleted' : this.#toWire(run)
  }

  readFlowRunStates(context: HomeContext, id: string): State[] | null {
    this.#know(context)
    const run = this.#store.find(id)
    if (run === undefined) {
      return null
    }
    return run.record.deleted ? [] : run.record.states
  }

  /** The run that has a state, if it lives here. */
  findRunOfState(context: HomeContext, stateId: string): string | null {
    this.#know(context)
    const runs = this.#store.withTail(runTail(stateId))
    const owner = runs.find(({ record }) => record.states.some(({ id }) => id === stateId))
    return owner?.record.id ?? null
  }

  /**
   * Judges a proposed state by the ordered list of rules and writes what comes of it. Null: there is no such run.
   * `wait`: answer only once the store has it, so that a list read next shows it.
   */
  async proposeState(
    context: HomeContext,
    id: string,
    request: SetState,
    proposer: Proposer,
    wait: boolean,
  ): Promise<OrchestrationResult | null> {
    this.#know(context)
    const run = await this.#load(id)
    if (run === undefined) {
      return null
    }
    const result = this.#propose(run, request, proposer)
    this.#afterChange()
    if (wait) {
      await this.#flusher.flushed()
    }
    return result
  }

  /** Lets a paused run go on: in its process when that waits, else by a worker. Null: no such run. */
  async resumeFlowRun(context: HomeContext, id: string): Promise<OrchestrationResult | null> {
    this.#know(context)
    const run = await this.#load(id)
    if (run === undefined) {
      return null
    }
    const paused = currentState(run.record)
    if (paused?.type !== 'PAUSED') {
      const reason = 'Cannot resume a flow run that is not paused.'
      return orchestrationResult({ kind: 'abort', reason }, null)
    }
    const state: StateCreate = paused.state_details.pause_reschedule
      ? { type: 'SCHEDULED', name: 'Resuming' }
      : { type: 'RUNNING' }
    const result = this.#propose(run, { state }, { kind: 'key' })
    this.#afterChange()
    await this.#flusher.flushed()
    return result
  }

  /** Applies the given fields. Null: no such run; text: why it is refused. */
  async updateFlowRun(
    context: HomeContext,
    id: string,
    update: FlowRunUpdate & { labels?: FlowRunRecord['labels'] },
  ): Promise<true | null | string> {
    this.#know(context)
    const run = await this.#load(id)
    if (run === undefined) {
      return null
    }
    if (
      update.job_variables &&
      (run.record.state_type !== 'SCHEDULED' || run.record.work_queue_id === null)
    ) {
      return `Job variables for flow run ${id} can only be changed while it is scheduled in a work queue.`
    }
    this.#save({ ...run, record: withUpdate(run.record, update, this.#now()) })
    this.#afterChange()
    await this.#flusher.flushed()
    return true
  }

  /** Leaves a tombstone, so that no late flush brings the run back; an agent that runs it is told to stop. */
  async deleteFlowRun(
    context: HomeContext,
    id: string,
  ): Promise<{ flow_id: string; idempotency_key: string | null } | null> {
    this.#know(context)
    const run = await this.#load(id)
    if (run === undefined) {
      return null
    }
    this.#remove(run)
    this.#callBack(run)
    this.#afterChange()
    await this.#flusher.flushed()
    return run.record
  }

  // The agent's link

  /**
   * Gives an agent runs that may start now, each under a lease and a new fence that are written before the answer leaves: an
   * answer that is lost costs a run `ACCEPT_SECONDS` and nothing else.
   */
  async claim(
    context: HomeContext,
    request: Claim,
  ): Promise<ClaimResult | { unknown_queue: string }> {
    this.#know(context)
    await this.#pullChanges()
    const queues = this.#queueIds(request.work_queue_names)
    if (typeof queues === 'string') {
      return { unknown_queue: queues }
    }
    this.#doorbell.answered(request.agent.agent_id)
    const moment = this.#moment()
    const admission = admit(
      this.#store.admissionView(moment.now),
      request.limit,
      queues === null ? undefined : new Set(queues),
    )
    for (const { id } of admission.cancelled) {
      const run = this.#store.find(id)
      if (run !== undefined) {
        const state = proposedState(
          { type: 'CANCELLED', message: 'Deployment concurrency limit reached.' },
          moment.now,
        )
        this.#save(transit(run, state, moment))
      }
    }
    const claimed = this.#store
      .findMany(admission.admitted.map(({ id }) => id))
      .map((run) => claimRun(run, request.agent.agent_id, moment))
    for (const run of claimed) {
      this.#save(run)
    }
    const version = this.#doorbell.version
    this.#notePresence(request.agent, queues)
    this.#afterChange()
    const order = new Map(admission.admitted.map(({ id }, index) => [id, index]))
    claimed.sort((a, b) => (order.get(a.record.id) ?? 0) - (order.get(b.record.id) ?? 0))
    return {
      runs: await Promise.all(claimed.map((run) => this.#toClaimed(run))),
      renew: this.#store
        .liveOfAgent(request.agent.agent_id)
        .some(({ record }) => record.state_type === 'CANCELLING'),
      version,
      accept_seconds: ACCEPT_SECONDS,
      lease_seconds: LEASE_SECONDS,
      renew_seconds: RENEW_SECONDS,
      offline_grace_seconds: OFFLINE_GRACE_SECONDS,
    }
  }

  accept(context: HomeContext, request: Accept): AcceptResult {
    this.#know(context)
    const moment = this.#moment()
    const results = request.executions.map(({ flow_run_id, fence }) => {
      const run = this.#store.find(flow_run_id)
      if (run === undefined) {
        return { flow_run_id, fence, answer: 'stop' as const, reason: 'there is no such run' }
      }
      const accepted = acceptRun(run, request.agent_id, fence, moment)
      if (accepted.run !== run) {
        this.#save(accepted.run)
      }
      return accepted.answer === 'go'
        ? { flow_run_id, fence, answer: accepted.answer, reason: null }
        : { flow_run_id, fence, answer: accepted.answer, reason: accepted.reason }
    })
    this.#afterChange()
    return { results }
  }

  /**
   * Renews all leases of an agent at once, and tells it what to do with each run that it says it runs. A run that it holds by
   * our books and does not name is no longer renewed: its lease runs out.
   */
  renew(context: HomeContext, request: Renew): RenewResult {
    this.#know(context)
    const moment = this.#moment()
    const results = request.executions.map(({ flow_run_id, fence }) => {
      const run = this.#store.find(flow_run_id)
      if (run === undefined) {
        const reason = 'there is no such execution'
        return { flow_run_id, fence, answer: 'stop' as const, grace_seconds: null, reason }
      }
      const { answer, reason, run: renewed } = renewRun(run, request.agent.agent_id, fence, moment)
      if (renewed !== run) {
        this.#saveLease(run, renewed)
      }
      const graceSeconds = answer === 'cancel' ? this.#graceSeconds(run) : null
      return { flow_run_id, fence, answer, grace_seconds: graceSeconds, reason }
    })
    this.#notePresence(request.agent, null)
    this.#afterChange()
    return {
      lease_seconds: LEASE_SECONDS,
      renew_seconds: results.length > 0 ? RENEW_SECONDS : IDLE_RENEW_SECONDS,
      offline_grace_seconds: OFFLINE_GRACE_SECONDS,
      results,
    }
  }

  /** The proof that executions have ended. Idempotent by fence. Ending one and ringing for the next is one transaction. */
  finish(context: HomeContext, request: Finish): FinishResult {
    this.#know(context)
    const moment = this.#moment()
    const results = request.executions.map((end) => {
      const { flow_run_id, fence } = end
      const run = this.#store.find(flow_run_id)
      if (run === undefined || !isCurrent(run, request.agent_id, fence)) {
        const state = run === undefined ? null : currentState(run.record)
        return { flow_run_id, fence, answer: 'stale' as const, state }
      }
      const ended = endExecution(run, end, moment)
      this.#save(ended)
      return { flow_run_id, fence, answer: 'ended' as const, state: currentState(ended.record) }
    })
    this.#afterChange()
    return { results }
  }

  /** The doorbell: a WebSocket that costs nothing while it waits. */
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const context = JSON.parse(
      request.headers.get('X-Home-Context') ?? 'null',
    ) as HomeContext | null
    if (context === null || request.headers.get('Upgrade') !== 'websocket') {
      return new Response(null, { status: 400 })
    }
    this.#know(context)
    const names = url.searchParams.getAll('queue')
    const queues = this.#queueIds(names.length === 0 ? null : names)
    if (typeof queues === 'string') {
      return Response.json({ detail: `work queue '${queues}' does not exist` }, { status: 404 })
    }
    const agentId = url.searchParams.get('agent_id') ?? ''
    const { client } = this.#doorbell.open(agentId, queues)
    // What became claimable, or was cancelled, between the agent's last call and now is told at once.
    this.#ring()
    if (this.#store.liveOfAgent(agentId).some((run) => run.record.state_type === 'CANCELLING')) {
      this.#doorbell.callBack(agentId)
    }
    this.#arm()
    return new Response(null, { status: 101, webSocket: client })
  }

  override webSocketMessage(): void {
    // An agent says nothing but `ping`, which the runtime answers.
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    // 1005 and 1006 may not be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code)
  }

  // Prefect's own worker

  /** The runs that Prefect's worker may propose `Pending` for, under the limits as they are now. No lease is taken. */
  async scheduledFlowRuns(
    context: HomeContext,
    query: ScheduledFlowRunsQuery,
  ): Promise<WorkerFlowRun[] | { unknown_queue: string }> {
    this.#know(context)
    await this.#pullChanges()
    const only = this.#queueIds(
      query.work_queue_names?.length === 0 ? null : query.work_queue_names,
    )
    if (typeof only === 'string') {
      return { unknown_queue: only }
    }
    const now = this.#now()
    const view = this.#store.admissionView(now)
    if (view.pool.paused) {
      return []
    }
    const before = query.scheduled_before ? (parseTimestamp(query.scheduled_before) ?? now) : now
    const after = query.scheduled_after ? (parseTimestamp(query.scheduled_after) ?? 0) : 0
    const wanted = Math.min(query.limit ?? 200, 200, room(view.pool.limit, view.pool.live))
    const runs = view.queues
      .filter((queue) => !queue.paused && (only === null || only.includes(queue.id)))
      .toSorted((a, b) => a.priority - b.priority)
      .flatMap((queue) =>
        this.#store.claimable(
          queue.id,
          after,
          before,
          Math.min(200, room(queue.limit, queue.live)),
        ),
      )
      .slice(0, wanted)
    this.#notePolled(only)
    return runs.map((run) => ({
      work_pool_id: run.record.work_pool_id ?? '',
      work_queue_id: run.record.work_queue_id ?? '',
      flow_run: this.#toWire(run),
    }))
  }

  // Configuration

  /** Notes, durably, that a change is being made in the store. */
  expectChange(context: HomeContext, kind: ConfigKind, id: string): void {
    this.#know(context)
    this.#store.markPendingChange(kind, id, this.#now())
  }

  /** Takes a pool's configuration when it is newer than what is here; null: the pool was deleted. */
  async applyWorkPool(
    context: HomeContext,
    id: string,
    config: HomeWorkPool | null,
  ): Promise<void> {
    this.#know(context)
    this.#store.clearPendingChange('work_pool', id)
    this.#takeWorkPool(id, config)
    this.#afterChange()
    await this.#flusher.flushed()
  }

  /** Takes a deployment's configuration when it is newer; its future automatic runs are replaced in the same transaction. */
  async applyDeployment(
    context: HomeContext,
    id: string,
    config: HomeDeployment | null,
  ): Promise<void> {
    this.#know(context)
    this.#store.clearPendingChange('deployment', id)
    this.#takeDeployment(id, config)
    this.#afterChange()
    await this.#flusher.flushed()
  }

  // Time

  /** Never throws: an alarm that fails too often is given up by the platform. */
  override async alarm(): Promise<void> {
    this.#armedFor = null
    try {
      const now = this.#now()
      this.#extendAfterOutage(now)
      for (const run of this.#store.withTimerUntil(now, TIMER_BATCH)) {
        const next = onTimer(run, this.#moment())
        this.#save(next)
        if (next.record.state_type === 'CANCELLED' && next.live) {
          this.#callBack(next)
        }
      }
      for (const id of this.#store.schedulesDue(now)) {
        this.#expand(id)
      }
      this.#ring()
      await this.#flusher.onAlarm()
    } catch (error) {
      report('alarm failed', error)
    }
    this.#arm()
  }

  /**
   * After an outage of the control plane every holder gets one full lease: agents could not renew. A lease that ran out
   * long before this alarm tells of one, since the alarm stands at the earliest lease.
   */
  #extendAfterOutage(now: Micros): void {
    const expired = this.#store
      .withTimerUntil(now, Number.MAX_SAFE_INTEGER)
      .filter((run) => run.live && !run.lost && run.lease_until !== null && run.lease_until <= now)
    const longest = Math.max(...expired.map((run) => now - (run.lease_until ?? now)))
    if (longest < OUTAGE_MICROS) {
      return
    }
    const lease = now + LEASE_SECONDS * MICROS_PER_SECOND
    for (const run of expired) {
      this.#store.save(settled({ ...run, lease_until: lease }, now))
    }
  }

  // What the methods above are made of

  #create(request: NewFlowRun): HomeRun {
    const { record } = request
    const run: HomeRun = {
      record,
      flow_name: request.flow_name,
      deployment_name: request.deployment_name,
      position: this.#nextPosition(),
      fence: 0,
      live: false,
      liveness: record.work_queue_id === null ? 'none' : 'reported',
      agent_id: null,
      accepted: false,
      lease_until: null,
      lost: false,
      infrastructure_attempts: 0,
      timer_at: null,
    }
    const moment = this.#moment()
    const state = proposedState(request.state ?? { type: 'PENDING' }, moment.now)
    const made = transit(run, state, moment)
    this.#save(made)
    return made
  }

  #propose(run: HomeRun, request: SetState, proposer: Proposer): OrchestrationResult {
    const from = currentState(run.record)
    const stale = staleProposer(run, proposer)
    if (stale !== null) {
      return orchestrationResult({ kind: 'abort', reason: stale }, from)
    }
    const moment = this.#moment()
    const to = proposedState(request.state, moment.now)
    const facts: FlowRunFacts = {
      slot: () =>
        run.live
          ? { free: true }
          : admitOne(
              this.#store.admissionView(moment.now),
              run.record.work_queue_id,
              run.record.deployment_id,
            ),
      newKey: () => crypto.randomUUID(),
    }
    const proposal = { run: run.record, from, to, now: moment.now }
    const judgement = request.force
      ? judge(minimalFlowPolicy, proposal, facts)
      : judge(coreFlowPolicy, proposal, facts)
    const written =
      judgement.verdict.kind === 'accept'
        ? judgement.to
        : judgement.verdict.kind === 'reject'
          ? judgement.verdict.state
          : null
    if (written === null) {
      return orchestrationResult(judgement.verdict, from)
    }
    const record = policyAfterVerdict(judgement.run, judgement.verdict)
    // A worker that is no agent takes the run: from now on it only reports.
    const takes = written.type === 'PENDING' && !run.live && record.work_queue_id !== null
    const next = transit(
      { ...run, record, ...(takes ? { liveness: 'reported' as const } : {}) },
      written,
      moment,
    )
    this.#save(next)
    if (written.type === 'CANCELLING') {
      this.#callBack(next)
    }
    return orchestrationResult(judgement.verdict, currentState(next.record))
  }

  #remove(run: HomeRun): void {
    const record = { ...run.record, deleted: true, seq: run.record.seq + 1 }
    this.#save(settled({ ...run, record }, this.#now()))
  }

  #callBack(run: HomeRun): void {
    if (run.live && run.agent_id !== null) {
      this.#doorbell.callBack(run.agent_id)
    }
  }

  #save(run: HomeRun): void {
    this.#store.save(run)
    this.#flusher.markDirty(run.record.id)
  }

  /** A renewal that changed nothing but the lease is nobody's business but ours: the store is not told. */
  #saveLease(before: HomeRun, after: HomeRun): void {
    this.#store.save(after)
    if (after.record.seq !== before.record.seq) {
      this.#flusher.markDirty(after.record.id)
    }
  }

  /** Takes a run back from the store when it has left; whoever asks at the same time waits for the same read. */
  async #load(id: string): Promise<HomeRun | undefined> {
    const here = this.#store.find(id)
    if (here !== undefined) {
      return here.record.deleted ? undefined : here
    }
    const loading = this.#loading.get(id) ?? this.#readBack(id)
    this.#loading.set(id, loading)
    try {
      await loading
    } finally {
      this.#loading.delete(id)
    }
    const loaded = this.#store.find(id)
    return loaded?.record.deleted === true ? undefined : loaded
  }

  async #readBack(id: string): Promise<HomeRun | undefined> {
    const stored = await readFlowRunRecord(this.#workspace(), id)
    if (stored === undefined || this.#store.find(id) !== undefined) {
      return undefined
    }
    const run: HomeRun = {
      ...stored,
      position: this.#nextPosition(),
      // Executions that it had before are over; a number that high is above all of theirs.
      fence: stored.record.run_count + stored.record.states.length,
      live: false,
      liveness: stored.record.work_queue_id === null ? 'none' : 'reported',
      agent_id: null,
      accepted: false,
      lease_until: null,
      lost: false,
      infrastructure_attempts: 0,
      timer_at: null,
    }
    // Marked, so that it leaves again after the next flush if nothing comes of it.
    this.#save(settled(run, this.#now()))
    return run
  }

  async #toClaimed(run: HomeRun): Promise<ClaimedRun> {
    const deployment =
      run.record.deployment_id === null
        ? undefined
        : this.#store.deployment(run.record.deployment_id)
    const token = await signRunToken(this.env.HEADGATE_SECRET, {
      workspace_id: this.#known().workspace_id,
      flow_run_id: run.record.id,
      fence: run.fence,
      home_key: this.#known().home_key,
      expires: Math.floor(this.#now() / MICROS_PER_SECOND) + RUN_TOKEN_SECONDS,
    })
    return {
      flow_run: this.#toWire(run),
      fence: run.fence,
      flow: deployment?.flow ?? null,
      deployment: deployment?.deployment ?? null,
      job_configuration: this.#jobConfiguration(run),
      run_token: token,
    }
  }

  #jobConfiguration(run: HomeRun): ClaimedRun['job_configuration'] {
    const deployment =
      run.record.deployment_id === null
        ? undefined
        : this.#store.deployment(run.record.deployment_id)
    return resolveJobConfiguration(
      this.#store.workPool()?.pool.base_job_template ?? {},
      deployment?.deployment.job_variables ?? null,
      run.record.job_variables,
    )
  }

  #graceSeconds(run: HomeRun): number {
    const configured = this.#jobConfiguration(run)['grace_seconds']
    return typeof configured === 'number' && configured >= 0 ? configured : DEFAULT_GRACE_SECONDS
  }

  #takeWorkPool(id: string, config: HomeWorkPool | null): void {
    const version = config?.version_number ?? Number.MAX_SAFE_INTEGER
    if (version <= this.#store.configVersion('work_pool', id)) {
      return
    }
    const kept = new Set(config?.queues.map((queue) => queue.id))
    const gone = (this.#store.workPool()?.queues ?? []).filter((queue) => !kept.has(queue.id))
    this.#store.saveConfig('work_pool', id, version, config)
    for (const queue of gone) {
      for (const run of this.#store.ofQueue(queue.id)) {
        this.#save(detached(run, config === null, this.#now()))
      }
    }
  }

  #takeDeployment(id: string, config: HomeDeployment | null): void {
    const version = config?.version_number ?? Number.MAX_SAFE_INTEGER
    if (version <= this.#store.configVersion('deployment', id)) {
      return
    }
    const here = config?.home_key === this.#known().home_key ? config : null
    this.#store.saveConfig('deployment', id, version, here)
    const now = this.#now()
    const future = here !== null && !here.deployment.paused
    for (const run of removeAutomaticRuns(
      this.#store.scheduledOfDeployment(id),
      { onlyFuture: future, alsoManual: config === null },
      now,
    )) {
      this.#remove(run)
    }
    this.#expand(id)
  }

  /** Makes the automatic runs that a deployment's schedules ask for and has the alarm do it again in time. */
  #expand(id: string): void {
    const config = this.#store.deployment(id)
    if (config === undefined || config.deployment.paused) {
      this.#store.setScheduleTimer(id, null)
      return
    }
    const plan = expandSchedules(config, this.#store.scheduledOfDeployment(id), {
      now: this.#now(),
      homeKey: this.#known().home_key,
    })
    for (const run of plan.runs) {
      this.#create(run)
    }
    this.#store.setScheduleTimer(id, plan.nextAt)
  }

  /** Reads from the store what was announced and never came. With the store away the home goes on with what it knows. */
  async #pullChanges(): Promise<void> {
    const now = this.#now()
    const changes = this.#store.pendingChanges(now - PULL_AFTER_MICROS)
    try {
      for (const { kind, id, since } of changes) {
        if (kind === 'work_pool') {
          this.#takeWorkPool(id, (await readHomeWorkPool(this.#workspace(), id)) ?? null)
        } else {
          this.#takeDeployment(id, (await readHomeDeployment(this.#workspace(), id)) ?? null)
        }
        if (since <= now - FORGET_CHANGE_MICROS) {
          this.#store.clearPendingChange(kind, id)
        }
      }
    } catch (error) {
      report('a change of configuration could not be read', error)
    }
  }

  /** The ids of queues by their names; null for all; the first unknown name. */
  #queueIds(names: string[] | null | undefined): string[] | null | string {
    if (names === null || names === undefined) {
      return null
    }
    const queues = this.#store.workPool()?.queues ?? []
    const ids: string[] = []
    for (const name of names) {
      const queue = queues.find((candidate) => candidate.name === name)
      if (queue === undefined) {
        return name
      }
      ids.push(queue.id)
    }
    return ids
  }

  /** An agent is a worker to everybody else: its heartbeat stands in the store, written now and then. */
  #notePresence(agent: AgentIdentity, queues: string[] | null): void {
    const poolId = this.#store.workPool()?.pool.id
    if (poolId !== undefined && this.#isTime(`agent ${agent.agent_id}`)) {
      this.#noteInStore((workspace, now) =>
        recordHeartbeat(
          workspace,
          poolId,
          { name: agent.name, heartbeat_interval_seconds: IDLE_RENEW_SECONDS },
          now,
        ),
      )
    }
    this.#notePolled(queues)
  }

  #notePolled(queues: string[] | null): void {
    const ids = queues ?? (this.#store.workPool()?.queues ?? []).map((queue) => queue.id)
    const due = ids.filter((id) => this.#isTime(`queue ${id}`))
    if (due.length > 0) {
      this.#noteInStore((workspace, now) => recordQueuesPolled(workspace, due, now))
    }
  }

  #isTime(key: string): boolean {
    const now = this.#now()
    if (now - (this.#presence.get(key) ?? 0) < PRESENCE_MICROS) {
      return false
    }
    this.#presence.set(key, now)
    return true
  }

  #noteInStore(write: (workspace: Workspace, now: Micros) => Promise<void>): void {
    this.ctx.waitUntil(
      write(this.#workspace(), this.#now()).catch((error: unknown) => {
        // Only what is shown of agents and queues grows old; the next heartbeat writes it again.
        report('presence could not be noted', error)
      }),
    )
  }

  #afterChange(): void {
    this.#ring()
    this.#arm()
  }

  #ring(): void {
    this.#doorbell.ring(this.#store.admissionView(this.#now()))
  }

  /** The one alarm stands at the earliest of all times; a row is written only when that moved. */
  #arm(): void {
    const times = [this.#store.nextTimer(), this.#flusher.due, this.#doorbell.due].filter(
      (time) => time !== null,
    )
    const at = times.length === 0 ? null : Math.max(Math.min(...times), this.#now() + 1000)
    if (at === null || (this.#armedFor !== null && at >= this.#armedFor)) {
      return
    }
    this.#armedFor = at
    void this.ctx.storage.setAlarm(Math.ceil(at / 1000))
  }

  #flushRows(ids: string[]): FlushRow[] {
    const workspaceId = this.#known().workspace_id
    return this.#store.findMany(ids).map(({ record }) => ({
      id: record.id,
      seq: record.seq,
      columns: replicaRow(flowRun, toStoreColumns(workspaceId, record)),
    }))
  }

  /** A run leaves home once the store has exactly what is here and nothing more can happen to it by itself. */
  #acknowledged(rows: FlushRow[]): void {
    const seqs = new Map(rows.map(({ id, seq }) => [id, seq]))
    const runs = this.#store.findMany([...seqs.keys()])
    for (const run of runs) {
      const { record } = run
      const over = record.deleted || record.end_time !== null
      if (over && !run.live && record.seq === seqs.get(record.id)) {
        this.#store.remove(record.id)
      }
    }
    this.#publish(runs)
  }

  /** The console's feed. It may be lost: who missed a change reads the list. */
  #publish(runs: HomeRun[]): void {
    const now = this.#now()
    const rows = runs
      .filter(({ record }) => !record.deleted)
      .map((run) => {
        const { flow_name, deployment_name } = run
        return toFlowRunRow(
          run.record,
          { flow_name, deployment_name, ...this.#names(run.record) },
          now,
        )
      })
    const deleted = runs.filter(({ record }) => record.deleted).map(({ record }) => record.id)
    const hub = eventHubStub(this.#workspace())
    const sent = [
      ...(rows.length > 0 ? [hub.publishFlowRuns(rows)] : []),
      ...(deleted.length > 0 ? [hub.publishFlowRunsDeleted(deleted)] : []),
    ]
    for (const call of sent) {
      this.ctx.waitUntil(call.catch((error: unknown) => report('the feed was not told', error)))
    }
  }

  #setAside(row: FlushRow, error: unknown): void {
    report(`the store refuses flow run ${row.id} at seq ${row.seq}; it stays at home`, error)
  }

  #toWire(run: HomeRun): FlowRun {
    return toFlowRun(run.record, this.#names(run.record), this.#now())
  }

  #names(record: FlowRunRecord): RunNames {
    const config = this.#store.workPool()
    const here = config !== undefined && config.pool.id === record.work_pool_id
    const queue = config?.queues.find(({ id }) => id === record.work_queue_id)
    return {
      work_pool_name: here ? config.pool.name : null,
      work_queue_name: queue?.name ?? null,
    }
  }

  /** Keeps what a caller said of the workspace, for alarms, which have no caller. */
  #know(context: HomeContext): void {
    if (JSON.stringify(context) !== JSON.stringify(this.#context)) {
      this.#context = context
      this.#store.setMeta('context', JSON.stringify(context))
    }
  }

  #known(): HomeContext {
    if (this.#context === undefined) {
      throw new Error('this home has never been called')
    }
    return this.#context
  }

  #workspace(): Workspace {
    return workspaceOf(this.env, this.#known())
  }

  #database(): D1Database {
    return this.#workspace().database
  }

  #moment(): Moment {
    const now = this.#now()
    return {
      now,
      stateId: (run) => flowRunStateId(run.id, Math.floor(now / 1000), randomBytes()),
    }
  }

  /** Microseconds; strictly rising within the object, since its clock stands still while it computes. */
  #now(): Micros {
    this.#lastNow = Math.max(this.#lastNow + 1, Date.now() * 1000)
    return this.#lastNow
  }

  #nextPosition(): number {
    this.#lastPosition = Math.max(this.#lastPosition + 1, this.#now())
    return this.#lastPosition
  }
}

/** As many runs as a worker is shown at once, as in Prefect; fewer where a limit leaves less room. */
function room(limit: number | null, live: number): number {
  return limit === null ? 200 : Math.max(0, limit - live)
}

function randomBytes(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(10))
}

/** Why a proposal of a run's own code is not heard; null when it is. */
function staleProposer(run: HomeRun, proposer: Proposer): string | null {
  if (proposer.kind === 'key' || proposer.flow_run_id !== run.record.id) {
    return null
  }
  return run.live && run.fence === proposer.fence
    ? null
    : `This execution (fence ${proposer.fence}) is no longer current (fence ${run.fence}).`
}

function withUpdate(
  record: FlowRunRecord,
  update: FlowRunUpdate & { labels?: FlowRunRecord['labels'] },
  now: Micros,
): FlowRunRecord {
  const { empirical_policy: policy, labels, name, ...fields } = update
  const given = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  )
  return {
    ...record,
    ...given,
    ...(name ? { name } : {}),
    ...(labels ? { labels: { ...record.labels, ...labels } } : {}),
    empirical_policy: {
      ...record.empirical_policy,
      ...Object.fromEntries(
        Object.entries(policy ?? {}).filter(([, value]) => value !== undefined),
      ),
    },
    seq: record.seq + 1,
    updated: formatTimestamp(now),
  }
}

/** A run whose queue is gone waits in none: it stays visible and can be cancelled; a live one goes on. */
function detached(run: HomeRun, poolGone: boolean, now: Micros): HomeRun {
  const record = {
    ...run.record,
    work_queue_id: null,
    ...(poolGone ? { work_pool_id: null } : {}),
    seq: run.record.seq + 1,
    updated: formatTimestamp(now),
  }
  return settled({ ...run, record }, now)
}

function report(message: string, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error)
  // eslint-disable-next-line no-console -- the platform's log is the only way out of an object
  console.error(JSON.stringify({ level: 'error', object: 'WorkPool', message, reason }))
}
