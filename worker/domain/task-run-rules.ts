import { formatTimestamp, MICROS_PER_SECOND } from '#core/time.ts'
import type { StateType } from '#core/wire/state.ts'
import { isTerminalType, type ProposedState } from './flow-run.ts'
import type { TaskRunRecord } from './task-run.ts'
import { isPersisted, waitUntilDue, type Rule, type Verdict } from './transition.ts'

/** What the rules must be given beyond the task run. */
interface TaskRunFacts {
  /** A number of [0, 1), for the jitter of retries. */
  random: number
}
type TaskRunRule = Rule<TaskRunRecord, TaskRunFacts>

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
  judge: ({ from }) => ({
    kind: 'abort',
    reason: `This run is in a ${String(from?.type)} state and cannot transition to a PENDING state.`,
  }),
}

const handleTerminalStates: TaskRunRule = {
  name: 'HandleTaskTerminalStateTransitions',
  from: TERMINAL_TYPES,
  to: 'any',
  judge: ({ run, from, to }) => {
    if (to.type === 'CANCELLING' || to.type === 'PAUSED' || to.type === 'CRASHED') {
      return { kind: 'abort', reason: `Run is already in terminal state ${String(from?.type)}.` }
    }
    if (from?.type === 'COMPLETED' && isPersisted(from.data)) {
      return reject('This run is already completed.')
    }
    return isTerminalType(to.type) ? undefined : { kind: 'continue', run: { ...run, run_count: 0 } }
  },
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
    return id
      ? {
          kind: 'continue',
          to: { ...to, state_details: { ...to.state_details, task_parameters_id: id } },
        }
      : undefined
  },
}

/** The ordered list of Prefect's CoreTaskPolicy (contract 3.4), as far as a task run can be judged by itself. */
const coreTaskPolicy: readonly TaskRunRule[] = [
  handleTerminalStates,
  copyScheduledTime,
  waitForScheduledTime,
  retryFailed,
  renameReruns,
  limitCacheKey,
]

/** Deferred task runs, which task servers pick up: only one of them may make the run PENDING. */
const backgroundTaskPolicy: readonly TaskRunRule[] = [
  preventPending,
  ...coreTaskPolicy,
  copyParametersId,
]

/** The rules for a proposal. `force` asks for none of them, but deferred task runs keep theirs. */
export function taskPolicy(to: ProposedState, force: boolean): readonly TaskRunRule[] {
  if (to.state_details.deferred === true) {
    return backgroundTaskPolicy
  }
  return force ? [] : coreTaskPolicy
}
