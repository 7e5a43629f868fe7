import * as z from 'zod'
import { json, labels, tags, timestamp } from '#core/wire/common.ts'
import type { Event } from '#core/wire/event.ts'
import { stateDetails, stateType, type State } from '#core/wire/state.ts'
import { taskInputs, taskRunPolicy } from '#core/wire/task-run.ts'
import { isUuid } from '#core/uuid.ts'
import {
  DEFAULT_TASK_POLICY,
  compareStates,
  newTaskRun,
  replayStates,
  withStates,
  type TaskRunRecord,
} from './task-run.ts'

/** A task run's state as its client reported it, with the task run as it was then. */
export interface TaskRunEvent {
  task_run_id: string
  flow_run_id: string | null
  state: State
  task_run: ReportedTaskRun
}

// What older and newer clients send differs: what is not known is left out, what is missing gets its default.
const reportedTaskRun = z.object({
  name: z.string(),
  task_key: z.string(),
  dynamic_key: z.string(),
  cache_key: z.string().nullish(),
  cache_expiration: timestamp.nullish(),
  task_version: z.string().nullish(),
  empirical_policy: taskRunPolicy.nullish(),
  tags: tags.nullish(),
  labels: labels.nullish(),
  // What fed a task run is no reason to lose it.
  task_inputs: taskInputs.nullish().catch(null),
  run_count: z.int().nullish(),
  flow_run_run_count: z.int().nullish(),
  start_time: timestamp.nullish(),
  end_time: timestamp.nullish(),
  expected_start_time: timestamp.nullish(),
  next_scheduled_start_time: timestamp.nullish(),
  total_run_time: z.number().nullish(),
})
type ReportedTaskRun = z.infer<typeof reportedTaskRun>

const payload = z.object({
  validated_state: z.object({
    type: stateType,
    name: z.string().nullish(),
    message: z.string().nullish(),
    data: json.nullish(),
    state_details: stateDetails.nullish(),
  }),
  task_run: reportedTaskRun,
})

const TASK_RUN = 'prefect.task-run.'
const FLOW_RUN = 'prefect.flow-run.'

/**
 * Reads the event by which a client reports a task run's state (contract 3.7).
 * @returns undefined for any other event, and for one that lacks what a task run needs
 */
export function readTaskRunEvent(event: Event): TaskRunEvent | undefined {
  const resourceId = event.resource['prefect.resource.id'] ?? ''
  const taskRunId = resourceId.slice(TASK_RUN.length).toLowerCase()
  if (
    !resourceId.startsWith(TASK_RUN) ||
    !event.event.startsWith(TASK_RUN) ||
    event.resource['prefect.orchestration'] !== 'client' ||
    !isUuid(taskRunId)
  ) {
    return undefined
  }
  const parsed = payload.safeParse(event.payload)
  if (!parsed.success) {
    return undefined
  }
  const { validated_state: reported, task_run } = parsed.data
  const flowRunId = flowRunIdOf(event)
  return {
    task_run_id: taskRunId,
    flow_run_id: flowRunId,
    task_run,
    state: {
      id: event.id,
      type: reported.type,
      name: reported.name ?? event.event.slice(TASK_RUN.length),
      timestamp: event.occurred,
      message: reported.message ?? null,
      data: reported.data ?? null,
      state_details: {
        ...reported.state_details,
        flow_run_id: flowRunId,
        task_run_id: taskRunId,
      },
    },
  }
}

/** The flow run that an event is about: its resource, or what is related to it in the role `flow-run`. */
export function flowRunIdOf(event: Event): string | null {
  const related = (event.related ?? []).find(
    (resource) => resource['prefect.resource.role'] === 'flow-run',
  )
  const ids = [event.resource['prefect.resource.id'], related?.['prefect.resource.id']]
  for (const id of ids) {
    const flowRunId = id?.startsWith(FLOW_RUN) ? id.slice(FLOW_RUN.length).toLowerCase() : ''
    if (isUuid(flowRunId)) {
      return flowRunId
    }
  }
  return null
}

/**
 * Records a reported state. The result depends on which states were reported, not on the order in which they arrived: the
 * row shows the newest one, and the task run as it was then; states are kept in the order of their times.
 * @param run the row of that task run, if there is one; it may stand under another id with the same natural key
 * @param now the time of the record, as text
 * @returns undefined when nothing changes: the state is known, or the task run was deleted
 */
export function recordTaskRun(
  run: TaskRunRecord | undefined,
  event: TaskRunEvent,
  now: string,
): TaskRunRecord | undefined {
  if (run === undefined) {
    return withStates(firstRecord(event, now), [event.state])
  }
  if (run.deleted || run.states.some((state) => state.id === event.state.id)) {
    return undefined
  }
  const own = {
    ...event.state,
    state_details: { ...event.state.state_details, task_run_id: run.id },
  }
  const states = [...run.states, own].toSorted(compareStates)
  const isNewest = states.at(-1) === own
  return {
    ...withStates(isNewest ? { ...run, ...reportedColumns(event) } : run, states),
    seq: run.seq + 1,
    updated: now,
  }
}

/**
 * Copies a subflow's states to the task run that stands for it in its parent (contract 3.5). Like events, they may come late
 * and more than once.
 * @returns undefined when nothing changes
 */
export function linkSubflowStates(
  run: TaskRunRecord,
  childFlowRunId: string,
  reported: readonly State[],
  now: string,
): TaskRunRecord | undefined {
  const known = new Set(run.states.map((state) => state.id))
  const added = reported
    .filter((state) => !known.has(state.id))
    .map((state) => ({
      ...state,
      state_details: {
        ...state.state_details,
        flow_run_id: run.flow_run_id,
        task_run_id: run.id,
        child_flow_run_id: childFlowRunId,
      },
    }))
  if (run.deleted || added.length === 0) {
    return undefined
  }
  const states = [...run.states, ...added].toSorted(compareStates)
  return { ...replayStates(run, states), seq: run.seq + 1, updated: now }
}

/**
 * Joins what was recorded here, while nobody looked into the store, with the row that the store has: under the store's id,
 * since that one is known.
 */
export function mergeTaskRuns(stored: TaskRunRecord, local: TaskRunRecord): TaskRunRecord {
  if (stored.deleted) {
    return stored.seq >= local.seq || !local.deleted ? stored : local
  }
  const known = new Set(stored.states.map((state) => state.id))
  const added = local.states.filter((state) => !known.has(state.id))
  if (added.length === 0 && !local.deleted) {
    return stored.seq >= local.seq ? stored : { ...local, id: stored.id, created: stored.created }
  }
  const states = [...stored.states, ...added].toSorted(compareStates)
  const newest = states.at(-1)
  const newer = newest !== undefined && added.includes(newest) ? local : stored
  return {
    ...withStates(newer, states),
    id: stored.id,
    created: stored.created,
    updated: local.updated,
    deleted: local.deleted,
    seq: Math.max(stored.seq, local.seq) + 1,
  }
}

function firstRecord(event: TaskRunEvent, now: string): TaskRunRecord {
  const { task_run, flow_run_id, task_run_id } = event
  const create = { task_key: task_run.task_key, dynamic_key: task_run.dynamic_key, flow_run_id }
  return {
    ...newTaskRun(create, task_run_id, task_run.name, 0),
    created: now,
    updated: now,
    ...reportedColumns(event),
  }
}

function reportedColumns({ task_run: reported }: TaskRunEvent) {
  return {
    name: reported.name,
    task_key: reported.task_key,
    dynamic_key: reported.dynamic_key,
    cache_key: reported.cache_key ?? null,
    cache_expiration: reported.cache_expiration ?? null,
    task_version: reported.task_version ?? null,
    empirical_policy: { ...DEFAULT_TASK_POLICY, ...reported.empirical_policy },
    tags: reported.tags ?? [],
    labels: reported.labels ?? {},
    task_inputs: reported.task_inputs ?? {},
    run_count: reported.run_count ?? 0,
    flow_run_run_count: reported.flow_run_run_count ?? 0,
    start_time: reported.start_time ?? null,
    end_time: reported.end_time ?? null,
    expected_start_time: reported.expected_start_time ?? null,
    next_scheduled_start_time: reported.next_scheduled_start_time ?? null,
    total_run_time: reported.total_run_time ?? 0,
  }
}
