import { parseTimestamp, type Micros } from '#core/time.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { LOOKBACK_MICROS } from './trigger-buckets.ts'

/** How deep a chain of events that wait for one another is followed at once. Prefect's number. */
const MAX_CHAIN = 20

/** What is remembered of the order of events. */
export interface EventMemory {
  hasJudged: (id: string) => boolean
  /** Whether what came shortly before this event is remembered at all. */
  remembersBefore: (event: ReceivedEvent) => boolean
  noteJudged: (id: string) => void
  park: (event: ReceivedEvent) => void
  unpark: (id: string) => void
  /** The parked events that follow this one. */
  parkedBehind: (id: string) => ReceivedEvent[]
}

/**
 * The events that can be judged now that this one has come, in order: none when it follows one that has not come yet, which
 * it waits for at most 15 minutes; otherwise itself, then those that waited for it.
 */
export function inOrder(event: ReceivedEvent, memory: EventMemory, now: Micros): ReceivedEvent[] {
  const received = parseTimestamp(event.received) ?? now
  const { follows } = event
  if (
    follows !== null &&
    follows !== event.id &&
    memory.remembersBefore(event) &&
    !memory.hasJudged(follows) &&
    now - received < LOOKBACK_MICROS
  ) {
    memory.park(event)
    return []
  }
  return released(event, memory, 0)
}

/** An event whose predecessor has come, or never will, with those behind it. */
function released(event: ReceivedEvent, memory: EventMemory, depth: number): ReceivedEvent[] {
  memory.noteJudged(event.id)
  memory.unpark(event.id)
  if (depth >= MAX_CHAIN) {
    return [event]
  }
  const behind = byTime(memory.parkedBehind(event.id))
  return [event, ...behind.flatMap((waiter) => released(waiter, memory, depth + 1))]
}

/** The parked events that have waited for long enough, with those behind them, in the order in which they occurred. */
export function givenUp(
  parked: readonly ReceivedEvent[],
  memory: EventMemory,
  now: Micros,
): ReceivedEvent[] {
  const lost = parked.filter(
    (event) => now - (parseTimestamp(event.received) ?? now) >= LOOKBACK_MICROS,
  )
  return byTime(lost).flatMap((event) =>
    memory.hasJudged(event.id) ? [] : released(event, memory, 0),
  )
}

function byTime(events: readonly ReceivedEvent[]): ReceivedEvent[] {
  return events.toSorted((a, b) => (a.occurred < b.occurred ? -1 : a.occurred > b.occurred ? 1 : 0))
}
