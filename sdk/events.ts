import type { Event } from '../core/wire/event.ts'
import type { Json } from '../core/wire/common.ts'
import { formatTimestamp, MICROS_PER_SECOND } from '../core/time.ts'
import { type TaskRunRecord, type TaskRunState, toTaskRunPayload } from './task-run.ts'

export type RelatedResource = Record<string, string>

/** Longer messages are cut, as Prefect's client cuts them. */
const MAX_MESSAGE = 100_000

/** `follows` binds two events only if they are closer than this; the server waits no longer for the first. */
const TIGHT_TIMING = 5 * 60 * MICROS_PER_SECOND

/**
 * The event by which a task run's state is reported; the server records task runs from such events.
 * @param initial the state before, undefined for the first one
 * @param related what the flow run brings with it: itself, its flow, deployment, queue, pool and tags
 */
export function taskRunEvent(
  record: TaskRunRecord,
  initial: TaskRunState | undefined,
  related: RelatedResource[],
): Event {
  const { state } = record
  const tags = new Set(record.tags)
  const event: Event = {
    id: state.id,
    occurred: formatTimestamp(state.time),
    event: `prefect.task-run.${state.name}`,
    resource: {
      'prefect.resource.id': `prefect.task-run.${record.id}`,
      'prefect.resource.name': record.name,
      'prefect.run-count': String(record.runCount),
      'prefect.state-message': cut(state.message),
      'prefect.state-name': state.name,
      'prefect.state-timestamp': formatTimestamp(state.time),
      'prefect.state-type': state.type,
      'prefect.orchestration': 'client',
    },
    related: [
      ...tagResources(record.tags),
      ...related.filter((resource) => !isTagOf(resource, tags)),
    ].slice(0, 100),
    payload: {
      intended: { from: initial?.type ?? null, to: state.type },
      initial_state: initial === undefined ? null : toStatePayload(initial),
      validated_state: { ...toStatePayload(state), data: null },
      task_run: toTaskRunPayload(record),
    },
  }
  if (initial !== undefined && state.time - initial.time < TIGHT_TIMING) {
    event.follows = initial.id
  }
  return event
}

/** A related resource of an event. */
export function relatedResource(
  kind: string,
  id: string,
  name: string | null | undefined,
): RelatedResource {
  return {
    'prefect.resource.id': `prefect.${kind}.${id}`,
    'prefect.resource.role': kind,
    ...(typeof name === 'string' ? { 'prefect.resource.name': name } : {}),
  }
}

/** Tags as related resources, in order. */
export function tagResources(tags: Iterable<string>): RelatedResource[] {
  return [...tags].toSorted().map((tag) => ({
    'prefect.resource.id': `prefect.tag.${tag}`,
    'prefect.resource.role': 'tag',
  }))
}

function isTagOf(resource: RelatedResource, tags: Set<string>): boolean {
  const id = resource['prefect.resource.id'] ?? ''
  return id.startsWith('prefect.tag.') && tags.has(id.slice('prefect.tag.'.length))
}

function toStatePayload(state: TaskRunState): Record<string, Json> {
  return {
    type: state.type,
    name: state.name,
    message: cut(state.message),
    state_details:
      state.scheduledTime === undefined
        ? {}
        : { scheduled_time: formatTimestamp(state.scheduledTime) },
  }
}

function cut(message: string): string {
  return message.length > MAX_MESSAGE ? message.slice(0, MAX_MESSAGE) : message
}
