import { lastDates } from '#core/schedule.ts'
import { MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type { DeploymentSchedule, MissedRuns } from '#core/wire/schedule.ts'
import type { HomeRun } from './execution.ts'

/**
 * What becomes of a schedule's dates whose run could not start in time. A run is judged by the rule that its schedule had when
 * it was made; one that has started is never touched.
 */
export interface MissedRule {
  /** When a later date arrives, the run makes way for that date's. */
  last: boolean
  /** It starts before then or not at all. */
  until: Micros | null
}

/** `skip` without a window: as long as a minute's schedule needs to come around. */
const SKIP_SECONDS = 60
/** As many dates of a past that nobody saw get their runs at once; the newest count. */
const MAX_MISSED = 100

/** The rule for one date's run; undefined where runs wait as long as they must. */
export function missedRule(missed: MissedRuns | null, date: Micros): MissedRule | undefined {
  const window = windowMicros(missed)
  return missed === null || (missed.policy !== 'last' && window === null)
    ? undefined
    : { last: missed.policy === 'last', until: window === null ? null : date + window }
}

/**
 * The past dates that need a run although none was made ahead, since the control plane was away: none as in Prefect, unless the
 * schedule says what becomes of them.
 * @param since up to then all dates have been seen to
 */
export function unseenDates(schedule: DeploymentSchedule, since: Micros, now: Micros): Micros[] {
  const missed = schedule.missed_runs ?? null
  const window = windowMicros(missed)
  if (missed === null || (missed.policy === 'all' && window === null)) {
    return []
  }
  const after = Math.max(since + 1, window === null ? 0 : now - window + 1)
  const limit = missed.policy === 'last' ? 1 : MAX_MISSED
  return lastDates(schedule.schedule, { after, before: now, limit })
}

/** When the alarm must look whether the run is missed; null: never. */
export function missedTimer(run: HomeRun): Micros | null {
  return run.missed !== undefined && hasNotStarted(run) ? run.missed.until : null
}

/** The runs of one deployment that make way for a newer date of their schedule that has arrived. */
export function supersededRuns(scheduled: readonly HomeRun[], now: Micros): HomeRun[] {
  const waiting = scheduled.filter(
    (run) => run.missed !== undefined && hasNotStarted(run) && (dueAt(run) ?? Infinity) <= now,
  )
  const newest = new Map<string, Micros>()
  for (const run of waiting) {
    const schedule = run.record.created_by?.id ?? ''
    newest.set(schedule, Math.max(newest.get(schedule) ?? 0, dueAt(run) ?? 0))
  }
  return waiting.filter(
    (run) =>
      run.missed?.last === true &&
      (dueAt(run) ?? 0) < (newest.get(run.record.created_by?.id ?? '') ?? 0),
  )
}

/**
 * A run that a schedule made and nobody has begun. One that somebody has moved to another time is theirs; one that waits for a
 * slot has only been put off.
 */
function hasNotStarted({ record, live }: HomeRun): boolean {
  return (
    record.state_type === 'SCHEDULED' &&
    record.auto_scheduled &&
    !record.deleted &&
    !live &&
    record.run_count === 0 &&
    (record.state_name === 'AwaitingConcurrencySlot' ||
      record.next_scheduled_start_time === record.expected_start_time)
  )
}

function dueAt({ record }: HomeRun): Micros | null {
  return parseTimestamp(record.expected_start_time ?? '') ?? null
}

function windowMicros(missed: MissedRuns | null): Micros | null {
  const seconds = missed?.window_seconds ?? (missed?.policy === 'skip' ? SKIP_SECONDS : null)
  return seconds === null ? null : seconds * MICROS_PER_SECOND
}
