import { formatTimestamp, parseTimestamp, type Micros } from '#core/time.ts'
import type { State, StateType } from '#core/wire/state.ts'
import {
  applyState,
  currentState,
  isTerminalType,
  type FlowRunRecord,
  type ProposedState,
} from './flow-run.ts'
import { missedTimer, type MissedRule } from './missed-runs.ts'
import {
  beginTimer,
  leaseTimer,
  seconds,
  startTimer,
  stateTimer,
  timerOf,
  waitsUnwatched,
} from './run-timers.ts'
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
  /** By when it must have begun, once it is accepted. */
  start_by?: Micros | null
  /** When its last execution that is over ended, and that one's number. */
  ended?: { fence: number; at: Micros }
  /** Its execution has ended without a state that says so: what it had started in its process ends as well. */
  orphaned?: boolean
  /** By which it holds its deployment's slot where no agent leases it. */
  slot_lease?: SlotLease | null
  /** That lease has ended: the slot is free for another run, whatever this one shows. */
  slot_lost?: boolean
  /** What becomes of it should it not start in time; of a run that a schedule made. */
  missed?: MissedRule
  /** How often it has been started anew because its infrastructure failed. */
  infrastructure_attempts: number
  /** When the alarm must look at it again. */
  timer_at: Micros | null
  /** It was made long ago, and has come back from the store. */
  from_store?: true
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
/** A run that was accepted and has not begun by then hangs on its host; its job variable `start_timeout_seconds` says otherwise. */
export const START_SECONDS = 15 * 60
/** What still runs so long after its run came to an end elsewhere is stopped. */
const OVERSTAY_SECONDS = 30

/** Writes a state and brings the slot and the timer up to date. */
export function transit(run: HomeRun, proposed: ProposedState, moment: Moment): HomeRun {
  const record = applyState(run.record, proposed, moment.stateId(run.record), moment.now)
  return settled({ ...run, record }, moment.now)
}

/** Brings what follows from a run's state up to date: the slot of a run that only reports, and the timer. */
export function settled(run: HomeRun, now: Micros): HomeRun {
  const live =
    run.liveness === 'leased' ? run.live : run.liveness === 'reported' && isOccupied(run.record)
  const next = live
    ? { ...run, live }
    : { ...run, ...justEnded(run, now), live, slot_lease: null, slot_lost: false }
  return { ...next, timer_at: timerOf(next, now) }
}

/** Notes when an execution that an agent held ended. */
function justEnded(run: HomeRun, now: Micros): Pick<HomeRun, 'ended'> {
  const isNoted = run.liveness !== 'leased' || run.ended?.fence === run.fence
  return isNoted ? {} : { ended: { fence: run.fence, at: now } }
}

/** When an execution was over; null while it lives. The epoch where all that is known is that it is long ago. */
export function endOfExecution(run: HomeRun, fence: number): Micros | null {
  if (run.record.deleted) {
    return 0
  }
  if (run.live && run.liveness === 'leased' && run.fence === fence) {
    return null
  }
  return run.ended?.fence === fence ? run.ended.at : endOfRun(run.record)
}

/** When a run came to its end, no execution of it being alive. */
export function endOfRun({ end_time }: Pick<FlowRunRecord, 'end_time'>): Micros {
  return (end_time === null ? undefined : parseTimestamp(end_time)) ?? 0
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
    start_by: null,
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

/** The agent asks whether it may start the run, which then has `startSeconds` to begin. */
export function acceptRun(
  run: HomeRun,
  agentId: string,
  fence: number,
  moment: Moment,
  startSeconds: number = START_SECONDS,
): { answer: 'go'; run: HomeRun } | { answer: 'stop'; reason: string; run: HomeRun } {
  if (!isCurrent(run, agentId, fence)) {
    return { answer: 'stop', reason: 'the execution is no longer current', run }
  }
  // An agent that still asks has not heard the first answer, and has started nothing.
  const asking = beforeLoss(run.record)?.type === 'PENDING' ? comeBack(run, moment) : run
  if (asking.record.deleted || asking.record.state_type !== 'PENDING') {
    const reason = run.record.deleted
      ? 'the run was deleted'
      : `the run is ${String(run.record.state_name)}`
    // What was accepted before may run: this may be a late copy of the question, and only its end proves that it has ended.
    return run.accepted
      ? { answer: 'stop', reason, run }
      : { answer: 'stop', reason, run: endExecution(run, { message: reason }, moment) }
  }
  const record = {
    ...asking.record,
    infrastructure_pid: `agent:${agentId}:${fence}`,
    seq: asking.record.seq + 1,
    updated: formatTimestamp(moment.now),
  }
  const accepted = {
    ...asking,
    record,
    accepted: true,
    lost: false,
    start_by:
      run.accepted && !run.lost ? (run.start_by ?? null) : moment.now + seconds(startSeconds),
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
  startSeconds: number = START_SECONDS,
): RenewAnswer {
  if (!isCurrent(run, agentId, fence)) {
    return { answer: 'stop', reason: 'the execution is no longer current', run }
  }
  const renewed = settled(
    {
      ...comeBack(run, moment),
      accepted: true,
      lost: false,
      // Time that the agent was away is not the run's.
      start_by:
        run.accepted && !run.lost ? (run.start_by ?? null) : moment.now + seconds(startSeconds),
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

/** A run that was given up with its agent goes on, as the attempt that it was, when the agent is back and nothing else has happened. */
function comeBack(run: HomeRun, moment: Moment): HomeRun {
  const before = run.lost ? beforeLoss(run.record) : null
  if (before === null) {
    return run
  }
  const message = 'The agent is back.'
  if (before.type === 'PENDING') {
    const details = { scheduled_time: before.state_details.scheduled_time ?? null }
    return neverBegun(transit(run, newState('PENDING', before.name, message, details), moment))
  }
  const { run_count } = run.record
  const back = transit(run, newState('RUNNING', 'Running', message), moment)
  return { ...back, record: { ...back.record, run_count } }
}

/** The state that a run had when it was given up with its agent; null: it was not, or something has happened to it since. */
function beforeLoss(record: FlowRunRecord): State | null {
  const current = currentState(record)
  const isLost = current?.type === 'CRASHED' && current.state_details['agent_lost'] === true
  return isLost ? (record.states.at(-2) ?? null) : null
}

/** A run that has never run has no start, whatever it was shown as. */
function neverBegun(run: HomeRun): HomeRun {
  return run.record.run_count > 0 ? run : { ...run, record: { ...run.record, start_time: null } }
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
  const byItself = type !== 'CANCELLED' && !isStartTimeout(record)
  return byItself && now - since < seconds(OVERSTAY_SECONDS) ? null : `the run is ${name}`
}

/** Whether the run was given up because it had not begun in time. */
export function isStartTimeout(record: FlowRunRecord): boolean {
  const current = currentState(record)
  return current?.type === 'CRASHED' && current.state_details['start_timeout'] === true
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
    start_by: null,
  }
  const current = currentState(run.record)
  switch (run.record.state_type) {
    case 'CANCELLING':
      return transit(ended, newState('CANCELLED', 'Cancelled', 'The run was stopped.'), moment)
    case 'SCHEDULED':
      // It waited for its retry inside the process that is gone: any worker may now run it.
      return settled({ ...withRetryType(ended, 'reschedule'), orphaned: true }, moment.now)
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
      return end.interrupted === true && beforeLoss(run.record)?.type === 'PENDING'
        ? backToQueue(ended, 'The agent was lost before the run had begun.', moment)
        : retriedInfrastructure(settled({ ...ended, orphaned: run.lost }, moment.now), moment)
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
  const reason = describeCause(end)
  return end.interrupted === true ? `The agent was stopped while it ran the run. ${reason}` : reason
}

function describeCause(end: ExecutionEnd): string {
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
 * host must have stopped it by now; an accepted run that has not begun; a lease of a deployment's slot that ran out; a pause or a
 * cancellation past its time; a retry whose process is gone; a run that is due, or late.
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
  const start = startTimer(run)
  if (start !== null && start <= now) {
    return transit(run, START_TIMEOUT, moment)
  }
  const slotLease = slotLeaseTimer(run)
  if (slotLease !== null && slotLease <= now) {
    return settled(loseSlot(run), now)
  }
  const missed = missedTimer(run)
  if (missed !== null && missed <= now) {
    return missRun(run, 'its window is over', moment)
  }
  const begin = beginTimer(run)
  if (begin !== null && begin <= now) {
    const message = `The run had not begun by ${String(run.record.start_before)} (start_before).`
    return transit(run, newState('CANCELLED', 'Cancelled', message), moment)
  }
  const current = currentState(run.record)
  const due = stateTimer(run, now)
  if (due === null || due > now || current === null) {
    return settled(run, now)
  }
  switch (run.record.state_type) {
    case 'SCHEDULED':
      if (waitsUnwatched(run)) {
        return onSilentRetry(run, moment)
      }
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

/** Nothing of it may run yet, and its slot is held until the agent has stopped what it started. */
const START_TIMEOUT = newState(
  'CRASHED',
  'Crashed',
  'The run had not begun in time: it was accepted by its agent, and its code never reported Running.',
  { start_timeout: true },
)

/** A date whose run could not start in time, by the rule of its schedule. */
export function missRun(run: HomeRun, reason: string, moment: Moment): HomeRun {
  const state = newState('CANCELLED', 'Cancelled', `Missed: ${reason}.`, { missed: true })
  return transit(run, state, moment)
}

/** The process that was to begin the retry has not: any worker may now run it, where it has a deployment. */
function onSilentRetry(run: HomeRun, moment: Moment): HomeRun {
  const gone = { ...run, orphaned: true }
  if (run.record.deployment_id === null) {
    const message = 'The process in which the run waited for its retry is gone.'
    return transit(gone, newState('CRASHED', 'Crashed', message), moment)
  }
  const again = withRetryType(gone, 'reschedule')
  const record = {
    ...again.record,
    seq: run.record.seq + 1,
    updated: formatTimestamp(moment.now),
  }
  return settled({ ...again, record }, moment.now)
}

function onLeaseEnd(run: HomeRun, moment: Moment): HomeRun {
  if (!run.accepted) {
    return run.record.state_type === 'PENDING'
      ? backToQueue(run, 'The agent did not accept the run.', moment)
      : endExecution(run, { message: 'The run was never started.' }, moment)
  }
  if (run.lost || endedByItself(run.record)) {
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

/** Its code came to its end. Of a run that was given up, or cancelled, the process may be there still. */
function endedByItself({ state_type: type }: FlowRunRecord): boolean {
  return type === 'COMPLETED' || type === 'FAILED'
}

/** Nothing was started: the run waits again, at its old place. */
function backToQueue(run: HomeRun, message: string, moment: Moment): HomeRun {
  const claimed = beforeLoss(run.record) ?? currentState(run.record)
  const waiting = transit(
    { ...run, live: false, agent_id: null, lease_until: null },
    newState('SCHEDULED', 'Scheduled', message, {
      scheduled_time: claimed?.state_details.scheduled_time ?? null,
    }),
    moment,
  )
  return neverBegun(waiting)
}

function newState(
  type: StateType,
  name: string,
  message: string | null,
  details: ProposedState['state_details'] = {},
): ProposedState {
  return { type, name, message, data: null, state_details: details }
}
