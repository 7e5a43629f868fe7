import type { FlowRunFilter } from '#core/wire/query.ts'
import type { OrchestrationResult, SetState } from '#core/wire/state.ts'
import type { HomeRun } from '#domain/execution.ts'
import { meetsFilter } from '#domain/flow-run-predicate.ts'
import { isChanged, proposalOf, type ChangeOrder } from '#domain/bulk-change.ts'
import { deleteEndedFlowRuns } from '#storage/retention.ts'
import type { AskedBy } from '../operations/object-context.ts'
import { recordRemoval, recordState } from './home-audit.ts'
import { create, propose, remove } from './home-runs.ts'
import type { Home, NewFlowRun, Proposer } from './home.ts'

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
export async function deleteFlowRuns(
  home: Home,
  chosen: ChosenRuns,
  asked: AskedBy | null,
): Promise<DeletedRun[]> {
  const deleted: DeletedRun[] = []
  for (const id of chosen.ids) {
    const run = await chosenRun(home, id, chosen.filter)
    if (run !== undefined) {
      remove(home, run)
      home.callBack(run)
      recordRemoval(home, run, asked)
      const { flow_id, idempotency_key } = run.record
      deleted.push({ id, flow_id, idempotency_key })
    }
  }
  home.afterChange()
  await Promise.all([home.flusher.flushed(), home.audit.sent()])
  return deleted
}

/** Proposes one state to many runs. */
export async function proposeStates(
  home: Home,
  chosen: ChosenRuns,
  request: SetState,
  proposer: Proposer,
  asked: AskedBy | null,
): Promise<{ id: string; result: OrchestrationResult }[]> {
  const results: { id: string; result: OrchestrationResult }[] = []
  for (const id of chosen.ids) {
    const run = await chosenRun(home, id, chosen.filter)
    if (run !== undefined) {
      results.push({ id, result: propose(home, run, request, proposer) })
      recordState(home, run, asked)
    }
  }
  home.afterChange()
  await Promise.all([home.flusher.flushed(), home.audit.sent()])
  return results
}

/**
 * Makes many runs in one transaction and one group commit. Idempotent by run id.
 * @param reserved the ids that were reserved before, whose runs may have been made, and may have left for the store
 * @returns the ids of those that were not there
 */
export async function createManyFlowRuns(
  home: Home,
  requests: NewFlowRun[],
  reserved: string[],
): Promise<string[]> {
  const { teller } = home.usage
  await teller.ask('flow_runs', requests.length)
  await home.loadMany(reserved)
  const created = requests.filter(({ record }) => home.store.find(record.id) === undefined)
  teller.require('flow_runs', created.length)
  for (const request of created) {
    create(home, request)
  }
  home.afterChange()
  const ids = created.map(({ record }) => record.id)
  await home.flusher.flushed(ids)
  return ids
}

/**
 * Has runs deleted in the store that are over for longer than they are kept.
 * @returns those that are nowhere any more
 */
export async function forgetFlowRuns(
  home: Home,
  ids: readonly string[],
  endedBefore: string,
): Promise<string[]> {
  return await home.forget(ids, async (away) => {
    const gone = await deleteEndedFlowRuns(home.workspace(), away, endedBefore)
    for (const id of gone) {
      home.inputs.removeAll(id)
    }
    return gone
  })
}

/** What became of a run that was to be changed: a text says why it was left as it is. */
export interface ChangedRun {
  id: string
  skipped: string | null
}

/** Changes many runs, each judged as it is now. May be repeated with the same order: what is changed already counts as changed. */
export async function changeFlowRuns(
  home: Home,
  chosen: ChosenRuns,
  order: ChangeOrder,
): Promise<ChangedRun[]> {
  await home.loadMany(chosen.ids)
  const changed = chosen.ids.map((id) => change(home, id, chosen.filter, order))
  home.afterChange()
  await home.flusher.flushed(chosen.ids)
  return changed
}

function change(
  home: Home,
  id: string,
  filter: FlowRunFilter | null,
  order: ChangeOrder,
): ChangedRun {
  const run = home.store.find(id)
  if (run === undefined || run.record.deleted) {
    return { id, skipped: order.change === 'delete' ? null : 'it was deleted' }
  }
  const { record } = run
  if (isChanged(record, order)) {
    return { id, skipped: null }
  }
  if (!meetsFilter(record, home.names(record), filter)) {
    return { id, skipped: 'it no longer meets the filter' }
  }
  if (order.change === 'delete') {
    remove(home, run)
    home.callBack(run)
    return { id, skipped: null }
  }
  const proposal = proposalOf(record, order)
  if (typeof proposal === 'string') {
    return { id, skipped: proposal }
  }
  const { status, state, details } = propose(home, run, proposal, { kind: 'key' })
  // A run that has not begun has nothing to stop: instead of Cancelling it is Cancelled at once.
  const isDone = status === 'ACCEPT' || (status === 'REJECT' && state?.type === 'CANCELLED')
  return { id, skipped: isDone ? null : ('reason' in details && details.reason) || status }
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
