import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { EventTrigger } from '#core/wire/automation-trigger.ts'

/** An expected event that a window which opens later, over the time when it occurred, must count. */
export interface HeldEvent {
  id: string
  occurred: Micros
}

/** Twice the time for which an event waits for the one that it follows: both ends of a window may have waited. */
const KEPT_MICROS: Micros = 2 * 15 * 60 * MICROS_PER_SECOND

/**
 * Adds an event and lets go of what no window needs: what is much older than the newest, and, in each stretch of time as
 * long as a window, all but the first and the last as many as the threshold. A window covers the end of one stretch and the
 * beginning of the next, so it still counts up to the threshold, and more makes no difference.
 */
export function holdEvent(
  held: readonly HeldEvent[],
  event: HeldEvent,
  trigger: Pick<EventTrigger, 'within' | 'threshold'>,
): HeldEvent[] {
  const within = Math.round(trigger.within * MICROS_PER_SECOND)
  const all = [...held, event].toSorted(byTime)
  const newest = all.at(-1)?.occurred ?? event.occurred
  const fresh = all.filter(({ occurred }) => occurred >= newest - Math.max(KEPT_MICROS, within))
  const stretch = (time: Micros): number => Math.floor(time / within)
  const same = fresh.filter(({ occurred }) => stretch(occurred) === stretch(event.occurred))
  const kept = new Set(
    trigger.threshold <= 0
      ? []
      : [...same.slice(0, trigger.threshold), ...same.slice(-trigger.threshold)],
  )
  return fresh.filter((one) => stretch(one.occurred) !== stretch(event.occurred) || kept.has(one))
}

function byTime(a: HeldEvent, b: HeldEvent): number {
  return a.occurred - b.occurred || (a.id < b.id ? -1 : 1)
}
