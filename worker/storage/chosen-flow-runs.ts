import { and, asc, count, gt, type SQL } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { StateType } from '#core/wire/state.ts'
import { condition, every } from '#domain/condition.ts'
import { flowRunCondition, type Filters } from '#domain/filter.ts'
import { toSql } from './condition.ts'
import { flowRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

/** What a change of many runs is about. */
export interface Selection {
  filters: Filters
  /** Only runs in these states; null: in any. */
  types: readonly StateType[] | null
  /** Only runs that were there by then. */
  before: Micros
}

export async function countChosenRuns(workspace: Workspace, selection: Selection): Promise<number> {
  const [row] = await workspace.store
    .select({ count: count() })
    .from(flowRun)
    .where(chosen(workspace, selection))
  return row?.count ?? 0
}

/** A chosen run, with what reserves its idempotency key. */
export interface ChosenRun {
  id: string
  flow_id: string
  idempotency_key: string | null
}

/** The next of the chosen runs after an id, in the order of ids, which never changes. */
export async function listChosenRuns(
  workspace: Workspace,
  selection: Selection,
  after: string | null,
  limit: number,
): Promise<ChosenRun[]> {
  return await workspace.store
    .select({ id: flowRun.id, flow_id: flowRun.flow_id, idempotency_key: flowRun.idempotency_key })
    .from(flowRun)
    .where(and(chosen(workspace, selection), after === null ? undefined : gt(flowRun.id, after)))
    .orderBy(asc(flowRun.id))
    .limit(limit)
}

function chosen(workspace: Workspace, { filters, types, before }: Selection): SQL | undefined {
  const ofStates =
    types === null
      ? undefined
      : flowRunCondition(workspace.id, { flow_runs: { state: { type: { any_: [...types] } } } })
  return and(
    toSql(
      every([
        flowRunCondition(workspace.id, filters),
        ofStates,
        condition('flow_run.created <= ?', formatTimestamp(before)),
      ]),
    ),
  )
}
