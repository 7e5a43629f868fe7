import { parseTimestamp, formatTimestamp, type Micros } from '#core/time.ts'
import { isUuid } from '#core/uuid.ts'
import type { Json, JsonObject } from '#core/wire/common.ts'
import type { ResourceLabels } from '#core/wire/event.ts'
import { firstResourceOf } from '#domain/action-target.ts'
import type { TriggeredAction } from '#domain/automation-events.ts'
import { toTaskRun } from '#domain/task-run.ts'
import { allEvents, allFirings } from '#domain/trigger-firings.ts'
import { findDeployment } from '#storage/deployments.ts'
import { findFlow } from '#storage/flows.ts'
import { listStoredVariables } from '#storage/variables.ts'
import { listWorkPools } from '#storage/work-pools.ts'
import { findWorkQueue } from '#storage/work-queues.ts'
import type { Workspace } from '#storage/workspace.ts'
import { readConcurrencyLimit } from './concurrency-limits.ts'
import { findTaskRun } from './find-task-run.ts'
import { readFlowRun } from './read-flow-run.ts'

type Read = (workspace: Workspace, id: string, now: Micros) => Promise<object | undefined>

/** The objects that a template can name beside the event; each is the first of its kind that the event is about. */
const OBJECTS: Record<string, Read> = {
  deployment: async (workspace, id, now) => (await findDeployment(workspace, id, now))?.deployment,
  flow: async (workspace, id) => await findFlow(workspace, id),
  flow_run: async (workspace, id, now) => await readFlowRun(workspace, id, now),
  task_run: async (workspace, id, now) => {
    const found = await findTaskRun(workspace, id)
    return found && toTaskRun(found.run, now)
  },
  work_pool: async (workspace, id, now) => {
    const [pool] = await listWorkPools(
      workspace,
      { id: { any_: [id] } },
      { limit: 1, offset: 0 },
      now,
    )
    return pool
  },
  work_queue: async (workspace, id, now) => (await findWorkQueue(workspace, id, now))?.queue,
  concurrency_limit: async (workspace, id, now) => await readConcurrencyLimit(workspace, id, now),
}

/** As many variables as a workspace may have in Prefect's templates. */
const MOST_VARIABLES = 1000

/** What the templates of an action see: the firing, and of the workspace what they name. */
export async function actionContext(
  workspace: Workspace,
  triggered: TriggeredAction,
  templates: readonly string[],
  now: Micros,
): Promise<JsonObject> {
  const { automation, firing, triggering_event } = triggered
  const context: Record<string, unknown> = {
    automation,
    event: triggering_event,
    labels: firing.triggering_labels,
    firing,
    firings: allFirings(firing),
    events: allEvents(firing),
  }
  const names = [...Object.keys(OBJECTS), 'variables'].filter((name) =>
    templates.some((template) => new RegExp(`\\b${name}\\b`).test(template)),
  )
  if (triggering_event !== null) {
    const found = await Promise.all(
      names.map(async (name) => [name, await readNamed(workspace, triggered, name, now)] as const),
    )
    Object.assign(context, Object.fromEntries(found))
  }
  return JSON.parse(JSON.stringify(context)) as JsonObject
}

async function readNamed(
  workspace: Workspace,
  { triggering_event }: TriggeredAction,
  name: string,
  now: Micros,
): Promise<object | null> {
  if (name === 'variables') {
    return await readVariables(workspace)
  }
  const resource = firstResourceOf(triggering_event, `prefect.${name.replaceAll('_', '-')}`)
  const id = resource?.['prefect.resource.id']?.split('.').at(-1) ?? ''
  if (resource === undefined || !isUuid(id)) {
    return null
  }
  try {
    const object = (await OBJECTS[name]?.(workspace, id.toLowerCase(), now)) ?? null
    return object !== null && (name === 'flow_run' || name === 'task_run')
      ? withStateOf(object, resource)
      : object
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'not_found') {
      return null
    }
    throw error
  }
}

/** The run with the state that the event tells of: it may have gone on since. */
function withStateOf(run: object, resource: ResourceLabels): object {
  const type = resource['prefect.state-type']
  const name = resource['prefect.state-name']
  const message = resource['prefect.state-message']
  const timestamp = parseTimestamp(resource['prefect.state-timestamp'] ?? '')
  const isTold =
    type !== undefined && name !== undefined && message !== undefined && timestamp !== undefined
  return isTold
    ? { ...run, state: { type, name, message, timestamp: formatTimestamp(timestamp) } }
    : run
}

async function readVariables(workspace: Workspace): Promise<Record<string, Json>> {
  const rows = await listStoredVariables(workspace, null, 'NAME_ASC', {
    limit: MOST_VARIABLES,
    offset: 0,
  })
  return Object.fromEntries(rows.map(({ name, value }) => [name, JSON.parse(value) as Json]))
}
