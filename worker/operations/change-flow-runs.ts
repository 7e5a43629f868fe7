import { homeKeyOf } from '#core/flow-run-id.ts'
import type { FlowRunFilter } from '#core/wire/query.ts'
import type { OrchestrationResult, SetState } from '#core/wire/state.ts'
import { releaseIdempotencyKey } from '#storage/idempotency-keys.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { DeletedRun } from '../durable/home-bulk.ts'
import type { Proposer } from '../durable/work-pool.ts'
import { deleteRemains } from './delete-flow-run.ts'
import { findFlowRunHome, type FlowRunHome } from './flow-run-home.ts'
import { askedBy } from './object-context.ts'

/**
 * Deletes runs that a filter has chosen in the store, if they still meet it, each with what hangs on it.
 * @returns the ids of those that were deleted
 */
export async function deleteFlowRuns(
  workspace: Workspace,
  ids: readonly string[],
  filter: FlowRunFilter | null,
): Promise<string[]> {
  const deleted = await deleteAtHomes(workspace, ids, filter)
  await Promise.all(
    deleted.map(async ({ id, flow_id, idempotency_key: key }) => {
      await deleteRemains(workspace, id)
      if (key !== null) {
        await releaseIdempotencyKey(workspace, { flow_id, key })
      }
    }),
  )
  return deleted.map(({ id }) => id)
}

/** The runs alone: what hangs on them is left to the caller. */
export async function deleteAtHomes(
  workspace: Workspace,
  ids: readonly string[],
  filter: FlowRunFilter | null,
): Promise<DeletedRun[]> {
  return await atHomes(workspace, ids, ({ stub, context }, own) =>
    stub.deleteFlowRuns(context, { ids: own, filter }, askedBy(workspace)),
  )
}

/** Proposes one state to runs that a filter has chosen in the store, if they still meet it. */
export async function proposeStates(
  workspace: Workspace,
  ids: readonly string[],
  filter: FlowRunFilter | null,
  request: SetState,
  proposer: Proposer,
): Promise<{ id: string; result: OrchestrationResult }[]> {
  const results = await atHomes(workspace, ids, ({ stub, context }, own) =>
    stub.proposeStates(context, { ids: own, filter }, request, proposer, askedBy(workspace)),
  )
  const places = new Map(ids.map((id, place) => [id, place]))
  return results.toSorted((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0))
}

/** One call for each home of these runs. */
export async function atHomes<T>(
  workspace: Workspace,
  ids: readonly string[],
  call: (home: FlowRunHome, ids: string[]) => Promise<T[]>,
): Promise<T[]> {
  const groups = Map.groupBy(ids, homeKeyOf)
  const results = await Promise.all(
    [...groups.values()].map(async (own) => {
      const home = await findFlowRunHome(workspace, own[0] ?? '')
      return home === undefined ? [] : await call(home, own)
    }),
  )
  return results.flat()
}
