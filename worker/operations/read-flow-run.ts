import type { Micros } from '#core/time.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import type { State } from '#core/wire/state.ts'
import { DomainError } from '#domain/errors.ts'
import { findFlowRun, findFlowRunStates, findRunIdOfState } from '#storage/flow-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import { findFlowRunHome, flowRunHome, flowRunNotFound } from './flow-run-home.ts'

/** A run is read at home while it lives there, and from the store after that. */
export async function readFlowRun(workspace: Workspace, id: string, now: Micros): Promise<FlowRun> {
  const home = await flowRunHome(workspace, id)
  const atHome = await home.stub.readFlowRun(home.context, id)
  const run = atHome ?? (await findFlowRun(workspace, id, now))
  if (run === undefined || run === 'deleted') {
    throw flowRunNotFound()
  }
  return run
}

/** All states of a run, oldest first; none for a run that is not there, as in Prefect. */
export async function readFlowRunStates(workspace: Workspace, id: string): Promise<State[]> {
  const home = await findFlowRunHome(workspace, id)
  if (home === undefined) {
    return []
  }
  const atHome = await home.stub.readFlowRunStates(home.context, id)
  return atHome ?? (await findFlowRunStates(workspace, id)) ?? []
}

/** One state by its id, which names its run's home. */
export async function readFlowRunState(workspace: Workspace, id: string): Promise<State> {
  const notFound = new DomainError('not_found', 'Flow run state not found')
  const home = await findFlowRunHome(workspace, id)
  if (home === undefined) {
    throw notFound
  }
  const runId =
    (await home.stub.findRunOfState(home.context, id)) ?? (await findRunIdOfState(workspace, id))
  if (!runId) {
    throw notFound
  }
  const states = await readFlowRunStates(workspace, runId)
  const state = states.find((candidate) => candidate.id === id)
  if (state === undefined) {
    throw notFound
  }
  return state
}
