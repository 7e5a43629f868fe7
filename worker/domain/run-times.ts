import { MICROS_PER_SECOND, parseTimestamp } from '#core/time.ts'
import { isTerminal } from '#core/state.ts'
import type { State } from '#core/wire/state.ts'

/** What follows from the states of a run, of a flow or of a task. */
export interface RunTimes {
  start_time: string | null
  end_time: string | null
  run_count: number
  /** Seconds. */
  total_run_time: number
  expected_start_time: string | null
  next_scheduled_start_time: string | null
}

/** The global transforms of contract 3.5: what a run's next state makes of them. */
export function timesAfter(run: RunTimes, before: State | null, state: State): RunTimes {
  const scheduledTime = state.state_details.scheduled_time ?? null
  const terminal = isTerminal(state.type)
  const entersRunning = state.type === 'RUNNING'
  const ranMicros =
    before?.type === 'RUNNING'
      ? (parseTimestamp(state.timestamp) ?? 0) - (parseTimestamp(before.timestamp) ?? 0)
      : 0
  return {
    start_time: run.start_time ?? (entersRunning || terminal ? state.timestamp : null),
    end_time: terminal ? (run.end_time ?? state.timestamp) : null,
    run_count: run.run_count + (entersRunning ? 1 : 0),
    total_run_time: run.total_run_time + ranMicros / MICROS_PER_SECOND,
    expected_start_time: run.expected_start_time ?? scheduledTime ?? state.timestamp,
    next_scheduled_start_time: state.type === 'SCHEDULED' ? scheduledTime : null,
  }
}
