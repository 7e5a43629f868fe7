import { parseTimestamp, type Micros } from '#core/time.ts'
import type { BulkChange } from '#core/wire/bulk.ts'
import type { SetState, StateType } from '#core/wire/state.ts'
import type { FlowRunRecord } from './flow-run.ts'

/** What a change of many runs asks of each. */
export interface ChangeOrder {
  change: BulkChange
  /** When it was asked for. */
  since: Micros
  /** With `pause`: until when, counted from `since`; null: until somebody resumes the run. */
  timeout: string | null
}

const ONLY: Record<BulkChange, readonly StateType[] | null> = {
  cancel: ['SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED'],
  pause: ['SCHEDULED', 'RUNNING'],
  retry: ['FAILED', 'CRASHED', 'CANCELLED'],
  delete: null,
}

const BECOMES: Record<BulkChange, readonly StateType[]> = {
  cancel: ['CANCELLED', 'CANCELLING'],
  pause: ['PAUSED'],
  retry: ['SCHEDULED'],
  delete: [],
}

/** The states in which a run is changed; null: any. */
export function changedStates(change: BulkChange): readonly StateType[] | null {
  return ONLY[change]
}

/** The change came about since it was asked for: a step that is repeated must not do it again. */
export function isChanged(run: FlowRunRecord, { change, since }: ChangeOrder): boolean {
  return run.states.some(
    ({ type, timestamp }) =>
      BECOMES[change].includes(type) && (parseTimestamp(timestamp) ?? 0) >= since,
  )
}

/** What is proposed to a run; a text says why the run is left as it is. */
export function proposalOf(run: FlowRunRecord, order: ChangeOrder): SetState | string {
  const { change } = order
  const type = run.state_type
  const only = ONLY[change]
  if (only !== null && (type === null || !only.includes(type))) {
    return `it is ${run.state_name ?? 'without a state'}`
  }
  if (change === 'cancel') {
    return { state: { type: 'CANCELLING', message: 'Cancelled with others.' } }
  }
  if (change === 'retry') {
    return { state: { type: 'SCHEDULED', name: 'AwaitingRetry', message: 'Retried with others.' } }
  }
  return pauseOf(run, order)
}

/** A run that has not begun waits as a suspended one does: Prefect's rules pause running ones only, so that is forced. */
function pauseOf(run: FlowRunRecord, { timeout }: ChangeOrder): SetState | string {
  if (run.deployment_id === null) {
    return 'it has no deployment, so nothing could start it again'
  }
  const waits = run.state_type === 'SCHEDULED'
  if (waits && run.empirical_policy.retry_type === 'in_process') {
    return 'it waits for its retry inside its process'
  }
  return {
    state: {
      type: 'PAUSED',
      name: 'Suspended',
      message: 'Paused with others.',
      state_details: { pause_reschedule: true, pause_timeout: timeout },
    },
    ...(waits ? { force: true } : {}),
  }
}

/** When a run goes on that was paused before its time: not before that. Null: at once. */
export function resumeTime(run: FlowRunRecord, now: Micros): string | null {
  const due = parseTimestamp(run.expected_start_time ?? '')
  return run.run_count > 0 || due === undefined || due <= now ? null : run.expected_start_time
}
