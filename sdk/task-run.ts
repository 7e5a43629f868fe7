import type { Json } from '../core/wire/common.ts'
import type { StateType } from '../core/wire/state.ts'
import type { TaskRun } from '../core/wire/task-run.ts'
import { defaultStateName, isTerminal } from '../core/state.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '../core/time.ts'
import { newId, nowMicros } from './clock.ts'

/** A state that a task run was in. */
export interface TaskRunState {
  id: string
  type: StateType
  name: string
  message: string
  time: Micros
  /** When a SCHEDULED state is due. */
  scheduledTime: Micros | undefined
}

/** What fed a parameter of a task run, as the run graph draws it. */
export type TaskInputs = TaskRun['task_inputs']

/** A task run as the engine keeps it; it alone decides the run's states and reports each as an event. */
export interface TaskRunRecord {
  id: string
  name: string
  flowRunId: string | undefined
  flowRunRunCount: number
  taskKey: string
  dynamicKey: string
  taskVersion: string | undefined
  tags: string[]
  taskInputs: TaskInputs
  policy: {
    retries: number
    retry_delay: number | number[] | null
    retry_jitter_factor: number | null
  }
  state: TaskRunState
  runCount: number
  startTime: Micros | undefined
  endTime: Micros | undefined
  expectedStartTime: Micros
  /** Microseconds in RUNNING states that have ended. */
  totalRunTime: Micros
}

/** Makes a state with an id and a time of its own. */
export function taskRunState(
  type: StateType,
  fields: { name?: string; message?: string; scheduledTime?: Micros } = {},
): TaskRunState {
  return {
    id: newId(),
    type,
    name: fields.name ?? defaultStateName(type),
    message: fields.message ?? '',
    time: nowMicros(),
    scheduledTime: fields.scheduledTime,
  }
}

/** Moves the record into a state and keeps its counts and times as Prefect's engine does. */
export function enterState(record: TaskRunRecord, state: TaskRunState): void {
  if (record.state.type === 'RUNNING') {
    record.totalRunTime += state.time - record.state.time
  }
  if (state.type === 'RUNNING') {
    record.runCount += 1
    record.startTime ??= state.time
  }
  if (isTerminal(state.type) && record.startTime !== undefined) {
    record.endTime ??= state.time
  }
  record.state = state
}

/** The record as an event's payload carries it: Prefect's TaskRun without what is null and without what the server derives. */
export function toTaskRunPayload(record: TaskRunRecord): Record<string, Json> {
  return withoutUndefined({
    name: record.name,
    task_key: record.taskKey,
    dynamic_key: record.dynamicKey,
    task_version: record.taskVersion,
    empirical_policy: {
      max_retries: 0,
      retry_delay_seconds: 0,
      ...withoutNull(record.policy),
    },
    tags: record.tags,
    labels: {},
    task_inputs: record.taskInputs,
    run_count: record.runCount,
    flow_run_run_count: record.flowRunRunCount,
    expected_start_time: formatTimestamp(record.expectedStartTime),
    next_scheduled_start_time: optionalTime(record.state.scheduledTime),
    start_time: optionalTime(record.startTime),
    end_time: optionalTime(record.endTime),
    total_run_time: record.totalRunTime / MICROS_PER_SECOND,
  })
}

function optionalTime(time: Micros | undefined): string | undefined {
  return time === undefined ? undefined : formatTimestamp(time)
}

function withoutUndefined(fields: Record<string, Json | undefined>): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  )
}

function withoutNull(fields: Record<string, Json>): Record<string, Json> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}
