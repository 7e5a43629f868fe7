import { formatTimestamp, MICROS_PER_SECOND } from '#core/time.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import type { State, StateType } from '#core/wire/state.ts'
import { spreadWait } from './concurrency.ts'
import { isTerminalType, type ProposedState } from './flow-run.ts'
import type { TaskRunRecord } from './task-run.ts'
import { isPersisted, waitUntilDue, type Rule, type Verdict } from './transition.ts'

/** What the rules must know beyond the task run, when it wants to run. */
export interface TaskRunFacts {
  /** That it belongs to; null: to none that is there. */
  flowRun: Pick<FlowRun, 'id' | 'state' | 'run_count'> | null
  /** What an earlier one completed with under the same cache key. */
  cached: State | null
  /** What came of asking for slots of its tags' limits. */
  slots:
    | { kind: 'acquired' }
    | { kind: 'zero'; tag: string }
    | { kind: 'full'; tags: string[]; average_seconds: number }
}

/** As little as the rules for other proposals than RUNNING look at. */
export const NO_FACTS: TaskRunFacts = { flowRun: null, cached: null, slots: { kind: 'acquired' } }

type TaskRunRule = Rule<
  TaskRunRecord,
  TaskRunFacts & {
    /** A number of [0, 1), for the jitter of waits and retries. */
    random: number
  }
>

const reject = (reason: string, state: ProposedState | null = null): Verdict => ({
  kind: 'reject',
  state,
  reason,
})

const TERMINAL_TYPES: StateType[] = ['COMPLETED', 'CANCELLED', 'FAILED', 'CRASHED']

const preventPending: TaskRunRule = {
  name: 'PreventPendingTransitions',
  from: ['PENDING', 'CANCELLING', 'RUNNING', 'CANCELLED'],
  to: ['PENDING'],
  judge: ({ from, to }) =>
    from?.type === 'PENDING' && from.name !== to.name && to.name !== 'Pending'
      ? {
          kind: 'continue',
          to: {
            ...to,
            state_details: {
              ...to.state_details,
              scheduled_time: from.state_details.scheduled_time ?? null,
            },
          },
        }
      : {
          kind: 'abort',
          reason: `This run is in a ${String(from?.type)} state and cannot transition to a PENDING state.`,
        },
}

const retrieveCached: TaskRunRule = {
  name: 'CacheRetrieval',
  from: 'any',
  to: ['RUNNING'],
  judge: (_transition, { cached }) =>
    cached === null
      ? undefined
      : reject('Retrieved state from cache', {
          type: cached.type,
          name: 'Cached',
          message: cached.message,
          data: cached.data,
          state_details: cached.state_details,
        }),
}

const handleTerminalStates: TaskRunRule = {
  name: 'HandleTaskTerminalStateTransitions',
  from: TERMINAL_TYPES,
  to: 'any',
  judge: ({ run, from, to }, { flowRun }) => {
    if (to.type === 'CANCELLING' || to.type === 'PAUSED' || to.type === 'CRASHED') {
      return { kind: 'abort', reason: `Run is already in terminal state ${String(from?.type)}.` }
    }
    if (from?.type === 'COMPLETED' && isPersisted(from.data)) {
      return reject('This run is already completed.')
    }
    if (isTerminalType(to.type)) {
      return undefined
    }
    const again = to.type === 'RUNNING' && run.flow_run_run_count < (flowRun?.run_count ?? 0)
    return {
      kind: 'continue',
      run: { ...run, run_count: 0 },
      to: again ? { ...to, name: 'Retrying' } : to,
    }
  },
}

const NOT_RUNNING = 'The enclosing flow must be running to begin task execution.'

const stayWithFlow: TaskRunRule = {
  name: 'PreventRunningTasksFromStoppedFlows',
  from: 'any',
  to: ['RUNNING'],
  judge: (_transition, { flowRun }) => {
    if (flowRun === null || flowRun.state?.type === 'RUNNING') {
      return undefined
    }
    if (flowRun.state?.type !== 'PAUSED') {
      return { kind: 'abort', reason: NOT_RUNNING }
    }
    const { pause_timeout = null, pause_reschedule = false } = flowRun.state.state_details
    return reject(
      `The flow is paused, new tasks can execute after resuming flow run: ${flowRun.id}.`,
      {
        type: 'PAUSED',
        name: 'NotReady',
        message: null,
        data: null,
        state_details: { pause_timeout, pause_reschedule },
      },
    )
  },
}

const secureSlots: TaskRunRule = {
  name: 'SecureTaskConcurrencySlots',
  from: 'any',
  to: ['RUNNING'],
  judge: (_transition, { slots, random }) => {
    switch (slots.kind) {
      case 'acquired':
        return undefined
      case 'zero':
        return {
          kind: 'abort',
          reason: `The concurrency limit on tag "${slots.tag}" is 0 and will deadlock if the task tries to run again.`,
        }
      default:
        return {
          kind: 'wait',
          delaySeconds: Math.round(spreadWait(slots.average_seconds, random)),
          reason: `Concurrency limit reached for tags: ${slots.tags.join(', ')}`,
        }
    }
  },
}

const followFlowRun: TaskRunRule = {
  name: 'UpdateFlowRunTrackerOnTasks',
  from: 'any',
  to: ['RUNNING'],
  judge: ({ run }, { flowRun }) =>
    flowRun === null
      ? undefined
      : { kind: 'continue', run: { ...run, flow_run_run_count: flowRun.run_count } },
}

const copyScheduledTime: TaskRunRule = {
  name: 'CopyScheduledTime',
  from: ['SCHEDULED'],
  to: ['PENDING'],
  judge: ({ from, to }) => {
    const details = to.state_details
    const scheduledTime = details.scheduled_time ?? from?.state_details.scheduled_time ?? null
    return {
      kind: 'continue',
      to: { ...to, state_details: { ...details, scheduled_time: scheduledTime } },
    }
  },
}

const waitForScheduledTime: TaskRunRule = {
  name: 'WaitForScheduledTime',
  from: ['SCHEDULED', 'PENDING'],
  to: ['RUNNING'],
  judge: ({ from, now }) => waitUntilDue(from, now),
}

const retryFailed: TaskRunRule = {
  name: 'RetryFailedTasks',
  from: ['RUNNING'],
  to: ['FAILED'],
  judge: ({ run, to, now }, { random }) => {
    const { retries, retry_delay, retry_jitter_factor } = run.empirical_policy
    if (
      retries === null ||
      retries === undefined ||
      run.run_count > retries ||
      to.state_details.retriable === false
    ) {
      return undefined
    }
    const delays = Array.isArray(retry_delay) ? retry_delay : [retry_delay ?? 0]
    const delay = delays[Math.min(run.run_count, delays.length) - 1] ?? delays[0] ?? 0
    const seconds = delay * (1 + (retry_jitter_factor ?? 0) * random)
    return reject('Retrying', {
      type: 'SCHEDULED',
      name: 'AwaitingRetry',
      message: to.message,
      data: to.data,
      state_details: {
        scheduled_time: formatTimestamp(now + Math.round(seconds * MICROS_PER_SECOND)),
      },
    })
  },
}

const renameReruns: TaskRunRule = {
  name: 'RenameReruns',
  from: 'any',
  to: ['RUNNING'],
  judge: ({ run, from, to }) =>
    run.run_count > 0
      ? {
          kind: 'continue',
          to: { ...to, name: from?.name === 'AwaitingRetry' ? 'Retrying' : 'Rerunning' },
        }
      : undefined,
}

const MAX_CACHE_KEY = 2000

const limitCacheKey: TaskRunRule = {
  name: 'CacheInsertion',
  from: 'any',
  to: ['COMPLETED'],
  judge: ({ to }) =>
    (to.state_details.cache_key ?? '').length > MAX_CACHE_KEY
      ? reject(`Cache key exceeded maximum allowed length of ${MAX_CACHE_KEY} characters.`)
      : undefined,
}

const copyParametersId: TaskRunRule = {
  name: 'CopyTaskParametersID',
  from: ['SCHEDULED', 'PENDING'],
  to: ['PENDING', 'RUNNING'],
  judge: ({ from, to }) => {
    const id = from?.state_details.task_parameters_id
    return id && !to.state_details.task_parameters_id
      ? {
          kind: 'continue',
          to: { ...to, state_details: { ...to.state_details, task_parameters_id: id } },
        }
      : undefined
  },
}

/** The ordered list of Prefect's CoreTaskPolicy (contract 3.4). Slots are given back once a state is written. */
const coreTaskPolicy: readonly TaskRunRule[] = [
  retrieveCached,
  handleTerminalStates,
  stayWithFlow,
  secureSlots,
  copyScheduledTime,
  waitForScheduledTime,
  retryFailed,
  renameReruns,
  followFlowRun,
  limitCacheKey,
]

/** Deferred task runs, which task servers pick up: only one of them may make the run PENDING. */
const backgroundTaskPolicy: readonly TaskRunRule[] = [
  preventPending,
  retrieveCached,
  handleTerminalStates,
  copyScheduledTime,
  copyParametersId,
  waitForScheduledTime,
  retryFailed,
  renameReruns,
  followFlowRun,
  limitCacheKey,
]

/** The rules for a proposal. `force` asks for none of them, but deferred task runs keep theirs. */
export function taskPolicy(to: ProposedState, force: boolean): readonly TaskRunRule[] {
  if (to.state_details.deferred === true) {
    return backgroundTaskPolicy
  }
  return force ? [] : coreTaskPolicy
}
