import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp } from '#core/time.ts'
import type { State, StateType } from '#core/wire/state.ts'
import type { Slot } from './admission.ts'
import { isTerminalType, type FlowRunRecord, type ProposedState } from './flow-run.ts'
import { isPersisted, waitUntilDue, type Rule, type Verdict } from './transition.ts'

/** What the rules must know beyond the run; its home knows it. */
export interface FlowRunFacts {
  /** Whether a slot is free for the run: asked only when a run that no agent claimed becomes PENDING. */
  slot: () => Slot
  /** Of the deployment's limit alone, when the run's lease has ended before it began. */
  deploymentSlot: () => Slot
  /** Makes a lease of the slot for the run and returns its id; null where its deployment has no limit. */
  newLease: () => string | null
  /** Whether the lease that the run began with has ended and must be replaced. */
  leaseLost: boolean
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

/** Clients send the id of the lease as null: it is ours to keep. */
const preserveLease: FlowRunRule = {
  name: 'PreserveDeploymentConcurrencyLeaseId',
  from: 'any',
  to: 'any',
  judge: ({ from, to }) =>
    withLease(to, to.state_details.deployment_concurrency_lease_id ?? leaseOf(from)),
}

function leaseOf(state: State | null): string | null {
  return state?.state_details.deployment_concurrency_lease_id ?? null
}

function withLease(to: ProposedState, id: string | null) {
  return id === null
    ? undefined
    : {
        kind: 'continue' as const,
        to: { ...to, state_details: { ...to.state_details, deployment_concurrency_lease_id: id } },
      }
}

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
      const scheduledTime = from.state_details.scheduled_time ?? to.state_details.scheduled_time
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

/** While its infrastructure was being started the run may have lost its slot: it goes on only with another. */
const validateLease: FlowRunRule = {
  name: 'ValidateDeploymentConcurrencyAtRunning',
  from: ['PENDING'],
  to: ['RUNNING'],
  judge: ({ from, to }, facts) => {
    if (leaseOf(from) === null) {
      return undefined
    }
    if (!facts.leaseLost) {
      return withLease(to, leaseOf(from))
    }
    return facts.deploymentSlot().free
      ? withLease(to, facts.newLease())
      : reject(
          'Deployment concurrency limit reached after lease expiry.',
          cancelled(
            'The run lost its slot of the deployment while it was being started, and no other is free.',
          ),
        )
  },
}

/** For runs that Prefect's worker takes; an agent's claim is admitted before it comes here. */
const secureSlot: FlowRunRule = {
  name: 'SecureFlowConcurrencySlots',
  from: [null, 'SCHEDULED', 'PAUSED', 'FAILED', 'CRASHED', 'COMPLETED'],
  to: ['PENDING'],
  judge: ({ run, to, now }, facts) => {
    const slot = facts.slot()
    if (slot.free) {
      const { deployment_concurrency_lease_id: _old, ...details } = to.state_details
      const fresh = { ...to, state_details: details }
      return withLease(fresh, facts.newLease()) ?? { kind: 'continue', to: fresh }
    }
    if (slot.never === true) {
      return abort(
        'The deployment concurrency limit is 0. The flow will deadlock if submitted again.',
      )
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
  judge: ({ run, from, to, now }) => {
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
          // It waits in its process, which goes on renewing.
          ...(leaseOf(from) === null ? {} : { deployment_concurrency_lease_id: leaseOf(from) }),
        },
      },
    }
  },
}

/** The ordered list of Prefect's CoreFlowPolicy (contract 3.3). A state changes only through one of these two lists. */
export const coreFlowPolicy: readonly FlowRunRule[] = [
  preserveLease,
  preventDuplicateTransitions,
  handleTerminalStates,
  enforceCancelled,
  cancelWithoutInfrastructure,
  preventPending,
  validateLease,
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
  preserveLease,
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
