import type { Micros } from '#core/time.ts'
import type { Why } from '#core/wire/why.ts'
import { notWaiting } from '#domain/why.ts'
import { findFlowRun } from '#storage/flow-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import { flowRunHome, flowRunNotFound } from './flow-run-home.ts'

/** Why a run waits. One that has left its home is over. */
export async function explainFlowRun(workspace: Workspace, id: string, now: Micros): Promise<Why> {
  const home = await flowRunHome(workspace, id)
  const atHome = await home.stub.explainFlowRun(home.context, id)
  if (atHome !== null && atHome !== 'deleted') {
    return atHome
  }
  const run = atHome === 'deleted' ? undefined : await findFlowRun(workspace, id, now)
  if (run === undefined) {
    throw flowRunNotFound()
  }
  return notWaiting(run.state_name)
}
