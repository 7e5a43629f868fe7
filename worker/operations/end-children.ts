import { formatTimestamp, type Micros } from '#core/time.ts'
import type { StateCreate } from '#core/wire/state.ts'
import { listOpenChildren } from '#storage/flow-run-children.ts'
import type { Workspace } from '#storage/workspace.ts'
import { findFlowRunHome } from './flow-run-home.ts'
import { objectContext } from './object-context.ts'
import { eventStreamStub } from './stubs.ts'

/**
 * Ends what a run had under way when it was stopped from outside: its task runs and the subflows that ran in its process end as
 * it did. Children with a deployment run elsewhere: they are told to cancel when their parent was cancelled, and go on when it
 * crashed. Idempotent: what has ended stays as it is.
 * @param until what was begun later belongs to the run's next attempt; null: there is none
 */
export async function endChildren(
  workspace: Workspace,
  flowRunId: string,
  type: 'CRASHED' | 'CANCELLED',
  until: Micros | null,
  now: Micros,
): Promise<void> {
  const verb = type === 'CRASHED' ? 'crashed' : 'was cancelled'
  const state: StateCreate = { type, message: `The flow run that it belonged to ${verb}.` }
  const { flowRuns, taskRunIds } = await listOpenChildren(
    workspace,
    flowRunId,
    until === null ? null : formatTimestamp(until),
  )
  for (const child of flowRuns) {
    const proposal = child.deployment_id === null ? state : cancelling(type)
    const home = proposal === null ? undefined : await findFlowRunHome(workspace, child.id)
    if (proposal !== null && home !== undefined) {
      await home.stub.endFlowRun(home.context, child.id, proposal)
    }
  }
  const stream = eventStreamStub(workspace, flowRunId)
  for (const id of taskRunIds) {
    await stream.setTaskRunState(objectContext(workspace), id, state, false, now)
  }
}

function cancelling(type: 'CRASHED' | 'CANCELLED'): StateCreate | null {
  return type === 'CANCELLED'
    ? { type: 'CANCELLING', message: 'The flow run that started it was cancelled.' }
    : null
}
