import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { BulkChange } from '#core/wire/bulk.ts'
import { changedStates, type ChangeOrder } from '#domain/bulk-change.ts'
import type { Filters } from '#domain/filter.ts'
import { listChosenRuns, type ChosenRun, type Selection } from '#storage/chosen-flow-runs.ts'
import { releaseIdempotencyKeys } from '#storage/idempotency-keys.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { ChangedRun } from '../durable/home-bulk.ts'
import { atHomes } from './change-flow-runs.ts'
import { deleteManyRemains } from './delete-flow-run.ts'
import type { JobKind } from './job-kind.ts'

/** What is asked of all runs that filters choose. */
export interface FlowRunsOrder {
  change: BulkChange
  filters: Filters
  /** With `pause`: how long the runs wait to be resumed. */
  timeout_seconds: number | null
}

interface Rest {
  /** Chosen, and to be changed by the next step: kept before they are touched, since the filter may not find them after it. */
  runs: ChosenRun[]
}

/** How many runs a step changes: a second's work for their home, which answers nothing else meanwhile. */
const STEP_RUNS = 250

/** The runs that an order of that moment is about. */
export function selectionOf({ change, filters }: FlowRunsOrder, before: Micros): Selection {
  return { filters, types: changedStates(change), before }
}

/** Changes runs page by page, in the order of their ids. */
export const changeFlowRunsJob: JobKind<FlowRunsOrder, Rest> = {
  step: async (workspace, { parameters, left, created }) => {
    const runs = left?.runs ?? []
    const changed = runs.length === 0 ? [] : await changeRuns(workspace, runs, parameters, created)
    const selection = selectionOf(parameters, created)
    const next =
      left !== null && runs.length < STEP_RUNS
        ? []
        : await listChosenRuns(workspace, selection, runs.at(-1)?.id ?? null, STEP_RUNS)
    const skipped = changed.map((run) => run.skipped).filter((reason) => reason !== null)
    return {
      left: next.length === 0 ? null : { runs: next },
      done: changed.length - skipped.length,
      skipped: countEach(skipped),
    }
  },
}

async function changeRuns(
  workspace: Workspace,
  runs: readonly ChosenRun[],
  { change, filters, timeout_seconds: timeout }: FlowRunsOrder,
  since: Micros,
): Promise<ChangedRun[]> {
  const order: ChangeOrder = {
    change,
    since,
    timeout: timeout === null ? null : formatTimestamp(since + timeout * MICROS_PER_SECOND),
  }
  const filter = filters.flow_runs ?? null
  const ids = runs.map(({ id }) => id)
  const changed = await atHomes(workspace, ids, ({ stub, context }, own) =>
    stub.changeFlowRuns(context, { ids: own, filter }, order),
  )
  if (change === 'delete') {
    // Of all that are gone, since an interrupted step may have deleted some already.
    const gone = new Set(changed.filter(({ skipped }) => skipped === null).map(({ id }) => id))
    await deleteManyRemains(workspace, [...gone])
    const held = runs.flatMap(({ id, flow_id, idempotency_key: key }) =>
      key !== null && gone.has(id) ? [{ flow_id, key }] : [],
    )
    await releaseIdempotencyKeys(workspace, held)
  }
  return changed
}

function countEach(reasons: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const reason of reasons) {
    counts[reason] = (counts[reason] ?? 0) + 1
  }
  return counts
}
