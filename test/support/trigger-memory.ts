import type { EventTrigger } from '#core/wire/automation-trigger.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import type { TriggerMemory } from '#domain/automation-evaluation.ts'
import type { EventMemory } from '#domain/event-order.ts'
import type { Slot } from '#domain/trigger-buckets.ts'
import type { Firing } from '#domain/trigger-firings.ts'

interface KnownSlot {
  trigger: EventTrigger
  key: readonly string[]
  slot: Slot
}

/** What the hub keeps in its tables, in memory. */
export class MapMemory implements TriggerMemory, EventMemory {
  readonly slots = new Map<string, KnownSlot>()
  readonly parked = new Map<string, ReceivedEvent>()
  readonly #waiting = new Map<string, readonly Firing[]>()
  readonly #judged = new Set<string>()

  readSlot(triggerId: string, key: readonly string[]): Slot {
    return this.slots.get(JSON.stringify([triggerId, key]))?.slot ?? { bucket: null, held: [] }
  }

  writeSlot(trigger: EventTrigger, key: readonly string[], slot: Slot): void {
    this.slots.set(JSON.stringify([trigger.id, key]), { trigger, key, slot })
  }

  readWaiting(triggerId: string): Firing[] {
    return [...(this.#waiting.get(triggerId) ?? [])]
  }

  writeWaiting(triggerId: string, firings: readonly Firing[]): void {
    this.#waiting.set(triggerId, firings)
  }

  hasJudged(id: string): boolean {
    return this.#judged.has(id)
  }

  remembersBefore(): boolean {
    return true
  }

  noteJudged(id: string): void {
    this.#judged.add(id)
  }

  park(event: ReceivedEvent): void {
    this.parked.set(event.id, event)
  }

  unpark(id: string): void {
    this.parked.delete(id)
  }

  parkedBehind(id: string): ReceivedEvent[] {
    return [...this.parked.values()].filter(({ follows }) => follows === id)
  }
}
