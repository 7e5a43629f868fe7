import { formatTimestamp, MICROS_PER_DAY, type Micros } from '#core/time.ts'
import type {
  EventAnyResourceFilter,
  EventFilter,
  EventRelatedFilter,
} from '#core/wire/event-filter.ts'
import type { ReceivedEvent, ResourceLabels } from '#core/wire/event.ts'
import { matchesLabels } from './event-labels.ts'
import type { Span } from './event-query.ts'
import { parseTextQuery } from './log-query.ts'

/** As in Prefect: how far back is looked when nothing else is said. */
const DEFAULT_DAYS = 180

export function occurredSpan(filter: EventFilter, now: Micros): Span {
  const today = Math.floor(now / MICROS_PER_DAY) * MICROS_PER_DAY
  return {
    since: filter.occurred?.since ?? formatTimestamp(today - DEFAULT_DAYS * MICROS_PER_DAY),
    until: filter.occurred?.until ?? formatTimestamp(now),
  }
}

type Condition = (event: ReceivedEvent) => boolean

/** What a filter demands of an event, but for its span of time. */
export function eventMatcher(filter: EventFilter): Condition {
  const conditions = conditionsOf(filter)
  return (event) => conditions.every((condition) => condition(event))
}

/** As a matcher of events that are just arriving: only what the filter itself says of the span of time counts. */
export function liveMatcher(filter: EventFilter): Condition {
  const { since, until } = filter.occurred ?? {}
  const matches = eventMatcher(filter)
  return (event) =>
    (since === undefined || event.occurred >= since) &&
    (until === undefined || event.occurred <= until) &&
    matches(event)
}

/** Whether a filter demands nothing but a span of time, so that events can be counted unread. */
export function isOnlySpan(filter: EventFilter): boolean {
  return conditionsOf(filter).length === 0 && filter.resource?.distinct !== true
}

function conditionsOf(filter: EventFilter): Condition[] {
  return [
    ...nameConditions(filter.event),
    ...resourceConditions(filter.resource),
    ...toList(filter.related).flatMap(relatedConditions),
    ...toList(filter.any_resource).flatMap(anyResourceConditions),
    ...idConditions(filter.id?.id),
    ...textConditions(filter.text?.query),
  ]
}

/**
 * Texts of which an event's JSON must hold one of each list, so that events can be left out without being parsed. Only what is
 * cheap to say: names and ids.
 */
export function neededTexts(filter: EventFilter): string[][] {
  const lists = [
    filter.event?.prefix,
    filter.event?.name,
    filter.resource?.id,
    filter.resource?.id_prefix,
    filter.id?.id,
    ...toList(filter.related).map(({ id }) => id),
    ...toList(filter.any_resource).flatMap(({ id, id_prefix }) => [id, id_prefix]),
  ]
  return lists.flatMap(given).map((list) => list.map((text) => JSON.stringify(text).slice(1, -1)))
}

type Names = NonNullable<EventFilter['event']>

function nameConditions(filter: Names | null | undefined): Condition[] {
  const { prefix, exclude_prefix, name, exclude_name } = filter ?? {}
  return [
    ...given(prefix).map(
      (prefixes): Condition =>
        ({ event }) =>
          prefixes.some((start) => event.startsWith(start)),
    ),
    ...given(exclude_prefix).map(
      (prefixes): Condition =>
        ({ event }) =>
          !prefixes.some((start) => event.startsWith(start)),
    ),
    ...given(name).map(
      (names): Condition =>
        ({ event }) =>
          names.includes(event),
    ),
    ...given(exclude_name).map(
      (names): Condition =>
        ({ event }) =>
          !names.includes(event),
    ),
  ]
}

type LabelsCondition = (labels: ResourceLabels) => boolean

function resourceConditions(filter: EventAnyResourceFilter | null | undefined): Condition[] {
  return labelsConditions(filter ?? {}).map(
    (condition): Condition =>
      ({ resource }) =>
        condition(resource),
  )
}

/** One and the same resource, the main one or a related one, must fit. */
function anyResourceConditions(filter: EventAnyResourceFilter): Condition[] {
  return oneFits(labelsConditions(filter), ({ resource, related }) => [resource, ...related])
}

/** One and the same related resource must fit. */
function relatedConditions(filter: EventRelatedFilter): Condition[] {
  const { role, resources_in_roles: pairs } = filter
  const conditions: LabelsCondition[] = [
    ...labelsConditions(filter),
    ...given(role).map(
      (roles): LabelsCondition =>
        (labels) =>
          roles.includes(labels['prefect.resource.role'] ?? ''),
    ),
    ...given(pairs).map(
      (wanted): LabelsCondition =>
        (labels) =>
          wanted.some(
            ([id, inRole]) =>
              labels['prefect.resource.id'] === id && labels['prefect.resource.role'] === inRole,
          ),
    ),
  ]
  return oneFits(conditions, ({ related }) => related)
}

/** Without a condition on resources, an event that has none passes too. */
function oneFits(
  conditions: LabelsCondition[],
  candidates: (event: ReceivedEvent) => ResourceLabels[],
): Condition[] {
  return conditions.length === 0
    ? []
    : [
        (event) =>
          candidates(event).some((labels) => conditions.every((condition) => condition(labels))),
      ]
}

function labelsConditions({ id, id_prefix, labels }: EventAnyResourceFilter): LabelsCondition[] {
  return [
    ...given(id).map(
      (ids): LabelsCondition =>
        (resource) =>
          ids.includes(resource['prefect.resource.id'] ?? ''),
    ),
    ...given(id_prefix).map(
      (prefixes): LabelsCondition =>
        (resource) =>
          prefixes.some((start) => resource['prefect.resource.id']?.startsWith(start) === true),
    ),
    ...(labels && Object.keys(labels).length > 0
      ? [(resource: ResourceLabels) => matchesLabels(labels, resource)]
      : []),
  ]
}

function idConditions(ids: string[] | null | undefined): Condition[] {
  return given(ids).map((wanted) => {
    const set = new Set(wanted)
    return ({ id }) => set.has(id)
  })
}

/** Prefect searches the event's name, the values of all labels, and the payload with its keys. */
function textConditions(query: string | undefined): Condition[] {
  const { any, all, none } = parseTextQuery(query ?? '')
  if (any.length + all.length + none.length === 0) {
    return []
  }
  return [
    (event) => {
      const values = [event.resource, ...event.related].flatMap((labels) => Object.values(labels))
      const text = [event.event, ...values, JSON.stringify(event.payload)].join(' ').toLowerCase()
      return (
        (any.length === 0 || any.some((term) => text.includes(term))) &&
        all.every((term) => text.includes(term)) &&
        !none.some((term) => text.includes(term))
      )
    },
  ]
}

/** A list that puts a condition, or nothing: an empty one puts none. */
function given<T>(list: readonly T[] | null | undefined): (readonly T[])[] {
  return list && list.length > 0 ? [list] : []
}

function toList<T>(value: T | T[] | null | undefined): T[] {
  return value === null || value === undefined ? [] : Array.isArray(value) ? value : [value]
}
