import { flowRunId } from '#core/flow-run-id.ts'
import { formatTimestamp, parseTimestamp, type Micros } from '#core/time.ts'
import type { State, StateCreate } from '#core/wire/state.ts'
import { newHomeRun, type HomeRun, type Moment } from '#domain/execution.ts'
import { newFlowRunRecord, proposedState, type FlowRunRecord } from '#domain/flow-run.ts'

/** The moment at which these runs are looked at. */
export const NOW: Micros = parseTimestamp('2026-06-01T12:00:00Z') ?? 0
export const seconds = (count: number): Micros => NOW + count * 1_000_000
export const at = (count: number): string => formatTimestamp(seconds(count))

export const RUN_ID = flowRunId('0000ffff', 0, new Uint8Array(10))

/** A record, valid by default: a run of no deployment that has no state yet. */
export function aRecord(given: Partial<FlowRunRecord> = {}): FlowRunRecord {
  return {
    ...newFlowRunRecord(RUN_ID, seconds(-100)),
    name: 'run',
    flow_id: '00000000-0000-4000-8000-00000000000f',
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
  const known = {
    record,
    flow_name: 'flow',
    deployment_name: null,
    position: 1,
    fence: 0,
    told: 0,
  }
  return { ...newHomeRun(known), liveness: 'reported', ...given }
}

/** A moment with ids that tell the states of one run apart. */
export function aMoment(now: Micros = NOW): Moment {
  return { now, stateId: (run) => `state ${run.states.length + 1}` }
}
