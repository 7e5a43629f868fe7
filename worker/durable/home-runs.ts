import { runTail } from '#core/flow-run-id.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { FlowRun, FlowRunUpdate } from '#core/wire/flow-run.ts'
import type { OrchestrationResult, SetState, State, StateCreate } from '#core/wire/state.ts'
import { admitDeployment, admitOne, type Slot } from '#domain/admission.ts'
import { resumeTime } from '#domain/bulk-change.ts'
import { deploymentLeaseId } from '#domain/deployment-limit.ts'
import {
  endOfExecution,
  isStartTimeout,
  newHomeRun,
  onTimer,
  settled,
  transit,
  type HomeRun,
} from '#domain/execution.ts'
import {
  coreFlowPolicy,
  minimalFlowPolicy,
  policyAfterVerdict,
  type FlowRunFacts,
} from '#domain/flow-run-rules.ts'
import {
  currentState,
  isTerminalType,
  proposedState,
  type FlowRunRecord,
  type ProposedState,
} from '#domain/flow-run.ts'
import { beginTimer } from '#domain/run-timers.ts'
import { graceMicros, slotAfter } from '#domain/slot-lease.ts'
import { judge, orchestrationResult } from '#domain/transition.ts'
import type { AskedBy } from '../operations/object-context.ts'
import { recordIntervention, recordRemoval, recordState } from './home-audit.ts'
import { withinCap } from './home-cap.ts'
import { keepResponse, refusedInput } from './home-inputs.ts'
import type { Home, NewFlowRun, Proposer } from './home.ts'

/**
 * Idempotent by run id: a run that is there already is answered as it is.
 * `mayExist`: the ids were reserved before, so that the runs may have been made, and may have left for the store.
 */
export async function createFlowRuns(
  home: Home,
  requests: NewFlowRun[],
  mayExist: boolean,
): Promise<{ run: FlowRun; created: boolean }[]> {
  const { teller } = home.usage
  await teller.ask('flow_runs', requests.length)
  const results: { run: HomeRun; created: boolean }[] = []
  for (const request of requests) {
    const known = mayExist ? await home.load(request.record.id) : home.store.find(request.record.id)
    if (known === undefined) {
      teller.require('flow_runs', 1)
      results.push({ run: create(home, request), created: true })
    } else {
      results.push({ run: known, created: false })
    }
  }
  home.afterChange()
  await home.flusher.flushed(results.map(({ run }) => run.record.id))
  return results.map(({ run, created }) => ({ run: home.toWire(run), created }))
}

/** A run that lives here; null when it does not: then the store has it, or nobody. */
export function readFlowRun(home: Home, id: string): FlowRun | 'deleted' | null {
  const run = home.store.find(id)
  if (run === undefined) {
    return null
  }
  // The store may not know yet.
  return run.record.deleted ? 'deleted' : home.toWire(run)
}

export function readFlowRunStates(home: Home, id: string): State[] | null {
  const run = home.store.find(id)
  if (run === undefined) {
    return null
  }
  return run.record.deleted ? [] : run.record.states
}

/** The run that has a state, if it lives here. */
export function findRunOfState(home: Home, stateId: string): string | null {
  const runs = home.store.withTail(runTail(stateId))
  const owner = runs.find(({ record }) => record.states.some(({ id }) => id === stateId))
  return owner?.record.id ?? null
}

/** When an execution was over; `live` while it is not, null where its run does not live here. */
export function executionEnd(home: Home, id: string, fence: number): Micros | 'live' | null {
  const run = home.store.find(id)
  return run === undefined ? null : (endOfExecution(run, fence) ?? 'live')
}

/**
 * Judges a proposed state by the ordered list of rules and writes what comes of it. Null: there is no such run.
 * `wait`: answer only once the store has it, so that a list read next shows it.
 */
export async function proposeState(
  home: Home,
  id: string,
  request: SetState,
  proposer: Proposer,
  wait: boolean,
  renewsLeases: boolean,
  asked: AskedBy | null = null,
): Promise<OrchestrationResult | null> {
  const run = await home.load(id)
  if (run === undefined) {
    return null
  }
  const result = propose(home, run, request, proposer, renewsLeases)
  recordIntervention(home, run, request, proposer, asked)
  home.afterChange()
  await Promise.all([wait && home.flusher.flushed([id]), home.audit.sent()])
  return result
}

/**
 * Lets a paused run go on: in its process when that waits, else by a worker. One that waits for input gets it with the new
 * state, or stays paused when it does not fit. Null: no such run.
 */
export async function resumeFlowRun(
  home: Home,
  id: string,
  input: JsonObject,
  asked: AskedBy | null = null,
): Promise<OrchestrationResult | null> {
  const run = await home.load(id)
  if (run === undefined) {
    return null
  }
  const paused = currentState(run.record)
  if (paused?.type !== 'PAUSED') {
    const reason = 'Cannot resume a flow run that is not paused.'
    return orchestrationResult({ kind: 'abort', reason }, null)
  }
  const refusal = refusedInput(home, id, paused, input)
  if (refusal !== null) {
    return refusal
  }
  const time = resumeTime(run.record, home.now())
  const state: StateCreate = paused.state_details.pause_reschedule
    ? {
        type: 'SCHEDULED',
        name: 'Resuming',
        ...(time === null ? {} : { state_details: { scheduled_time: time } }),
      }
    : { type: 'RUNNING' }
  const result = propose(home, run, { state }, { kind: 'key' })
  if (result.status === 'ACCEPT') {
    keepResponse(home, id, paused, input)
  }
  recordState(home, run, asked)
  home.afterChange()
  await Promise.all([home.flusher.flushed([id]), home.audit.sent()])
  return result
}

/** Applies the given fields. Null: no such run; text: why it is refused. */
export async function updateFlowRun(
  home: Home,
  id: string,
  update: FlowRunUpdate & { labels?: FlowRunRecord['labels'] },
): Promise<true | null | string> {
  const run = await home.load(id)
  if (run === undefined) {
    return null
  }
  if (
    update.job_variables &&
    (run.record.state_type !== 'SCHEDULED' || run.record.work_queue_id === null)
  ) {
    return `Job variables for flow run ${id} can only be changed while it is scheduled in a work queue.`
  }
  home.save({ ...run, record: withUpdate(run.record, update, home.now()) })
  home.afterChange()
  await home.flusher.flushed([id])
  return true
}

/** Leaves a tombstone, so that no late flush brings the run back; an agent that runs it is told to stop. */
export async function deleteFlowRun(
  home: Home,
  id: string,
  asked: AskedBy | null = null,
): Promise<{ flow_id: string; idempotency_key: string | null } | null> {
  const run = await home.load(id)
  if (run === undefined) {
    return null
  }
  remove(home, run)
  home.callBack(run)
  recordRemoval(home, run, asked)
  home.afterChange()
  await Promise.all([home.flusher.flushed([id]), home.audit.sent()])
  return run.record
}

/** Ends a run whose parent was stopped; one that has come to an end stays as it is. */
export async function endFlowRun(home: Home, id: string, state: StateCreate): Promise<void> {
  const run = await home.load(id)
  if (run !== undefined && !isTerminalType(run.record.state_type)) {
    propose(home, run, { state }, { kind: 'key' })
    home.afterChange()
  }
}

/** Makes a run; its first state is written as it is asked for. */
export function create(home: Home, request: NewFlowRun): HomeRun {
  const { record } = request
  const run = newHomeRun({
    record,
    flow_name: request.flow_name,
    deployment_name: request.deployment_name,
    position: home.nextPosition(),
    fence: 0,
    told: 0,
  })
  const moment = home.moment()
  const state = proposedState(request.state ?? { type: 'PENDING' }, moment.now)
  const { missed } = request
  const made = transit(missed === undefined ? run : { ...run, missed }, state, moment)
  const kept = withinCap(home, made, true)
  home.usage.noteMade()
  home.save(kept)
  return kept
}

export function propose(
  home: Home,
  known: HomeRun,
  request: SetState,
  proposer: Proposer,
  renewsLeases = false,
): OrchestrationResult {
  const run = unlessTooLate(home, known)
  const from = currentState(run.record)
  const stale = staleProposer(run, proposer)
  if (stale !== null) {
    return orchestrationResult({ kind: 'abort', reason: stale }, from)
  }
  const moment = home.moment()
  const to = proposedState(request.state, moment.now)
  const { deployment_id } = run.record
  const deployment = deployment_id === null ? undefined : home.store.deployment(deployment_id)
  let minted: string | null = null
  const facts: FlowRunFacts = {
    slot: () =>
      run.live
        ? slotOfLive(run, proposer)
        : admitOne(home.store.admissionView(moment.now), run.record),
    deploymentSlot: () => admitDeployment(home.store.admissionView(moment.now), run.record),
    newLease: () => {
      minted =
        (deployment?.concurrency_limit ?? null) === null
          ? null
          : deploymentLeaseId(
              run.record.id,
              Math.floor(moment.now / 1000),
              crypto.getRandomValues(new Uint8Array(10)),
            )
      return minted
    },
    leaseLost:
      renewsLeases && run.slot_lost === true && (deployment?.concurrency_limit ?? null) !== null,
    newKey: () => crypto.randomUUID(),
  }
  const proposal = { run: run.record, from, to, now: moment.now }
  const judgement =
    request.force && !obeysCancelling(run, to, proposer)
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
  // A worker that is no agent takes the run: from now on it only reports. So does who serves a deployment without a pool,
  // where that has a limit.
  const isCounted = record.work_queue_id !== null || minted !== null
  const takes = written.type === 'PENDING' && !run.live && isCounted
  const lease = slotAfter(
    run,
    { state: written, minted: leaseIn(written) === minted ? minted : null, renews: renewsLeases },
    moment.now + graceMicros(deployment?.deployment.concurrency_options),
  )
  const next = transit(
    { ...run, ...lease, record, ...(takes ? { liveness: 'reported' as const } : {}) },
    written,
    moment,
  )
  if (takes) {
    home.store.chargeTurn(record)
  }
  home.save(next)
  if (written.type === 'CANCELLING') {
    home.callBack(next)
  }
  return orchestrationResult(judgement.verdict, currentState(next.record))
}

/** Its slot is the run's own; but nobody else starts it while its earlier execution is not proved to be over. */
function slotOfLive(run: HomeRun, proposer: Proposer): Slot {
  return run.liveness === 'leased' && proposer.kind !== 'run'
    ? { free: false, strategy: 'ENQUEUE', rule: 'An earlier execution of the run may still live.' }
    : { free: true }
}

/** A run that should have begun by now is over, though its alarm may not have rung yet. */
function unlessTooLate(home: Home, run: HomeRun): HomeRun {
  const begin = beginTimer(run)
  if (begin === null || begin > home.now()) {
    return run
  }
  const next = onTimer(run, home.moment())
  home.save(next)
  return next
}

/** The lease that a state names. */
function leaseIn(state: ProposedState): string | null {
  return state.state_details.deployment_concurrency_lease_id ?? null
}

/** Leaves a tombstone. */
export function remove(home: Home, run: HomeRun): void {
  const record = { ...run.record, deleted: true, seq: run.record.seq + 1 }
  home.inputs.removeAll(record.id)
  home.save(settled({ ...run, record }, home.now()))
}

/** Why a proposal of a run's own code is not heard; null when it is. */
function staleProposer(run: HomeRun, proposer: Proposer): string | null {
  if (proposer.kind !== 'run' || proposer.flow_run_id !== run.record.id) {
    return null
  }
  if (isStartTimeout(run.record)) {
    return 'The run was given up, since it had not begun in time; its agent stops it.'
  }
  return run.live && run.fence === proposer.fence
    ? null
    : `This execution (fence ${proposer.fence}) is no longer current (fence ${run.fence}).`
}

/**
 * Prefect's engine, when told to end, forces that it has crashed. While its run is being cancelled that is only how the
 * cancelling goes: the run's agent proves the end, and the engine, refused, runs its hooks of cancellation.
 */
function obeysCancelling(run: HomeRun, to: ProposedState, proposer: Proposer): boolean {
  return (
    proposer.kind === 'run' &&
    proposer.flow_run_id === run.record.id &&
    run.record.state_type === 'CANCELLING' &&
    to.type === 'CRASHED'
  )
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
