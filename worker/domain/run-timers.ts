import { MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type { HomeRun } from './execution.ts'
import { currentState, type FlowRunRecord } from './flow-run.ts'
import { missedTimer } from './missed-runs.ts'
import { slotLeaseTimer } from './slot-lease.ts'

/** When the alarm must look at a run again: each state in which a run waits for something has its end here. */

/** The supervisor on the agent's host stops a run that could not be renewed for so long. */
export const OFFLINE_GRACE_SECONDS = 300
/** As in Prefect: a run that has not started so long after its time is shown as Late. */
const LATE_SECONDS = 15
/** As in Prefect: a run that could not be stopped in this time is shown as Cancelled. */
const CANCELLING_SECONDS = 300
/** A pause that names no end ends then: long enough for people, and not for ever. */
const PAUSE_SECONDS = 90 * 24 * 3600

export const seconds = (count: number): Micros => count * MICROS_PER_SECOND

/** The earliest time at which anything about the run must be looked at; null: nothing comes by itself. */
export function timerOf(run: HomeRun, now: Micros): Micros | null {
  const times = [
    leaseTimer(run),
    startTimer(run),
    slotLeaseTimer(run),
    missedTimer(run),
    beginTimer(run),
    stateTimer(run, now),
  ].filter((time) => time !== null)
  return times.length === 0 ? null : Math.min(...times)
}

/** When the agent's lease ends; once it has, when the host must have stopped the run. */
export function leaseTimer(run: HomeRun): Micros | null {
  if (!run.live || run.lease_until === null) {
    return null
  }
  return run.lost ? run.lease_until + seconds(OFFLINE_GRACE_SECONDS) : run.lease_until
}

/** By when a run that its agent has accepted must have begun: its agent lives, and what it started may hang. */
export function startTimer(run: HomeRun): Micros | null {
  const starts = run.live && run.accepted && run.record.state_type === 'PENDING'
  return starts ? (run.start_by ?? null) : null
}

/** By when a run that nobody has begun must have; one that was begun and is tried again has no such end. */
export function beginTimer(run: HomeRun): Micros | null {
  const { record, live } = run
  const waits = record.state_type === 'SCHEDULED' && !live && !record.deleted
  return waits && record.run_count === 0 && run.infrastructure_attempts === 0
    ? (parseTimestamp(record.start_before ?? '') ?? null)
    : null
}

/** When the state itself ends or changes. */
export function stateTimer(run: HomeRun, now: Micros): Micros | null {
  const { record } = run
  const state = currentState(record)
  if (state === null || record.deleted) {
    return null
  }
  const since = parseTimestamp(state.timestamp) ?? now
  switch (record.state_type) {
    case 'SCHEDULED': {
      const due = dueAt(record, now)
      if (due > now) {
        return due
      }
      if (waitsUnwatched(run)) {
        return due + seconds(OFFLINE_GRACE_SECONDS)
      }
      return state.name === 'Scheduled' ? due + seconds(LATE_SECONDS) : null
    }
    case 'PAUSED':
      return (
        parseTimestamp(state.state_details.pause_timeout ?? '') ?? since + seconds(PAUSE_SECONDS)
      )
    case 'CANCELLING':
      return since + seconds(CANCELLING_SECONDS)
    default:
      return null
  }
}

/** Whether nobody has looked at a waiting run since it became due: its timer stands there, and has only now rung. */
export function comesIntoLine({ record, live, timer_at: at }: HomeRun): boolean {
  const due = parseTimestamp(record.next_scheduled_start_time ?? '')
  return !live && at !== null && due !== undefined && at <= due
}

/** A retry waits inside a process that no agent answers for: should that be gone, only silence tells. */
export function waitsUnwatched({ record, live, liveness }: HomeRun): boolean {
  return (
    record.state_type === 'SCHEDULED' &&
    record.empirical_policy.retry_type === 'in_process' &&
    !(liveness === 'leased' && live)
  )
}

function dueAt(record: FlowRunRecord, now: Micros): Micros {
  const text = record.next_scheduled_start_time ?? currentState(record)?.timestamp ?? ''
  return parseTimestamp(text) ?? now
}
