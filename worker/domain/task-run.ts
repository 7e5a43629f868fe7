import { formatTimestamp, parseTimestamp, type Micros } from '#core/time.ts'
import type { State, StateType } from '#core/wire/state.ts'
import type { TaskRun, TaskRunCreate } from '#core/wire/task-run.ts'
import { estimates, type ProposedState } from './flow-run.ts'
import { timesAfter } from './run-times.ts'

/** A task run as its stream keeps it and as the store copies it: the wire's fields but for the computed ones. */
export interface TaskRunRecord extends Omit<
  TaskRun,
  'state' | 'estimated_run_time' | 'estimated_start_time_delta'
> {
  /** All states, oldest first. */
  states: State[]
  /** Rises with every change. */
  seq: number
  deleted: boolean
}

/** A task run as the API answers it. */
export function toTaskRun(run: TaskRunRecord, now: Micros): TaskRun {
  const { states: _states, seq: _seq, deleted: _deleted, ...fields } = run
  const state = run.states.at(-1) ?? null
  return {
    ...fields,
    state,
    ...estimates({ ...run, state_timestamp: state?.timestamp ?? null }, now),
  }
}

/** What a policy says that says nothing, as in Prefect. */
export const DEFAULT_TASK_POLICY = {
  max_retries: 0,
  retry_delay_seconds: 0,
  retries: null,
  retry_delay: null,
  retry_jitter_factor: null,
} satisfies TaskRunRecord['empirical_policy']

/** A task run without a state, as a request describes it. `id` and `name` stand in for what the request leaves out. */
export function newTaskRun(
  create: TaskRunCreate,
  id: string,
  name: string,
  now: Micros,
): TaskRunRecord {
  const created = formatTimestamp(now)
  return {
    id: create.id ?? id,
    created,
    updated: created,
    seq: 1,
    deleted: false,
    name: create.name ?? name,
    flow_run_id: create.flow_run_id ?? null,
    task_key: create.task_key,
    dynamic_key: create.dynamic_key,
    cache_key: create.cache_key ?? null,
    cache_expiration: create.cache_expiration ?? null,
    task_version: create.task_version ?? null,
    empirical_policy: { ...DEFAULT_TASK_POLICY, ...create.empirical_policy },
    tags: create.tags ?? [],
    labels: create.labels ?? {},
    task_inputs: create.task_inputs ?? {},
    states: [],
    state_id: null,
    state_type: null,
    state_name: null,
    run_count: 0,
    flow_run_run_count: 0,
    expected_start_time: null,
    next_scheduled_start_time: null,
    start_time: null,
    end_time: null,
    total_run_time: 0,
  }
}

/**
 * Writes a state that the server decided into a task run.
 * @param now integer microseconds; moved on by one where the task run has a state of that very time
 */
export function applyTaskState(
  run: TaskRunRecord,
  proposed: ProposedState,
  stateId: string,
  now: Micros,
): TaskRunRecord {
  const last = parseTimestamp(run.states.at(-1)?.timestamp ?? '')
  const timestamp = formatTimestamp(last === undefined ? now : Math.max(now, last + 1))
  const details = { flow_run_id: run.flow_run_id, task_run_id: run.id }
  const state: State = {
    ...proposed,
    id: stateId,
    timestamp,
    state_details: { ...proposed.state_details, ...details },
  }
  return { ...enterState(run, state), updated: timestamp, seq: run.seq + 1 }
}

/** Adds a state to a task run's others. */
function enterState(run: TaskRunRecord, state: State): TaskRunRecord {
  return {
    ...withStates(run, [...run.states, state]),
    ...timesAfter(run, run.states.at(-1) ?? null, state),
  }
}

/** A task run that has gone through these states and no others. */
export function replayStates(run: TaskRunRecord, states: readonly State[]): TaskRunRecord {
  const fresh: TaskRunRecord = {
    ...withStates(run, []),
    start_time: null,
    end_time: null,
    run_count: 0,
    total_run_time: 0,
    expected_start_time: null,
  }
  return states.reduce(enterState, fresh)
}

/** A row must stay well under the 1 MB of a flush and the 2 MB of a row. */
const MAX_STATES_BYTES = 500_000
const MAX_STATES = 1000

/** A task run with these states (oldest first) and the columns that repeat the last of them. */
export function withStates(run: TaskRunRecord, states: State[]): TaskRunRecord {
  const state = states.at(-1)
  return {
    ...run,
    states: withinBytes(states),
    state_id: state?.id ?? null,
    state_type: state?.type ?? null,
    state_name: state?.name ?? null,
  }
}

/** Older states lose their messages and data first; of a thousand states the oldest go. The last one is only shortened. */
function withinBytes(all: State[]): State[] {
  const states = all.slice(-MAX_STATES)
  let bytes = states.reduce((sum, state) => sum + JSON.stringify(state).length, 0)
  return states.map((state, index) => {
    if (bytes <= MAX_STATES_BYTES) {
      return state
    }
    const message =
      index < states.length - 1 ? '[cut: too long]' : (state.message?.slice(0, 100_000) ?? null)
    const short = { ...state, message, data: null }
    bytes -= JSON.stringify(state).length - JSON.stringify(short).length
    return short
  })
}

const PROGRESS: Record<StateType, number> = {
  SCHEDULED: 0,
  PENDING: 1,
  PAUSED: 2,
  RUNNING: 3,
  CANCELLING: 4,
  CANCELLED: 5,
  CRASHED: 5,
  FAILED: 5,
  COMPLETED: 5,
}

/** The order of states that clients report: by their time; of one time, the one further on is later. Total, by the id. */
export function compareStates(a: State, b: State): number {
  return (
    compareText(a.timestamp, b.timestamp) ||
    PROGRESS[a.type] - PROGRESS[b.type] ||
    compareText(a.id, b.id)
  )
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
