import type { EventTrigger } from '#core/wire/automation-trigger.ts'
import type { ResourceSpecification } from '#core/wire/event-filter.ts'
import type { ReceivedEvent, ResourceLabels } from '#core/wire/event.ts'
import { matchesLabels } from './event-labels.ts'

/** Whether an event concerns a trigger at all: by its name, its resource and its related resources. */
export function covers(trigger: EventTrigger, event: ReceivedEvent): boolean {
  return (
    (expects(trigger, event.event) || startsAfter(trigger, event.event)) &&
    includes(trigger.match, [event.resource]) &&
    [trigger.match_related].flat().every((related) => includes(related, event.related))
  )
}

/** Whether the trigger counts events of that name; with nothing named it counts all. */
export function expects({ expect }: Pick<EventTrigger, 'expect'>, name: string): boolean {
  return expect.length === 0 || expect.some((pattern) => matchesName(pattern, name))
}

/** Whether an event of that name opens a bucket. */
export function startsAfter({ after }: Pick<EventTrigger, 'after'>, name: string): boolean {
  return after.some((pattern) => matchesName(pattern, name))
}

/** The values of the labels in `for_each`, whose names are sorted: events with the same ones are counted together. */
export function bucketKey(trigger: EventTrigger, event: ReceivedEvent): string[] {
  return sortedLabels(trigger).map((label) => labelOf(event, label) ?? '')
}

/** The labels in `for_each` with the values of a bucket. */
export function keyLabels(trigger: EventTrigger, key: readonly string[]): ResourceLabels {
  return Object.fromEntries(sortedLabels(trigger).map((label, index) => [label, key[index] ?? '']))
}

function sortedLabels(trigger: EventTrigger): string[] {
  return trigger.for_each.toSorted()
}

/** `related:<role>:<label>` is the label of the first related resource in that role. */
function labelOf(event: ReceivedEvent, label: string): string | undefined {
  const match = /^related:(.*):([^:]*)$/s.exec(label)
  const related =
    match === null
      ? undefined
      : event.related.find((resource) => resource['prefect.resource.role'] === match[1])
  return related === undefined || match === null ? event.resource[label] : related[match[2] ?? '']
}

function includes(
  specification: ResourceSpecification,
  resources: readonly ResourceLabels[],
): boolean {
  return (
    Object.keys(specification).length === 0 ||
    resources.some((resource) => matchesLabels(specification, resource))
  )
}

/** `*` stands for one character or more, anywhere; unlike in a label's pattern nothing else is special. */
function matchesName(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) {
    return pattern === name
  }
  if (!name.startsWith(first)) {
    return false
  }
  const last = rest.pop() ?? ''
  let position = first.length
  for (const part of rest) {
    const found = name.indexOf(part, position + 1)
    if (found < 0) {
      return false
    }
    position = found + part.length
  }
  return name.length - last.length > position && name.endsWith(last)
}
