import { flowRunId } from '#core/flow-run-id.ts'
import { formatTimestamp, parseTimestamp, type Micros } from '#core/time.ts'
import type { State, StateCreate } from '#core/wire/state.ts'
import type { HomeRun, Moment } from '#domain/execution.ts'
import { DEFAULT_POLICY, proposedState, type FlowRunRecord } from '#domain/flow-run.ts'

/** The moment at which these runs are looked at. */
export const NOW: Micros = parseTimestamp('2026-06-01T12:00:00Z') ?? 0
export const seconds = (count: number): Micros => NOW + count * 1_000_000
export const at = (count: number): string => formatTimestamp(seconds(count))

export const RUN_ID = flowRunId('0000ffff', 0, new Uint8Array(10))

/** A record, valid by default: a run of no deployment that has no state yet. */
export function aRecord(given: Partial<FlowRunRecord> = {}): FlowRunRecord {
  return {
    id: RUN_ID,
    seq: 0,
    deleted: false,
    created: at(-100),
    updated: at(-100),
    name: 'run',
    flow_id: '00000000-0000-4000-8000-00000000000f',
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
    job_variables: null,
    ...given,
  }
}

/** A record whose only state is this one, without what earlier states had left in it. */
export function inState(
  state: StateCreate,
  given: Partial<FlowRunRecord> = {},
  timestamp = at(-60),
): FlowRunRecord {
  const current: State = { ...proposedState(state, NOW), id: 'state', timestamp }
  return aRecord({
    states: [current],
    state_id: current.id,
    state_type: current.type,
    state_name: current.name,
    next_scheduled_start_time:
      current.type === 'SCHEDULED' ? (current.state_details.scheduled_time ?? null) : null,
    ...given,
  })
}

/** A run at home that nobody has taken. */
export function aHomeRun(record: FlowRunRecord, given: Partial<HomeRun> = {}): HomeRun {
  return {
    record,
    flow_name: 'flow',
    deployment_name: null,
    position: 1,
    fence: 0,
    live: false,
    liveness: 'reported',
    agent_id: null,
    accepted: false,
    lease_until: null,
    lost: false,
    infrastructure_attempts: 0,
    timer_at: null,
    told: 0,
    ...given,
  }
}

/** A moment with ids that tell the states of one run apart. */
export function aMoment(now: Micros = NOW): Moment {
  return { now, stateId: (run) => `state ${run.states.length + 1}` }
}
