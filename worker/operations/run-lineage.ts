import type { Micros } from '#core/time.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import type { TaskRun } from '#core/wire/task-run.ts'
import { DomainError } from '#domain/errors.ts'
import type { Workspace } from '#storage/workspace.ts'
import { findTaskRun } from './find-task-run.ts'
import { readFlowRun } from './read-flow-run.ts'

/** Who came of whom never changes, so that it is asked once in an isolate; two ids are some 200 bytes. */
const MAX_KNOWN = 50_000
/** No run is the child of so many that it would be worth asking on. */
const MAX_DEPTH = 32

/** By workspace and flow run: the run that it came of; null: of none. */
const parents = new Map<string, string | null>()
/** By workspace and task run: its flow run. */
const flowRuns = new Map<string, string | null>()

/** Whether a flow run is that one, or came of it: was made by its code, or stands for one of its task runs, or for that of a run that did. */
export async function isWithin(
  workspace: Workspace,
  flowRunId: string,
  ancestor: string,
  now: Micros,
): Promise<boolean> {
  let id: string | null = flowRunId
  for (let depth = 0; depth < MAX_DEPTH && id !== null; depth += 1) {
    if (id === ancestor) {
      return true
    }
    // oxlint-disable-next-line no-await-in-loop -- each leads to the next
    id = await parentOf(workspace, id, now)
  }
  return false
}

/** The flow run of a task run; null: it has none; undefined: there is no such task run. */
export async function flowRunOfTask(
  workspace: Workspace,
  taskRunId: string,
): Promise<string | null | undefined> {
  const known = flowRuns.get(nameOf(workspace, taskRunId))
  if (known !== undefined) {
    return known
  }
  const found = await findTaskRun(workspace, taskRunId)
  return found === undefined ? undefined : noteTaskRun(workspace, found.run)
}

/** What a run has just made needs no question. */
export function noteFlowRun(workspace: Workspace, run: Pick<FlowRun, 'id' | 'created_by'>): void {
  const { id, created_by: maker } = run
  if (maker?.type === 'FLOW_RUN' && maker.id !== null) {
    remember(parents, nameOf(workspace, id), maker.id)
  }
}

export function noteTaskRun(
  workspace: Workspace,
  { id, flow_run_id }: Pick<TaskRun, 'id' | 'flow_run_id'>,
): string | null {
  remember(flowRuns, nameOf(workspace, id), flow_run_id)
  return flow_run_id
}

async function parentOf(workspace: Workspace, id: string, now: Micros): Promise<string | null> {
  const name = nameOf(workspace, id)
  const known = parents.get(name)
  if (known !== undefined) {
    return known
  }
  const run = await readFlowRun(workspace, id, now).catch((error: unknown) => {
    if (error instanceof DomainError && error.code === 'not_found') {
      return undefined
    }
    throw error
  })
  if (run === undefined) {
    return null
  }
  const maker = run.created_by?.type === 'FLOW_RUN' ? run.created_by.id : null
  const parent =
    maker ??
    (run.parent_task_run_id === null
      ? null
      : await flowRunOfTask(workspace, run.parent_task_run_id))
  // A task run that is not there may come to be.
  if (parent !== undefined) {
    remember(parents, name, parent)
  }
  return parent ?? null
}

function nameOf(workspace: Workspace, id: string): string {
  return `${workspace.id}:${id}`
}

function remember<T>(cache: Map<string, T>, name: string, value: T): void {
  if (cache.size >= MAX_KNOWN) {
    const oldest = cache.keys().next()
    if (oldest.done !== true) {
      cache.delete(oldest.value)
    }
  }
  cache.set(name, value)
}
