import {
  daysFromCivil,
  formatTimestamp,
  MICROS_PER_DAY,
  MICROS_PER_SECOND,
  parseTimestamp,
  type Micros,
} from '#core/time.ts'
import type { EventCount, ReceivedEvent } from '#core/wire/event.ts'
import type { Span } from './event-query.ts'
import { compare } from './log-query.ts'

/** The Monday at which the numbering of intervals begins, as in Prefect, so that the same event falls into the same one. */
const PIVOT = daysFromCivil(2024, 4, 1) * MICROS_PER_DAY
const MAX_INTERVALS = 1000

export type TimeUnit = 'week' | 'day' | 'hour' | 'minute' | 'second'
const UNIT_MICROS: Record<TimeUnit, Micros> = {
  week: 7 * MICROS_PER_DAY,
  day: MICROS_PER_DAY,
  hour: 3600 * MICROS_PER_SECOND,
  minute: 60 * MICROS_PER_SECOND,
  second: MICROS_PER_SECOND,
}

/** What events are counted by: their name, their resource, or the interval of so many microseconds in which they occurred. */
export type CountedThing = 'event' | 'resource' | { interval: Micros }

/** One value with the number of its events. */
export interface Counted {
  value: string
  /** That of the latest event. */
  label: string
  count: number
  earliest: string
  latest: string
}

export function intervalOf(unit: TimeUnit, count: number): Micros {
  return Math.round(UNIT_MICROS[unit] * count)
}

export function countInto(
  counts: Map<string, Counted>,
  events: readonly ReceivedEvent[],
  thing: CountedThing,
): void {
  for (const event of events) {
    const { value, label } = identify(event, thing)
    const one = { value, label, count: 1, earliest: event.occurred, latest: event.occurred }
    counts.set(value, joinCounts(counts.get(value), one))
  }
}

/** The counts of several streams as one, the largest first. */
export function joinCounted(lists: readonly Counted[][]): Counted[] {
  const counts = new Map<string, Counted>()
  for (const counted of lists.flat()) {
    counts.set(counted.value, joinCounts(counts.get(counted.value), counted))
  }
  return [...counts.values()].toSorted((a, b) => b.count - a.count || compare(a.label, b.label))
}

function joinCounts(a: Counted | undefined, b: Counted): Counted {
  if (a === undefined) {
    return b
  }
  return {
    value: a.value,
    label: b.latest > a.latest ? b.label : a.label,
    count: a.count + b.count,
    earliest: a.earliest < b.earliest ? a.earliest : b.earliest,
    latest: a.latest > b.latest ? a.latest : b.latest,
  }
}

function identify(event: ReceivedEvent, thing: CountedThing): { value: string; label: string } {
  if (thing === 'event') {
    return { value: event.event, label: event.event }
  }
  if (thing === 'resource') {
    const { resource } = event
    const id = resource['prefect.resource.id'] ?? ''
    return { value: id, label: resource['prefect.resource.name'] ?? resource['prefect.name'] ?? id }
  }
  const index = Math.floor(((parseTimestamp(event.occurred) ?? PIVOT) - PIVOT) / thing.interval)
  return { value: String(index), label: '' }
}

/** A count of names or resources on the wire. */
export function toEventCount({ value, label, count, earliest, latest }: Counted): EventCount {
  return { value, label, count, start_time: earliest, end_time: latest }
}

/** Why a span can't be divided like that; undefined when it can. */
export function whyTooMany(span: Span, interval: Micros): string | undefined {
  const { since, until } = limits(span)
  const intervals = Math.ceil((until - since) / interval)
  return intervals > MAX_INTERVALS
    ? `The given interval would create ${intervals} buckets; there may be at most ${MAX_INTERVALS}. Increase the interval or reduce the time range.`
    : undefined
}

/** One count per interval of the span, also where nothing occurred; none begins after the present one of its unit. */
export function intervalCounts(
  counted: readonly Counted[],
  span: Span,
  unit: TimeUnit,
  interval: Micros,
  now: Micros,
): EventCount[] {
  const { since, until } = limits(span)
  const end =
    until > now
      ? PIVOT + (Math.floor((now - PIVOT) / UNIT_MICROS[unit]) + 1) * UNIT_MICROS[unit]
      : until
  const first = Math.floor((since - PIVOT) / interval)
  const counts = new Map(counted.map(({ value, count }) => [value, count]))
  const result: EventCount[] = []
  for (let index = first; PIVOT + index * interval < end; index += 1) {
    const start = formatTimestamp(PIVOT + index * interval)
    result.push({
      value: String(index - first),
      label: start,
      count: counts.get(String(index)) ?? 0,
      start_time: start,
      end_time: formatTimestamp(PIVOT + (index + 1) * interval - 1),
    })
  }
  return result
}

function limits(span: Span): { since: Micros; until: Micros } {
  return { since: parseTimestamp(span.since) ?? 0, until: parseTimestamp(span.until) ?? 0 }
}
