import type { Micros } from '#core/time.ts'
import type { State } from '#core/wire/state.ts'
import type { Workspace } from '#storage/workspace.ts'
import { findTaskRun } from './find-task-run.ts'
import { objectContext } from './object-context.ts'

/**
 * Copies states of a flow run to the task run of its parent that stands for it. Idempotent by the states' ids, so it may be
 * repeated until it has succeeded; a task run that is gone is no failure.
 * Throws when the store or the stream is away.
 */
export async function linkSubflow(
  workspace: Workspace,
  run: { id: string; parent_task_run_id: string },
  states: State[],
  now: Micros,
): Promise<void> {
  const found = await findTaskRun(workspace, run.parent_task_run_id)
  await found?.stream.linkSubflow(
    objectContext(workspace),
    run.parent_task_run_id,
    run.id,
    states,
    now,
  )
}
