import { isUuid } from '#core/uuid.ts'
import type { Micros } from '#core/time.ts'
import type { Event } from '#core/wire/event.ts'
import { DomainError } from '#domain/errors.ts'
import { toldRunsOf } from '#domain/told-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import { flowRunNotFound } from '../operations/flow-run-home.ts'
import { flowRunOfTask, isWithin } from '../operations/run-lineage.ts'
import type { Caller } from './auth.ts'

/**
 * What the code inside a run may write of: its own run, and the runs that came of it. Any other run is to it as one that does not
 * exist. Everybody else reaches all runs of the workspace. A run's own id is known by the token and costs no question.
 */
export interface Asker {
  workspace: Workspace
  caller: Caller
  now: Micros
}

/** @throws DomainError `not_found` where one of the flow runs is out of the caller's reach; null is no run */
export async function requireWithin(
  asker: Asker,
  flowRunIds: readonly (string | null | undefined)[],
): Promise<void> {
  if (asker.caller.kind !== 'run') {
    return
  }
  for (const id of new Set(flowRunIds.filter((one) => typeof one === 'string'))) {
    // oxlint-disable-next-line no-await-in-loop -- of the token's own run, or few
    if (!(await reaches(asker, id))) {
      throw flowRunNotFound()
    }
  }
}

/** The same for the task runs that new flow runs are to stand for. @throws DomainError `not_found` */
export async function requireTasksWithin(
  asker: Asker,
  taskRunIds: readonly (string | null | undefined)[],
): Promise<void> {
  if (asker.caller.kind !== 'run') {
    return
  }
  for (const id of new Set(taskRunIds.filter((one) => typeof one === 'string'))) {
    // oxlint-disable-next-line no-await-in-loop -- one, but for who makes many runs at once
    const flowRunId = await flowRunOfTask(asker.workspace, id)
    // oxlint-disable-next-line no-await-in-loop
    await requireTaskOf(asker, flowRunId)
  }
}

/** The flow run of a task run that is to be changed. Task runs of no flow run are changed by who works them off, with a key. */
export async function requireTaskOf(
  asker: Asker,
  flowRunId: string | null | undefined,
): Promise<void> {
  if (asker.caller.kind === 'run' && (!flowRunId || !(await reaches(asker, flowRunId)))) {
    throw new DomainError('not_found', 'Task not found')
  }
}

/** Whether a run is within the caller's reach or, the other way round, the caller came of it: those two may write to each other. */
export async function requireKin(asker: Asker, flowRunId: string): Promise<void> {
  const { workspace, caller, now } = asker
  if (
    caller.kind === 'run' &&
    !(await reaches(asker, flowRunId)) &&
    !(await isWithin(workspace, caller.flow_run_id, flowRunId.toLowerCase(), now))
  ) {
    throw flowRunNotFound()
  }
}

/** Whether the caller may send an event: one that tells of the life of runs is theirs. */
export async function mayTell(asker: Asker, event: Event): Promise<boolean> {
  const told = asker.caller.kind === 'run' ? toldRunsOf(event) : null
  if (told === null) {
    return true
  }
  for (const id of told) {
    // oxlint-disable-next-line no-await-in-loop -- one or two
    if (!(await reaches(asker, id))) {
      return false
    }
  }
  return told.length > 0
}

/** Whether a flow run is within the caller's reach. */
export async function reaches(
  { workspace, caller, now }: Asker,
  flowRunId: string,
): Promise<boolean> {
  return (
    caller.kind !== 'run' ||
    (isUuid(flowRunId) &&
      (await isWithin(workspace, flowRunId.toLowerCase(), caller.flow_run_id, now)))
  )
}
