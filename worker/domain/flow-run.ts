import { runTail } from '#core/flow-run-id.ts'
import { defaultStateName, isTerminal } from '#core/state.ts'
import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type { FlowRun, FlowRunPolicy, FlowRunRow } from '#core/wire/flow-run.ts'
import type { State, StateCreate, StateType } from '#core/wire/state.ts'
import { jsonBytes } from './json-size.ts'
import { timesAfter } from './run-times.ts'

/** A flow run as its home keeps it and as the store copies it: the wire's fields but for names and computed ones. */
export interface FlowRunRecord extends Omit<
  FlowRun,
  | 'state'
  | 'work_queue_name'
  | 'work_pool_name'
  | 'estimated_run_time'
  | 'estimated_start_time_delta'
  | 'infrastructure_document_id'
  | 'empirical_policy'
> {
  empirical_policy: FlowRunPolicy
  /** All states, oldest first. */
  states: State[]
  /** Rises with every change. */
  seq: number
  deleted: boolean
}

export function isTerminalType(type: StateType | null): boolean {
  return type !== null && isTerminal(type)
}

/** A state that is about to be written: complete but for id and time. */
export type ProposedState = Omit<State, 'id' | 'timestamp'>

/** Fills a requested state's defaults in; a SCHEDULED state without a time is due now. */
export function proposedState(request: StateCreate, now: Micros): ProposedState {
  const details = request.state_details ?? {}
  return {
    type: request.type,
    name: request.name ?? defaultStateName(request.type),
    message: request.message ?? null,
    data: request.data ?? null,
    state_details:
      request.type === 'SCHEDULED' && !details.scheduled_time
        ? { ...details, scheduled_time: formatTimestamp(now) }
        : details,
  }
}

export function currentState(run: FlowRunRecord): State | null {
  return run.states.at(-1) ?? null
}

/** States with longer messages are cut, as Prefect cuts them in events. */
const MAX_MESSAGE = 100_000
/** A run's row must stay under D1's 2 MB: from here on older states lose their messages and data, never themselves. */
const MAX_STATES_BYTES = 1_000_000

/**
 * Writes a state into a run: history, counters and times, by the global transforms of Prefect's orchestration
 * (contract 3.5). Pure: returns the changed run.
 * @param stateId minted by the caller from the run's id
 * @param now integer microseconds; moved on by one where the run has a state of that very time
 */
export function applyState(
  run: FlowRunRecord,
  proposed: ProposedState,
  stateId: string,
  now: Micros,
): FlowRunRecord {
  const before = currentState(run)
  const last = before === null ? undefined : parseTimestamp(before.timestamp)
  const time = last === undefined ? now : Math.max(now, last + 1)
  const timestamp = formatTimestamp(time)
  const state: State = {
    ...proposed,
    id: stateId,
    timestamp,
    message: proposed.message?.slice(0, MAX_MESSAGE) ?? null,
    state_details: {
      ...proposed.state_details,
      flow_run_id: run.id,
      task_run_id: run.parent_task_run_id,
    },
  }
  const times = timesAfter(run, before, state)
  const entersRunning = state.type === 'RUNNING'
  const resuming = entersRunning && run.empirical_policy.resuming === true
  return {
    ...run,
    ...times,
    // A resumed run goes on with the attempt that was paused.
    run_count: resuming ? run.run_count : times.run_count,
    updated: timestamp,
    seq: run.seq + 1,
    states: withinBytes([...run.states, state]),
    state_id: stateId,
    state_type: state.type,
    state_name: state.name,
    empirical_policy:
      entersRunning || isTerminal(state.type)
        ? { ...run.empirical_policy, resuming: false }
        : run.empirical_policy,
  }
}

function withinBytes(states: State[]): State[] {
  let bytes = states.reduce((sum, state) => sum + jsonBytes(state), 0)
  return states.map((state, index) => {
    if (bytes <= MAX_STATES_BYTES || index === states.length - 1) {
      return state
    }
    const short = { ...state, message: '[cut: the run has too many states]', data: null }
    bytes -= jsonBytes(state) - jsonBytes(short)
    return short
  })
}

/** The two durations that are computed when a run is read, in seconds (contract 3.5). */
export function estimates(
  run: Pick<FlowRun, 'total_run_time' | 'state_type' | 'start_time' | 'expected_start_time'> & {
    state_timestamp: string | null
  },
  now: Micros,
): { estimated_run_time: number; estimated_start_time_delta: number } {
  const since = (text: string | null) =>
    text === null ? 0 : (now - (parseTimestamp(text) ?? now)) / MICROS_PER_SECOND
  const running = run.state_type === 'RUNNING' ? Math.max(0, since(run.state_timestamp)) : 0
  const late = since(run.expected_start_time)
  const delta =
    run.start_time !== null
      ? late - since(run.start_time)
      : isTerminalType(run.state_type)
        ? 0
        : late
  return {
    estimated_run_time: run.total_run_time + running,
    estimated_start_time_delta: Math.max(0, delta),
  }
}

/** The names that stand beside a run on the wire. */
export interface RunNames {
  work_queue_name: string | null
  work_pool_name: string | null
}

/** A run as the API answers it. */
export function toFlowRun(run: FlowRunRecord, names: RunNames, now: Micros): FlowRun {
  const { states: _states, seq: _seq, deleted: _deleted, ...fields } = run
  const state = currentState(run)
  return {
    ...fields,
    // A run that an older version has kept has neither.
    concurrency_key: run.concurrency_key ?? null,
    start_before: run.start_before ?? null,
    work_queue_name: names.work_queue_name,
    work_pool_name: names.work_pool_name,
    state,
    infrastructure_document_id: null,
    ...estimates({ ...run, state_timestamp: state?.timestamp ?? null }, now),
  }
}

/** A run as lists and the feed show it. */
export function toFlowRunRow(
  run: FlowRunRecord,
  names: RunNames & { flow_name: string | null; deployment_name: string | null },
  now: Micros,
): FlowRunRow {
  const {
    parameters: _parameters,
    context: _context,
    job_variables: _jobVariables,
    state,
    ...fields
  } = toFlowRun(run, names, now)
  const { flow_name, deployment_name } = names
  return {
    ...fields,
    flow_name,
    deployment_name,
    state_message: state?.message ?? null,
    version: run.seq,
  }
}

/** A run's columns in the store. */
export function toStoreColumns(workspaceId: string, run: FlowRunRecord): Record<string, unknown> {
  return { ...run, workspace_id: workspaceId, tail: runTail(run.id) }
}

export const DEFAULT_POLICY: FlowRunPolicy = {
  max_retries: 0,
  retry_delay_seconds: 0,
  retries: null,
  retry_delay: null,
  pause_keys: [],
  resuming: false,
  retry_type: null,
  infrastructure_retries: null,
}

/** A run of no flow yet: no name, no parameters, no state; whoever makes it fills in what it knows. */
export function newFlowRunRecord(id: string, now: Micros): FlowRunRecord {
  const time = formatTimestamp(now)
  return {
    id,
    seq: 0,
    deleted: false,
    created: time,
    updated: time,
    name: '',
    flow_id: '',
    deployment_id: null,
    deployment_version: null,
    work_pool_id: null,
    work_queue_id: null,
    flow_version: null,
    parameters: {},
    idempotency_key: null,
    context: {},
    empirical_policy: DEFAULT_POLICY,
    tags: [],
    labels: {},
    parent_task_run_id: null,
    state_id: null,
    state_type: null,
    state_name: null,
    states: [],
    run_count: 0,
    expected_start_time: null,
    next_scheduled_start_time: null,
    start_time: null,
    end_time: null,
    total_run_time: 0,
    auto_scheduled: false,
    infrastructure_pid: null,
    created_by: null,
    job_variables: {},
    concurrency_key: null,
    start_before: null,
  }
}
