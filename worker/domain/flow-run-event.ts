import { MICROS_PER_SECOND, parseTimestamp } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { Event, ResourceLabels } from '#core/wire/event.ts'
import type { State } from '#core/wire/state.ts'
import type { FlowRunRecord } from './flow-run.ts'

/** States further apart need no help to be brought into order. */
const FOLLOWS_MICROS = 300 * MICROS_PER_SECOND

interface Named {
  id: string
  name: string
}

/** What a run belongs to, as far as its home knows it. */
export interface FlowRunSurroundings {
  flow_name: string | null
  flow_tags: readonly string[]
  deployment_name: string | null
  deployment_tags: readonly string[]
  work_queue: Named | null
  work_pool: (Named & { type: string }) | null
}

/**
 * The event that tells of a run's state, as Prefect's server emits it: with the id and the time of the state, so that clients know
 * the one by the other. Undefined for the first state of a run that a schedule made: of those there is none, as in Prefect.
 * @param index the state's place among the run's states
 */
export function flowRunStateEvent(
  run: FlowRunRecord,
  index: number,
  surroundings: FlowRunSurroundings,
): Event | undefined {
  const state = run.states[index]
  if (state === undefined || !hasEvent(run, index)) {
    return undefined
  }
  const before = run.states[index - 1] ?? null
  return {
    id: state.id,
    occurred: state.timestamp,
    event: `prefect.flow-run.${state.name}`,
    resource: {
      'prefect.resource.id': `prefect.flow-run.${run.id}`,
      'prefect.resource.name': run.name,
      'prefect.run-count': String(runCountAt(run, index)),
      'prefect.state-message': state.message ?? '',
      'prefect.state-name': state.name,
      'prefect.state-timestamp': state.timestamp.replace('Z', '+00:00'),
      'prefect.state-type': state.type,
    },
    related: relatedResources(run, surroundings),
    payload: {
      intended: { from: before?.type ?? null, to: state.type },
      initial_state: before === null ? null : statePayload(before),
      validated_state: statePayload(state),
    },
    follows:
      before !== null && hasEvent(run, index - 1) && isClose(before, state) ? before.id : null,
  }
}

function hasEvent(run: FlowRunRecord, index: number): boolean {
  return index > 0 || !run.auto_scheduled
}

/** The run's count as it was then: a run counts the times that it began. */
function runCountAt(run: FlowRunRecord, index: number): number {
  const later = run.states.slice(index + 1).filter(({ type }) => type === 'RUNNING').length
  return Math.max(0, run.run_count - later)
}

function statePayload(state: State): JsonObject {
  return {
    type: state.type,
    name: state.name,
    ...(state.message ? { message: state.message } : {}),
    ...(state.type === 'PAUSED'
      ? { pause_reschedule: String(state.state_details.pause_reschedule ?? false) }
      : {}),
  }
}

function isClose(before: State, state: State): boolean {
  const [from, to] = [parseTimestamp(before.timestamp), parseTimestamp(state.timestamp)]
  return from !== undefined && to !== undefined && Math.abs(to - from) < FOLLOWS_MICROS
}

function relatedResources(run: FlowRunRecord, about: FlowRunSurroundings): ResourceLabels[] {
  const { work_queue, work_pool } = about
  const tags = new Set([...run.tags, ...about.flow_tags, ...about.deployment_tags])
  return [
    related('flow', run.flow_id, about.flow_name),
    ...(run.deployment_id === null
      ? []
      : [related('deployment', run.deployment_id, about.deployment_name)]),
    ...(work_queue === null ? [] : [related('work-queue', work_queue.id, work_queue.name)]),
    ...(work_pool === null
      ? []
      : [
          {
            ...related('work-pool', work_pool.id, work_pool.name),
            'prefect.work-pool.type': work_pool.type,
          },
        ]),
    ...(run.parent_task_run_id === null ? [] : [related('task-run', run.parent_task_run_id, null)]),
    ...[...tags].toSorted().map((tag) => related('tag', tag, null)),
    ...creator(run),
  ]
}

function creator({ created_by: by }: FlowRunRecord): ResourceLabels[] {
  const kind =
    by?.type === 'DEPLOYMENT' ? 'deployment' : by?.type === 'AUTOMATION' ? 'automation' : null
  return kind === null || by?.id == null
    ? []
    : [{ ...related(kind, by.id, by.display_value), 'prefect.resource.role': 'creator' }]
}

function related(kind: string, id: string, name: string | null): ResourceLabels {
  return {
    'prefect.resource.id': `prefect.${kind}.${id}`,
    'prefect.resource.role': kind,
    ...(name ? { 'prefect.resource.name': name } : {}),
  }
}
