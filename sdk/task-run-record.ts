import { newId } from './clock.ts'
import type { TaskJob } from './task-engine.ts'
import { collectTaskInputs } from './task-inputs.ts'
import { type TaskRunRecord, taskRunState } from './task-run.ts'

/** The record of a task run that is wanted: Pending, with a name and a key of its own. */
export function makeRecord({
  definition,
  input,
  waitFor,
  flow,
  callerTaskRunId,
}: TaskJob): TaskRunRecord {
  const state = taskRunState('PENDING')
  const count = flow?.counters.get(definition.key) ?? 0
  flow?.counters.set(definition.key, count + 1)
  const { retries = 0, retryDelaySeconds, retryJitterFactor } = definition.retry
  return {
    id: newId(),
    name: `${definition.name}-${count}`,
    flowRunId: flow?.run.id,
    flowRunRunCount: flow?.run.runCount ?? 0,
    taskKey: definition.key,
    // Each attempt of a flow makes task runs of its own.
    dynamicKey: newId(),
    taskVersion: definition.version,
    tags: [...definition.tags],
    taskInputs: {
      ...collectTaskInputs(input, waitFor),
      ...(callerTaskRunId === undefined
        ? {}
        : { __parents__: [{ input_type: 'task_run', id: callerTaskRunId }] }),
    },
    policy: {
      retries,
      retry_delay:
        retryDelaySeconds === undefined
          ? null
          : typeof retryDelaySeconds === 'number'
            ? retryDelaySeconds
            : [...retryDelaySeconds],
      retry_jitter_factor: retryJitterFactor ?? null,
    },
    state,
    runCount: 0,
    startTime: undefined,
    endTime: undefined,
    expectedStartTime: state.time,
    totalRunTime: 0,
  }
}
