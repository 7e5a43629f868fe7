import type { FlowRunFilter } from '#core/wire/query.ts'
import type { OrchestrationResult, SetState } from '#core/wire/state.ts'
import type { HomeRun } from '#domain/execution.ts'
import { meetsFilter } from '#domain/flow-run-predicate.ts'
import { propose, remove } from './home-runs.ts'
import type { Home, Proposer } from './home.ts'

/** Runs that were chosen by a filter in the store, which is some moments behind: each is judged by it again as it is now. */
export interface ChosenRuns {
  ids: string[]
  filter: FlowRunFilter | null
}

export interface DeletedRun {
  id: string
  flow_id: string
  idempotency_key: string | null
}

/** @returns what was deleted; runs that are gone, or no longer meet the filter, are left out */
export async function deleteFlowRuns(home: Home, chosen: ChosenRuns): Promise<DeletedRun[]> {
  const deleted: DeletedRun[] = []
  for (const id of chosen.ids) {
    const run = await chosenRun(home, id, chosen.filter)
    if (run !== undefined) {
      remove(home, run)
      home.callBack(run)
      const { flow_id, idempotency_key } = run.record
      deleted.push({ id, flow_id, idempotency_key })
    }
  }
  home.afterChange()
  await home.flusher.flushed()
  return deleted
}

/** Proposes one state to many runs. */
export async function proposeStates(
  home: Home,
  chosen: ChosenRuns,
  request: SetState,
  proposer: Proposer,
): Promise<{ id: string; result: OrchestrationResult }[]> {
  const results: { id: string; result: OrchestrationResult }[] = []
  for (const id of chosen.ids) {
    const run = await chosenRun(home, id, chosen.filter)
    if (run !== undefined) {
      results.push({ id, result: propose(home, run, request, proposer) })
    }
  }
  home.afterChange()
  await home.flusher.flushed()
  return results
}

async function chosenRun(
  home: Home,
  id: string,
  filter: FlowRunFilter | null,
): Promise<HomeRun | undefined> {
  const run = await home.load(id)
  return run !== undefined && meetsFilter(run.record, home.names(run.record), filter)
    ? run
    : undefined
}
