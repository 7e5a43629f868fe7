import { formatTimestamp, type Micros } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { Event } from '#core/wire/event.ts'

/** What an event can be about, beside runs: the second word of its name. */
type ObjectKind =
  | 'artifact-collection'
  | 'automation'
  | 'block-document'
  | 'block-type'
  | 'concurrency-limit'
  | 'deployment'
  | 'flow'
  | 'variable'
  | 'work-pool'
  | 'work-queue'

export interface ObjectEvent {
  kind: ObjectKind
  /** `created`, `updated`, `deleted`, `ready`, `not-ready`, `paused`, … */
  verb: string
  /** Of the object. */
  id: string
  name: string
  /** Further labels of the resource. */
  labels?: Record<string, string>
  related?: Record<string, string>[]
  payload?: JsonObject
}

/**
 * The event `prefect.<kind>.<verb>` about one object, as Prefect's server emits it.
 * @param id of the event, a UUID
 */
export function objectEvent(object: ObjectEvent, id: string, now: Micros): Event {
  return {
    id,
    occurred: formatTimestamp(now),
    event: `prefect.${object.kind}.${object.verb}`,
    resource: {
      'prefect.resource.id': `prefect.${object.kind}.${object.id}`,
      'prefect.resource.name': object.name,
      ...object.labels,
    },
    related: object.related ?? [],
    payload: object.payload ?? {},
  }
}
