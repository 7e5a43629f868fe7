import { MICROS_PER_SECOND, parseTimestamp } from '#core/time.ts'
import type { CompoundTrigger, SequenceTrigger, Trigger } from '#core/wire/automation-trigger.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'

/** One time that a trigger fired, with the firings of its parts: what templates see as `firing`. */
export interface Firing {
  id: string
  trigger: Trigger
  trigger_states: ('Triggered' | 'Resolved')[]
  triggered: string
  triggering_labels: Record<string, string>
  triggering_firings: Firing[]
  triggering_event: ReceivedEvent | null
  triggering_value: null
}

type Composite = CompoundTrigger | SequenceTrigger

/**
 * Takes the firing of a part of a composite trigger.
 * @param waiting the firings of its parts that wait for others, in the order in which they fired
 * @returns what waits now, and the firings that make the composite one fire, if it does
 */
export function onChildFiring(
  parent: Composite,
  waiting: readonly Firing[],
  firing: Firing,
): { waiting: Firing[]; fired: Firing[] | null } {
  if (expectedFirings(parent) === 1) {
    return { waiting: [...waiting], fired: [firing] }
  }
  const horizon =
    parent.within === null
      ? Number.NEGATIVE_INFINITY
      : timeOf(firing) - Math.round(parent.within * MICROS_PER_SECOND)
  // A part that fires again takes the place of its earlier firing.
  const all = [
    ...waiting.filter(
      (other) => other.trigger.id !== firing.trigger.id && timeOf(other) >= horizon,
    ),
    firing,
  ]
  return isComplete(parent, all) ? { waiting: [], fired: all } : { waiting: all, fired: null }
}

export function allFirings(firing: Firing): Firing[] {
  return [firing, ...firing.triggering_firings.flatMap((child) => allFirings(child))]
}

export function allEvents(firing: Firing): ReceivedEvent[] {
  const own = firing.triggering_event === null ? [] : [firing.triggering_event]
  return [...own, ...firing.triggering_firings.flatMap((child) => allEvents(child))]
}

/** The triggers above one, the nearest first; undefined: the tree does not have it. */
export function parentsOf(tree: Trigger, id: string): Composite[] | undefined {
  if (tree.id === id) {
    return []
  }
  if (tree.type === 'event') {
    return undefined
  }
  for (const child of tree.triggers) {
    const parents = parentsOf(child, id)
    if (parents !== undefined) {
      return [...parents, tree]
    }
  }
  return undefined
}

/** The tree's triggers, each before its parts. */
export function allTriggers(tree: Trigger): Trigger[] {
  return tree.type === 'event'
    ? [tree]
    : [tree, ...tree.triggers.flatMap((child) => allTriggers(child))]
}

function expectedFirings(parent: Composite): number {
  if (parent.type === 'sequence' || parent.require === 'all') {
    return parent.triggers.length
  }
  return parent.require === 'any' ? 1 : parent.require
}

function isComplete(parent: Composite, firings: readonly Firing[]): boolean {
  return parent.type === 'compound'
    ? firings.length >= expectedFirings(parent)
    : firings.length === parent.triggers.length &&
        parent.triggers.every(({ id }, index) => id === firings[index]?.trigger.id)
}

function timeOf(firing: Firing): number {
  return parseTimestamp(firing.triggered) ?? 0
}
