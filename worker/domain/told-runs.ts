import type { Event } from '#core/wire/event.ts'

const FLOW_RUN = 'prefect.flow-run.'
const TASK_RUN = 'prefect.task-run.'

/**
 * The flow runs of whose life an event tells, by its name: that a run or one of its task runs has come into a state, or lives. Null:
 * it tells of no run's life, whatever it names. None: it tells of something that is in no flow run.
 */
export function toldRunsOf(event: Event): string[] | null {
  if (!event.event.startsWith(FLOW_RUN) && !event.event.startsWith(TASK_RUN)) {
    return null
  }
  const related = (event.related ?? []).filter(
    (resource) => resource['prefect.resource.role'] === 'flow-run',
  )
  return [event.resource, ...related].flatMap((resource) => {
    const id = resource['prefect.resource.id'] ?? ''
    return id.startsWith(FLOW_RUN) ? [id.slice(FLOW_RUN.length).toLowerCase()] : []
  })
}
