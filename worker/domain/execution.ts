import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type { StateType } from '#core/wire/state.ts'
import {
  applyState,
  currentState,
  isTerminalType,
  type FlowRunRecord,
  type ProposedState,
} from './flow-run.ts'
import { loseSlot, slotLeaseTimer, type SlotLease } from './slot-lease.ts'

/**
 * An execution is one attempt at running a flow run, from its claim to its proved end; its number is the fence. These
 * functions say what becomes of a run when something happens to its execution. They are pure: a changed copy comes back.
 */

/** How a run's execution is watched: by an agent's lease, by what Prefect's worker reports, or not at all. */
type Liveness = 'leased' | 'reported' | 'none'

/** A run at home: its record and what only its home knows of it. */
export interface HomeRun {
  record: FlowRunRecord
  flow_name: string | null
  deployment_name: string | null
  /** Its place among the runs of its queue that are due at the same time; given once. */
  position: number
  /** The number of its current, or else its last, execution. */
  fence: number
  /** Whether that execution holds a slot: from its claim to its proved end. */
  live: boolean
  liveness: Liveness
  agent_id: string | null
  /** The agent has been told to start it. */
  accepted: boolean
  /** Until when its agent answers for it; null without a lease. */
  lease_until: Micros | null
  /** Its lease ended without proof of its end: nothing new starts before that, or before the offline grace is over. */
  lost: boolean
  /** By which it holds its deployment's slot where no agent leases it. */
  slot_lease?: SlotLease | null
  /** That lease has ended: the slot is free for another run, whatever this one shows. */
  slot_lost?: boolean
  /** How often it has been started anew because its infrastructure failed. */
  infrastructure_attempts: number
  /** When the alarm must look at it again. */
  timer_at: Micros | null
  /** How many of its states have been turned into messages to others. */
  told: number
}

/** A run that is not being executed. */
export function newHomeRun(
  known: Pick<HomeRun, 'record' | 'flow_name' | 'deployment_name' | 'position' | 'fence' | 'told'>,
): HomeRun {
  return {
    ...known,
    live: false,
    liveness: known.record.work_queue_id === null ? 'none' : 'reported',
    agent_id: null,
    accepted: false,
    lease_until: null,
    lost: false,
    slot_lease: null,
    slot_lost: false,
    infrastructure_attempts: 0,
    timer_at: null,
  }
}

/** What a change of state needs from outside: the time, and ids for states. */
export interface Moment {
  now: Micros
  stateId: (run: FlowRunRecord) => string
}

/** A claimed run that its agent has not accepted by then goes back to its queue: the answer was lost. */
export const ACCEPT_SECONDS = 15
/** Renewed every 15 s, so that three misses are tolerated and an agent's loss shows within a minute. */
export const LEASE_SECONDS = 45
export const RENEW_SECONDS = 15
/** With nothing to renew, a renewal is only a heartbeat. */
export const IDLE_RENEW_SECONDS = 30
/** The supervisor on the agent's host stops a run that could not be renewed for so long. */
export const OFFLINE_GRACE_SECONDS = 300
/** As in Prefect: a run that has not started so long after its time is shown as Late. */
const LATE_SECONDS = 15
/** As in Prefect: a run that could not be stopped in this time is shown as Cancelled. */
const CANCELLING_SECONDS = 300
/** What still runs so long after its run came to an end elsewhere is stopped. */
const OVERSTAY_SECONDS = 30

const seconds = (count: number): Micros => count * MICROS_PER_SECOND

/** Writes a state and brings the slot and the timer up to date. */
export function transit(run: HomeRun, proposed: ProposedState, moment: Moment): HomeRun {
  const record = applyState(run.record, proposed, moment.stateId(run.record), moment.now)
  return settled({ ...run, record }, moment.now)
}

/** Brings what follows from a run's state up to date: the slot of a run that only reports, and the timer. */
export function settled(run: HomeRun, now: Micros): HomeRun {
  const live =
    run.liveness === 'leased' ? run.live : run.liveness === 'reported' && isOccupied(run.record)
  const next = live ? { ...run, live } : { ...run, live, slot_lease: null, slot_lost: false }
  return { ...next, timer_at: timerOf(next, now) }
}

/** Whether a run that no agent leases occupies its slot: also while it waits inside its process. */
function isOccupied(record: FlowRunRecord): boolean {
  const state = currentState(record)
  switch (record.state_type) {
    case 'PENDING':
    case 'RUNNING':
    case 'CANCELLING':
      return true
    case 'SCHEDULED':
      return record.empirical_policy.retry_type === 'in_process'
    case 'PAUSED':
      return state?.state_details.pause_reschedule !== true
    default:
      return false
  }
}

function timerOf(run: HomeRun, now: Micros): Micros | null {
  const times = [leaseTimer(run), slotLeaseTimer(run), stateTimer(run.record, now)].filter(
    (time) => time !== null,
  )
  return times.length === 0 ? null : Math.min(...times)
}

function leaseTimer(run: HomeRun): Micros | null {
  if (!run.live || run.lease_until === null) {
    return null
  }
  return run.lost ? run.lease_until + seconds(OFFLINE_GRACE_SECONDS) : run.lease_until
}

function stateTimer(record: FlowRunRecord, now: Micros): Micros | null {
  const state = currentState(record)
  if (state === null || record.deleted) {
    return null
  }
  const since = parseTimestamp(state.timestamp) ?? now
  switch (record.state_type) {
    case 'SCHEDULED': {
      const due = parseTimestamp(record.next_scheduled_start_time ?? state.timestamp) ?? now
      if (due > now) {
        return due
      }
      return state.name === 'Scheduled' ? due + seconds(LATE_SECONDS) : null
    }
    case 'PAUSED':
      return parseTimestamp(state.state_details.pause_timeout ?? '') ?? null
    case 'CANCELLING':
      return since + seconds(CANCELLING_SECONDS)
    default:
      return null
  }
}

/** An agent takes the run: a new execution begins, not yet accepted. */
export function claimRun(run: HomeRun, agentId: string, moment: Moment): HomeRun {
  const claimed: HomeRun = {
    ...run,
    fence: run.fence + 1,
    live: true,
    liveness: 'leased',
    agent_id: agentId,
    accepted: false,
    lost: false,
    lease_until: moment.now + seconds(ACCEPT_SECONDS),
  }
  const scheduledTime = currentState(run.record)?.state_details.scheduled_time ?? null
  return transit(
    claimed,
    newState('PENDING', 'Pending', null, { scheduled_time: scheduledTime }),
    moment,
  )
}

/** Whether a run's execution is the current one of that agent. */
export function isCurrent(run: HomeRun, agentId: string, fence: number): boolean {
  return run.live && run.liveness === 'leased' && run.agent_id === agentId && run.fence === fence
}

/** The agent asks whether it may start the run. */
export function acceptRun(
  run: HomeRun,
  agentId: string,
  fence: number,
  moment: Moment,
): { answer: 'go'; run: HomeRun } | { answer: 'stop'; reason: string; run: HomeRun } {
  if (!isCurrent(run, agentId, fence)) {
    return { answer: 'stop', reason: 'the execution is no longer current', run }
  }
  if (run.record.deleted || run.record.state_type !== 'PENDING') {
    const reason = run.record.deleted
      ? 'the run was deleted'
      : `the run is ${String(run.record.state_name)}`
    // Nothing was started, so the execution ends here.
    return { answer: 'stop', reason, run: endExecution(run, { message: reason }, moment) }
  }
  const record = {
    ...run.record,
    infrastructure_pid: `agent:${agentId}:${fence}`,
    seq: run.record.seq + 1,
    updated: formatTimestamp(moment.now),
  }
  const accepted = {
    ...run,
    record,
    accepted: true,
    lease_until: moment.now + seconds(LEASE_SECONDS),
  }
  return { answer: 'go', run: settled(accepted, moment.now) }
}

export type RenewAnswer =
  | { answer: 'keep'; reason: null; run: HomeRun }
  | { answer: 'cancel' | 'stop'; reason: string; run: HomeRun }

/** The agent says that it really runs the run. */
export function renewRun(
  run: HomeRun,
  agentId: string,
  fence: number,
  moment: Moment,
): RenewAnswer {
  if (!isCurrent(run, agentId, fence)) {
    return { answer: 'stop', reason: 'the execution is no longer current', run }
  }
  const renewed = settled(
    {
      ...comeBack(run, moment),
      accepted: true,
      lost: false,
      lease_until: moment.now + seconds(LEASE_SECONDS),
    },
    moment.now,
  )
  if (run.record.deleted) {
    return { answer: 'cancel', reason: 'the run was deleted', run: renewed }
  }
  const reason = stopReason(renewed.record, moment.now)
  return reason === null
    ? { answer: 'keep', reason: null, run: renewed }
    : { answer: 'cancel', reason, run: renewed }
}

/** A run that was given up with its agent goes on when the agent is back and nothing else has happened to it. */
function comeBack(run: HomeRun, moment: Moment): HomeRun {
  const crashed = currentState(run.record)
  const wasLost =
    run.lost && crashed?.type === 'CRASHED' && crashed.state_details['agent_lost'] === true
  return wasLost ? transit(run, newState('RUNNING', 'Running', 'The agent is back.'), moment) : run
}

/** Why a process that is there should not be. */
function stopReason(record: FlowRunRecord, now: Micros): string | null {
  const current = currentState(record)
  const type = record.state_type
  const name = String(record.state_name)
  if (type === 'CANCELLING') {
    return 'the run is being cancelled'
  }
  const suspended = type === 'PAUSED' && current?.state_details.pause_reschedule === true
  const rescheduled = type === 'SCHEDULED' && record.empirical_policy.retry_type !== 'in_process'
  if (!isTerminalType(type) && !suspended && !rescheduled) {
    return null
  }
  // It has just come to its end by itself and is on its way out.
  const since = parseTimestamp(current?.timestamp ?? '') ?? now
  return type !== 'CANCELLED' && now - since < seconds(OVERSTAY_SECONDS)
    ? null
    : `the run is ${name}`
}

export interface ExecutionEnd {
  exit_code?: number | null | undefined
  signal?: string | null | undefined
  message?: string | null | undefined
  /** Nothing of the run was executed; alone, it is the run's own fault. */
  not_started?: boolean | undefined
  /** The agent was stopped or died; nothing is wrong with the run. */
  interrupted?: boolean | undefined
}

/** The execution has ended, proved: its slot is free, and a run that had not come to an end itself gets its state. */
export function endExecution(run: HomeRun, end: ExecutionEnd, moment: Moment): HomeRun {
  const ended: HomeRun = {
    ...run,
    record: { ...run.record, infrastructure_pid: null, seq: run.record.seq + 1 },
    live: false,
    lost: false,
    agent_id: null,
    accepted: false,
    lease_until: null,
  }
  const current = currentState(run.record)
  switch (run.record.state_type) {
    case 'CANCELLING':
      return transit(ended, newState('CANCELLED', 'Cancelled', 'The run was stopped.'), moment)
    case 'SCHEDULED':
      // It waited for its retry inside the process that is gone: any worker may now run it.
      return settled(withRetryType(ended, 'reschedule'), moment.now)
    case 'PAUSED':
      return current?.state_details.pause_reschedule === true
        ? settled(ended, moment.now)
        : crash(ended, end, moment)
    case 'PENDING':
      // Its code begins with Running: nothing of it has run.
      return end.interrupted === true
        ? backToQueue(ended, 'The agent was stopped before the run had begun.', moment)
        : crash(ended, end, moment)
    case 'RUNNING':
      return crash(ended, end, moment)
    case 'CRASHED':
      return retriedInfrastructure(settled(ended, moment.now), moment)
    default:
      return settled(ended, moment.now)
  }
}

function crash(run: HomeRun, end: ExecutionEnd, moment: Moment): HomeRun {
  return retriedInfrastructure(
    transit(run, newState('CRASHED', 'Crashed', describeEnd(end)), moment),
    moment,
  )
}

function describeEnd(end: ExecutionEnd): string {
  if (end.message) {
    return end.message
  }
  if (end.signal) {
    return `The run's process was ended by ${end.signal}.`
  }
  return end.exit_code === null || end.exit_code === undefined
    ? "The run's process ended before the run did."
    : `The run's process exited with code ${end.exit_code} before the run ended.`
}

/** A crash is the infrastructure's fault: it is retried by `infrastructure_retries`, never by the flow's `retries`. */
function retriedInfrastructure(run: HomeRun, moment: Moment): HomeRun {
  const retries = run.record.empirical_policy.infrastructure_retries ?? 0
  const attempt = run.infrastructure_attempts + 1
  if (run.record.deployment_id === null || run.record.deleted || attempt > retries) {
    return run
  }
  const again = withRetryType({ ...run, infrastructure_attempts: attempt }, 'reschedule')
  return transit(
    again,
    newState('SCHEDULED', 'AwaitingRetry', `Infrastructure retry ${attempt} of ${retries}`, {
      scheduled_time: formatTimestamp(moment.now),
    }),
    moment,
  )
}

function withRetryType(run: HomeRun, type: 'reschedule'): HomeRun {
  const record = run.record
  return {
    ...run,
    record: { ...record, empirical_policy: { ...record.empirical_policy, retry_type: type } },
  }
}

/**
 * The run's timer has rung. Lists what it can meet: a claim that was not accepted; a lease that ran out; a lost execution whose
 * host must have stopped it by now; a lease of a deployment's slot that ran out; a pause or a cancellation past its time; a run
 * that is due, or late.
 * @param refused whether its deployment is full and takes no run that has to wait
 */
export function onTimer(
  run: HomeRun,
  moment: Moment,
  refused: () => boolean = () => false,
): HomeRun {
  const { now } = moment
  const lease = leaseTimer(run)
  if (lease !== null && lease <= now) {
    return onLeaseEnd(run, moment)
  }
  const slotLease = slotLeaseTimer(run)
  if (slotLease !== null && slotLease <= now) {
    return settled(loseSlot(run), now)
  }
  const current = currentState(run.record)
  const due = stateTimer(run.record, now)
  if (due === null || due > now || current === null) {
    return settled(run, now)
  }
  switch (run.record.state_type) {
    case 'SCHEDULED':
      return transit(
        run,
        refused()
          ? newState('CANCELLED', 'Cancelled', 'Deployment concurrency limit reached.')
          : newState('SCHEDULED', 'Late', null, {
              scheduled_time: current.state_details.scheduled_time ?? null,
            }),
        moment,
      )
    case 'PAUSED':
      return transit(
        run,
        newState('FAILED', 'Failed', 'The flow was paused and never resumed.'),
        moment,
      )
    case 'CANCELLING':
      return transit(
        run,
        newState('CANCELLED', 'Cancelled', 'Nobody confirmed that the run was stopped.'),
        moment,
      )
    default:
      return settled(run, now)
  }
}

function onLeaseEnd(run: HomeRun, moment: Moment): HomeRun {
  if (!run.accepted) {
    return run.record.state_type === 'PENDING'
      ? backToQueue(run, 'The agent did not accept the run.', moment)
      : endExecution(run, { message: 'The run was never started.' }, moment)
  }
  if (run.lost || isTerminalType(run.record.state_type)) {
    return endExecution(run, { message: 'The agent was lost.' }, moment)
  }
  const lost = { ...run, lost: true }
  switch (run.record.state_type) {
    case 'CANCELLING':
      return transit(
        lost,
        newState('CANCELLED', 'Cancelled', 'The agent was lost while it stopped the run.'),
        moment,
      )
    case 'PENDING':
    case 'RUNNING':
      return transit(
        lost,
        newState('CRASHED', 'Crashed', 'The agent was lost: it has not renewed its lease.', {
          agent_lost: true,
        }),
        moment,
      )
    default:
      // It waits (for a retry or a resume) in a process of which nothing is known.
      return settled(lost, moment.now)
  }
}

/** Nothing was started: the run waits again, at its old place. */
function backToQueue(run: HomeRun, message: string, moment: Moment): HomeRun {
  return transit(
    { ...run, live: false, agent_id: null, lease_until: null },
    newState('SCHEDULED', 'Scheduled', message, {
      scheduled_time: currentState(run.record)?.state_details.scheduled_time ?? null,
    }),
    moment,
  )
}

function newState(
  type: StateType,
  name: string,
  message: string | null,
  details: ProposedState['state_details'] = {},
): ProposedState {
  return { type, name, message, data: null, state_details: details }
}
