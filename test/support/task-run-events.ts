import { formatTimestamp } from '#core/time.ts'
import type { Event } from '#core/wire/event.ts'
import type { StateType } from '#core/wire/state.ts'

/** The event by which a client reports a task run's state, as Prefect's client sends it. */
export function aTaskRunEvent(given: {
  taskRunId: string
  flowRunId: string | null
  type: StateType
  /** Integer microseconds. */
  at: number
  id?: string
  taskRun?: Record<string, string | number>
}): Event {
  const name = given.type.slice(0, 1) + given.type.slice(1).toLowerCase()
  return {
    id: given.id ?? crypto.randomUUID(),
    occurred: formatTimestamp(given.at),
    event: `prefect.task-run.${name}`,
    resource: {
      'prefect.resource.id': `prefect.task-run.${given.taskRunId}`,
      'prefect.orchestration': 'client',
    },
    related:
      given.flowRunId === null
        ? []
        : [
            {
              'prefect.resource.id': `prefect.flow-run.${given.flowRunId}`,
              'prefect.resource.role': 'flow-run',
            },
          ],
    payload: {
      intended: { from: null, to: given.type },
      initial_state: null,
      validated_state: { type: given.type, name, message: '', data: null, state_details: {} },
      task_run: {
        name: 'load-0',
        task_key: 'load',
        dynamic_key: given.taskRunId,
        tags: [],
        labels: {},
        task_inputs: {},
        empirical_policy: { retries: 0 },
        run_count: given.type === 'PENDING' ? 0 : 1,
        ...given.taskRun,
      },
    },
  }
}
