import { MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type { EventTrigger } from '#core/wire/automation-trigger.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { holdEvent, type HeldEvent } from './held-events.ts'
import { expects, startsAfter } from './trigger-matching.ts'

/** A window of time in which one trigger counts the events of one value of `for_each`. */
interface Bucket {
  start: Micros
  /** Not part of the window. */
  end: Micros
  /** Begins at -1 where one event both opens the bucket and is expected in it. */
  count: number
  /** What a Proactive trigger that fires names as its event. */
  last_event: ReceivedEvent | null
}

/** What is kept for one value of `for_each` of one trigger. */
export interface Slot {
  bucket: Bucket | null
  /** Only for Proactive triggers with `after`. */
  held: HeldEvent[]
}

export interface Evaluated {
  slot: Slot
  /** Each is one firing, with the event that it names: the one that came, or the last one that was counted. */
  firings: (ReceivedEvent | null)[]
}

/** A bucket that has been over for this long counts nothing any more. Prefect's number. */
export const EXPIRED_BUCKET_MICROS: Micros = 60 * MICROS_PER_SECOND

/** Events this much older than the first one of a bucket are counted with it, since they may come out of order. Prefect's number. */
export const LOOKBACK_MICROS: Micros = 15 * 60 * MICROS_PER_SECOND

/** Judges an event that the trigger covers. */
export function onEvent(trigger: EventTrigger, slot: Slot, event: ReceivedEvent): Evaluated {
  const opened = open(trigger, slot, event)
  if (!expects(trigger, event.event)) {
    return { slot: opened, firings: [] }
  }
  const holds = opened.bucket !== null && startsAfter(trigger, event.event)
  if (holds || !holdsEvents(trigger)) {
    return opened.bucket === null
      ? { slot: opened, firings: [] }
      : evaluate(trigger, opened, opened.bucket, occurredAt(event), event)
  }
  if (opened.held.some(({ id }) => id === event.id)) {
    return { slot: opened, firings: [] }
  }
  const held = holdEvent(opened.held, { id: event.id, occurred: occurredAt(event) }, trigger)
  return opened.bucket === null
    ? { slot: { bucket: null, held }, firings: [] }
    : evaluate(trigger, { ...opened, held }, opened.bucket, occurredAt(event), event)
}

/**
 * Judges a Proactive trigger by the clock: one whose window is over with too few events fires; one that has seen enough
 * begins anew with the next event. Without `after` and `for_each` it begins anew at once, so that silence is noticed.
 */
export function onTime(trigger: EventTrigger, slot: Slot, asOf: Micros): Evaluated {
  const isAlwaysOpen = trigger.after.length === 0 && trigger.for_each.length === 0
  const bucket = slot.bucket ?? (isAlwaysOpen ? windowFrom(trigger, asOf) : null)
  if (bucket === null) {
    return { slot, firings: [] }
  }
  if (bucket.count >= trigger.threshold) {
    return { slot: { ...slot, bucket: null }, firings: [] }
  }
  return evaluate(trigger, slot, bucket, asOf, null)
}

/** The bucket as Prefect's sweep would have left it at that time. */
export function withoutExpired(slot: Slot, now: Micros): Slot {
  return slot.bucket !== null && slot.bucket.end <= now - EXPIRED_BUCKET_MICROS
    ? { ...slot, bucket: null }
    : slot
}

function withinMicros(trigger: Pick<EventTrigger, 'within'>): Micros {
  return Math.round(trigger.within * MICROS_PER_SECOND)
}

/** An event that may come before the one that opens its window is held for it. */
function holdsEvents(trigger: EventTrigger): boolean {
  return trigger.posture === 'Proactive' && trigger.after.length > 0
}

function open(trigger: EventTrigger, slot: Slot, event: ReceivedEvent): Slot {
  const occurred = occurredAt(event)
  const end = occurred + withinMicros(trigger)
  if (slot.bucket !== null) {
    return slot
  }
  if (startsAfter(trigger, event.event)) {
    const first = expects(trigger, event.event) ? -1 : 0
    return { ...slot, bucket: newBucket(slot, trigger, occurred, end, first, event) }
  }
  if (trigger.after.length === 0 && expects(trigger, event.event)) {
    const start = occurred - LOOKBACK_MICROS
    return { ...slot, bucket: { start, end, count: 0, last_event: event } }
  }
  return slot
}

/** @param now when the event occurred, or the time by which silence is judged */
function evaluate(
  trigger: EventTrigger,
  slot: Slot,
  bucket: Bucket,
  now: Micros,
  event: ReceivedEvent | null,
): Evaluated {
  const within = withinMicros(trigger)
  if (now < bucket.start) {
    return { slot: { ...slot, bucket }, firings: [] }
  }
  const isImmediate = trigger.posture === 'Reactive' && within === 0
  const isSpent = event !== null && (isImmediate || now < bucket.end)
  const counted = isSpent ? { ...bucket, count: bucket.count + 1, last_event: event } : bucket
  const isReady = trigger.posture === 'Reactive' || counted.end <= now
  const fires = isReady && meetsThreshold(trigger, counted.count)
  const firings = fires ? [event ?? counted.last_event] : []
  if (!fires && now < counted.end) {
    return { slot: { ...slot, bucket: rolled(trigger, slot, bucket, counted, event) }, firings }
  }
  if (trigger.after.length > 0) {
    return { slot: { ...slot, bucket: null }, firings }
  }
  if (within === 0) {
    return { slot: { ...slot, bucket: fires ? null : counted }, firings }
  }
  const start = Math.max(counted.end, now)
  const unspent = event !== null && !isSpent ? 1 : 0
  const next: Bucket = { start, end: start + within, count: 0, last_event: null }
  if (trigger.posture === 'Reactive' && unspent > 0) {
    // The event belongs to the next window, and may be enough to fire there.
    const again = evaluate(trigger, slot, next, now, event)
    return { slot: again.slot, firings: [...firings, ...again.firings] }
  }
  return { slot: { ...slot, bucket: { ...next, count: unspent } }, firings }
}

/**
 * The bucket after an event that did not end it. Where one event both opens and fulfils (each heartbeat expects the next),
 * one that fulfils the window opens the next.
 */
function rolled(
  trigger: EventTrigger,
  slot: Slot,
  before: Bucket,
  counted: Bucket,
  event: ReceivedEvent | null,
): Bucket {
  const isOver =
    event !== null &&
    trigger.posture === 'Proactive' &&
    !meetsThreshold(trigger, counted.count) &&
    startsAfter(trigger, event.event) &&
    expects(trigger, event.event)
  if (!isOver) {
    return counted
  }
  const occurred = occurredAt(event)
  const previous = before.last_event
  const keepsPrevious =
    previous !== null &&
    expects(trigger, previous.event) &&
    !startsAfter(trigger, previous.event) &&
    occurredAt(previous) >= occurred
  return newBucket(
    slot,
    trigger,
    occurred,
    occurred + withinMicros(trigger),
    0,
    keepsPrevious ? previous : event,
  )
}

function newBucket(
  slot: Slot,
  trigger: EventTrigger,
  start: Micros,
  end: Micros,
  first: number,
  event: ReceivedEvent,
): Bucket {
  const held = holdsEvents(trigger)
    ? slot.held.filter(({ occurred }) => occurred >= start && occurred < end).length
    : 0
  return { start, end, count: first + held, last_event: event }
}

function windowFrom(trigger: EventTrigger, start: Micros): Bucket {
  return { start, end: start + withinMicros(trigger), count: 0, last_event: null }
}

function meetsThreshold({ posture, threshold }: EventTrigger, count: number): boolean {
  return posture === 'Reactive' ? count >= threshold : count < threshold
}

function occurredAt(event: ReceivedEvent): Micros {
  return parseTimestamp(event.occurred) ?? 0
}
