import { isUuid } from '#core/uuid.ts'
import type { ReceivedEvent, ResourceLabels } from '#core/wire/event.ts'
import type { TriggeredAction } from './automation-events.ts'

/** The first resource of an event of that kind, `prefect.flow-run` say: its own, else a related one. */
export function firstResourceOf(
  event: ReceivedEvent | null,
  kind: string,
): ResourceLabels | undefined {
  return event === null
    ? undefined
    : [event.resource, ...event.related].find(
        (resource) => kindAndId(resource['prefect.resource.id'])[0] === kind,
      )
}

/** The id of the first such object that an event names. */
export function idOfFirst(event: ReceivedEvent | null, kind: string): string | undefined {
  const resource = firstResourceOf(event, kind)
  const [, id] = kindAndId(resource?.['prefect.resource.id'])
  return isUuid(id) ? id.toLowerCase() : undefined
}

/** The flow run that an action is about: the one whose bucket fired, else the one that the event names. */
export function flowRunOf({ firing, triggering_event }: TriggeredAction): string | undefined {
  const [kind, id] = kindAndId(firing.triggering_labels['prefect.resource.id'])
  return kind === 'prefect.flow-run' && isUuid(id)
    ? id.toLowerCase()
    : idOfFirst(triggering_event, 'prefect.flow-run')
}

function kindAndId(resourceId: string | undefined): [kind: string, id: string] {
  const text = resourceId ?? ''
  const dot = text.lastIndexOf('.')
  return dot < 0 ? ['', text] : [text.slice(0, dot), text.slice(dot + 1)]
}
