import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp } from '#core/time.ts'
import type { StateType } from '#core/wire/state.ts'
import { isTerminalType, type FlowRunRecord, type ProposedState } from './flow-run.ts'
import { isPersisted, waitUntilDue, type Rule, type Verdict } from './transition.ts'

/** What the rules must know beyond the run; its home knows it. */
export interface FlowRunFacts {
  /** Whether a slot is free for the run: asked only when a run that no agent claimed becomes PENDING. */
  slot: () => { free: true } | { free: false; strategy: 'ENQUEUE' | 'CANCEL_NEW'; rule: string }
  /** An id for a pause that names no key. */
  newKey: () => string
}

type FlowRunRule = Rule<FlowRunRecord, FlowRunFacts>

const reject = (reason: string, state: ProposedState | null = null): Verdict => ({
  kind: 'reject',
  state,
  reason,
})
const abort = (reason: string): Verdict => ({ kind: 'abort', reason })
const cancelled = (message: string): ProposedState => ({
  type: 'CANCELLED',
  name: 'Cancelled',
  message,
  data: null,
  state_details: {},
})

const RESULT_LOSS =
  'Cannot overwrite a COMPLETED state that carries persisted result data with one that does not.'

const TERMINAL_TYPES: StateType[] = ['COMPLETED', 'CANCELLED', 'FAILED', 'CRASHED']

/** A run that found no slot is tried again by Prefect's worker after this time, as in Prefect. */
const SLOT_WAIT_MICROS = 30 * MICROS_PER_SECOND

const preventDuplicateTransitions: FlowRunRule = {
  name: 'PreventDuplicateTransitions',
  from: 'any',
  to: 'any',
  judge: ({ from, to }) => {
    const id = to.state_details.transition_id
    return id && id === from?.state_details.transition_id
      ? reject('This run has already made this state transition.')
      : undefined
  },
}

const handleTerminalStates: FlowRunRule = {
  name: 'HandleFlowTerminalStateTransitions',
  from: TERMINAL_TYPES,
  to: 'any',
  judge: ({ run, from, to }) => {
    if (from === null) {
      return undefined
    }
    if (to.type === 'CANCELLING' || to.type === 'PAUSED' || to.type === 'CRASHED') {
      return abort(`Run is already in terminal state ${from.type}.`)
    }
    if (from.type === 'COMPLETED' && isPersisted(from.data)) {
      if (!isTerminalType(to.type)) {
        return reject('Run is already COMPLETED.')
      }
      if (to.type === 'COMPLETED' && !isPersisted(to.data)) {
        return reject(RESULT_LOSS)
      }
    }
    if (isTerminalType(to.type)) {
      return undefined
    }
    if (to.type === 'SCHEDULED' && run.deployment_id === null) {
      return abort('Cannot reschedule a run without an associated deployment.')
    }
    return {
      kind: 'continue',
      run: {
        ...run,
        empirical_policy: {
          ...run.empirical_policy,
          resuming: false,
          pause_keys: [],
          retry_type: to.type === 'SCHEDULED' ? 'reschedule' : null,
        },
      },
    }
  },
}

const enforceCancelled: FlowRunRule = {
  name: 'EnforceCancellingToCancelledTransition',
  from: ['CANCELLING'],
  to: 'any',
  judge: ({ to }) =>
    to.type === 'CANCELLED'
      ? undefined
      : reject('Cannot transition flows that are cancelling to a state other than Cancelled.'),
}

const cancelWithoutInfrastructure: FlowRunRule = {
  name: 'BypassCancellingFlowRunsWithNoInfra',
  from: ['SCHEDULED', 'PAUSED'],
  to: ['CANCELLING'],
  judge: ({ run, from, to }) => {
    const waits =
      from?.type === 'SCHEDULED' && (run.infrastructure_pid === null || from.name === 'Resuming')
    const suspended = from?.type === 'PAUSED' && from.state_details.pause_reschedule === true
    return waits || suspended
      ? reject(
          `${waits ? 'Scheduled' : 'Suspended'} flow run has no infrastructure to terminate.`,
          cancelled(to.message ?? 'Cancelled before it started.'),
        )
      : undefined
  },
}

const preventPending: FlowRunRule = {
  name: 'PreventPendingTransitions',
  from: ['PENDING', 'CANCELLING', 'RUNNING', 'CANCELLED'],
  to: ['PENDING'],
  judge: ({ from, to }) => {
    if (from?.type === 'PENDING' && from.name !== to.name && to.name !== 'Pending') {
      const scheduledTime = to.state_details.scheduled_time ?? from.state_details.scheduled_time
      return {
        kind: 'continue',
        to: { ...to, state_details: { ...to.state_details, scheduled_time: scheduledTime } },
      }
    }
    return abort(
      `This run is in a ${String(from?.type)} state and cannot transition to a PENDING state.`,
    )
  },
}

/** For runs that Prefect's worker takes; an agent's claim is admitted before it comes here. */
const secureSlot: FlowRunRule = {
  name: 'SecureFlowConcurrencySlots',
  from: [null, 'SCHEDULED', 'PAUSED', 'FAILED', 'CRASHED', 'COMPLETED'],
  to: ['PENDING'],
  judge: ({ run, now }, facts) => {
    const slot = facts.slot()
    if (slot.free) {
      return undefined
    }
    if (slot.strategy === 'CANCEL_NEW') {
      return reject(slot.rule, cancelled(slot.rule))
    }
    return reject(slot.rule, {
      type: 'SCHEDULED',
      name: 'AwaitingConcurrencySlot',
      message: slot.rule,
      data: null,
      state_details: {
        scheduled_time: formatTimestamp(now + SLOT_WAIT_MICROS),
        flow_run_id: run.id,
      },
    })
  },
}

const onlyScheduledIsLate: FlowRunRule = {
  name: 'EnsureOnlyScheduledFlowsMarkedLate',
  from: 'any',
  to: ['SCHEDULED'],
  judge: ({ from, to }) => {
    if (to.name !== 'Late' || from === null) {
      return undefined
    }
    if (from.type !== 'SCHEDULED') {
      return reject('Only scheduled flows can be marked late.')
    }
    return from.name === 'Late' ? reject('This flow run is already marked late.') : undefined
  },
}

const handlePausing: FlowRunRule = {
  name: 'HandlePausingFlows',
  from: 'any',
  to: ['PAUSED'],
  judge: ({ run, from, to }, facts) => {
    const verb = to.name === 'Suspended' ? 'suspend' : 'pause'
    if (from === null) {
      return abort(`Cannot ${verb} flows with no state.`)
    }
    if (from.type !== 'RUNNING') {
      return reject(`Cannot ${verb} flows that are not currently running.`)
    }
    const key = to.state_details.pause_key ?? facts.newKey()
    const fired = run.empirical_policy.pause_keys ?? []
    if (fired.includes(key)) {
      return reject(`This ${verb} has already fired.`)
    }
    if (to.state_details.pause_reschedule === true) {
      if (run.parent_task_run_id !== null) {
        return abort('Cannot suspend subflows.')
      }
      if (run.deployment_id === null) {
        return abort('Cannot suspend flows without a deployment.')
      }
    }
    return {
      kind: 'continue',
      run: {
        ...run,
        empirical_policy: { ...run.empirical_policy, pause_keys: [...fired, key] },
      },
    }
  },
}

const handleResuming: FlowRunRule = {
  name: 'HandleResumingPausedFlows',
  from: ['PAUSED'],
  to: 'any',
  judge: ({ run, from, to, now }) => {
    if (to.type !== 'RUNNING' && to.type !== 'SCHEDULED' && !isTerminalType(to.type)) {
      // CANCELLING of a blocking pause reaches the process that waits.
      return to.type === 'CANCELLING'
        ? undefined
        : reject(`This run is paused and cannot transition to a ${to.type} state.`)
    }
    if (isTerminalType(to.type)) {
      return undefined
    }
    if (from?.state_details.pause_reschedule === true && run.deployment_id === null) {
      return reject('Cannot reschedule a paused flow run without a deployment.')
    }
    const timeout = from?.state_details.pause_timeout
    if (timeout && (parseTimestamp(timeout) ?? now) < now) {
      return reject('The flow run pause has timed out and can no longer resume.', {
        type: 'FAILED',
        name: 'Failed',
        message: 'The flow was paused and never resumed.',
        data: null,
        state_details: {},
      })
    }
    return {
      kind: 'continue',
      run: { ...run, empirical_policy: { ...run.empirical_policy, resuming: true } },
    }
  },
}

const copyScheduledTime: FlowRunRule = {
  name: 'CopyScheduledTime',
  from: ['SCHEDULED'],
  to: ['PENDING'],
  judge: ({ from, to }) =>
    to.state_details.scheduled_time
      ? undefined
      : {
          kind: 'continue',
          to: {
            ...to,
            state_details: {
              ...to.state_details,
              scheduled_time: from?.state_details.scheduled_time ?? null,
            },
          },
        },
}

const waitForScheduledTime: FlowRunRule = {
  name: 'WaitForScheduledTime',
  from: ['SCHEDULED', 'PENDING'],
  to: ['RUNNING'],
  judge: ({ from, now }) => waitUntilDue(from, now),
}

const retryFailed: FlowRunRule = {
  name: 'RetryFailedFlows',
  from: ['RUNNING'],
  to: ['FAILED'],
  judge: ({ run, to, now }) => {
    const policy = run.empirical_policy
    if (policy.retries === null || run.run_count > policy.retries) {
      return {
        kind: 'continue',
        run: { ...run, empirical_policy: { ...policy, retry_type: null } },
      }
    }
    return {
      kind: 'reject',
      reason: 'Retrying',
      state: {
        type: 'SCHEDULED',
        name: 'AwaitingRetry',
        message: to.message,
        data: to.data,
        state_details: {
          scheduled_time: formatTimestamp(now + (policy.retry_delay ?? 0) * MICROS_PER_SECOND),
        },
      },
    }
  },
}

/** The ordered list of Prefect's CoreFlowPolicy (contract 3.3). A state changes only through one of these two lists. */
export const coreFlowPolicy: readonly FlowRunRule[] = [
  preventDuplicateTransitions,
  handleTerminalStates,
  enforceCancelled,
  cancelWithoutInfrastructure,
  preventPending,
  secureSlot,
  onlyScheduledIsLate,
  handlePausing,
  handleResuming,
  copyScheduledTime,
  waitForScheduledTime,
  retryFailed,
]

const preventResultLoss: FlowRunRule = {
  name: 'PreventResultDataLoss',
  from: ['COMPLETED'],
  to: ['COMPLETED'],
  judge: ({ from, to }) =>
    isPersisted(from?.data ?? null) && !isPersisted(to.data) ? reject(RESULT_LOSS) : undefined,
}

/** With `force`: MinimalFlowPolicy. */
export const minimalFlowPolicy: readonly FlowRunRule[] = [
  preventResultLoss,
  cancelWithoutInfrastructure,
]

/** After a rejection that reschedules a retry, the engine itself runs the run again: no worker may pick it up. */
export function policyAfterVerdict(run: FlowRunRecord, verdict: Verdict): FlowRunRecord {
  const retries = verdict.kind === 'reject' && verdict.state?.name === 'AwaitingRetry'
  return retries
    ? {
        ...run,
        empirical_policy: {
          ...run.empirical_policy,
          resuming: false,
          pause_keys: [],
          retry_type: 'in_process',
        },
      }
    : run
}
