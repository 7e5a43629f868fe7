import { formatTimestamp, type Micros } from '#core/time.ts'
import type { EventTrigger, Trigger } from '#core/wire/automation-trigger.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { onEvent, onTime, type Slot } from './trigger-buckets.ts'
import { allTriggers, onChildFiring, parentsOf, type Firing } from './trigger-firings.ts'
import { bucketKey, covers, keyLabels } from './trigger-matching.ts'

/** What is remembered of an automation's triggers between events. */
export interface TriggerMemory {
  readSlot: (triggerId: string, key: readonly string[]) => Slot
  writeSlot: (trigger: EventTrigger, key: readonly string[], slot: Slot) => void
  /** The firings of a composite trigger's parts that wait for the others, the oldest first. */
  readWaiting: (triggerId: string) => Firing[]
  writeWaiting: (triggerId: string, firings: readonly Firing[]) => void
}

export interface FiringMoment {
  now: Micros
  newId: () => string
}

/** What an event made of one of the automation's event triggers. */
export interface Verdict {
  trigger: EventTrigger
  /** How often this trigger fired by itself. */
  fired: number
  slot: Slot
}

/** The triggers that look at events themselves, in the order of the tree. */
export function eventTriggers(tree: Trigger): EventTrigger[] {
  return allTriggers(tree).filter((trigger) => trigger.type === 'event')
}

/** Judges an event by one automation: what became of its triggers, and each time that the automation as a whole fires. */
export function judgeByEvent(
  tree: Trigger,
  event: ReceivedEvent,
  memory: TriggerMemory,
  moment: FiringMoment,
): { verdicts: Verdict[]; firings: Firing[] } {
  const concerned = eventTriggers(tree).filter((trigger) => covers(trigger, event))
  const verdicts: Verdict[] = []
  const firings: Firing[] = []
  for (const trigger of concerned) {
    const key = bucketKey(trigger, event)
    const { slot, firings: events } = onEvent(trigger, memory.readSlot(idOf(trigger), key), event)
    memory.writeSlot(trigger, key, slot)
    verdicts.push({ trigger, fired: events.length, slot })
    firings.push(...events.flatMap((cause) => fire(tree, trigger, key, cause, memory, moment)))
  }
  return { verdicts, firings }
}

/** Judges one bucket of a Proactive trigger by the clock. */
export function judgeByTime(
  tree: Trigger,
  trigger: EventTrigger,
  key: readonly string[],
  memory: TriggerMemory,
  moment: FiringMoment,
): { fired: number; firings: Firing[] } {
  const { slot, firings } = onTime(trigger, memory.readSlot(idOf(trigger), key), moment.now)
  memory.writeSlot(trigger, key, slot)
  return {
    fired: firings.length,
    firings: firings.flatMap((cause) => fire(tree, trigger, key, cause, memory, moment)),
  }
}

/** Carries the firing of an event trigger up the tree, as far as it makes others fire. */
function fire(
  tree: Trigger,
  trigger: EventTrigger,
  key: readonly string[],
  cause: ReceivedEvent | null,
  memory: TriggerMemory,
  moment: FiringMoment,
): Firing[] {
  let firing: Firing = {
    ...newFiring(trigger, moment),
    triggering_labels: keyLabels(trigger, key),
    triggering_event: cause,
  }
  for (const parent of parentsOf(tree, idOf(trigger)) ?? []) {
    const { waiting, fired } = onChildFiring(parent, memory.readWaiting(idOf(parent)), firing)
    memory.writeWaiting(idOf(parent), waiting)
    if (fired === null) {
      return []
    }
    firing = {
      ...newFiring(parent, moment),
      triggering_firings: fired,
      triggering_event: firing.triggering_event,
    }
  }
  return [firing]
}

function newFiring(trigger: Trigger, { now, newId }: FiringMoment): Firing {
  return {
    id: newId(),
    trigger,
    trigger_states: ['Triggered'],
    triggered: formatTimestamp(now),
    triggering_labels: {},
    triggering_firings: [],
    triggering_event: null,
    triggering_value: null,
  }
}

/** Stored triggers have ids; only those in requests may lack them. */
function idOf(trigger: Trigger): string {
  return trigger.id ?? ''
}
