import type { GraphArtifact, GraphNode } from '#core/wire/run-graph.ts'
import type { StateType } from '#core/wire/state.ts'
import type { TaskRun } from '#core/wire/task-run.ts'

/** A task run, or the subflow that it stands for, with what fed the task run. */
export interface GraphRow {
  task_run_id: string
  kind: 'flow-run' | 'task-run'
  id: string
  label: string
  state_type: StateType
  start_time: string
  end_time: string | null
  task_inputs: TaskRun['task_inputs']
}

/** Under this parameter clients report the tasks within which a task ran. */
const ENCAPSULATING = '__parents__'

/**
 * The nodes of a run's graph, in the order of the rows.
 * @param rows all of the run: edges lead to nodes that are left out, too
 * @param since leaves out what had ended before
 * @param artifacts by the task run that made them
 */
export function graphNodes(
  rows: readonly GraphRow[],
  since: string | null,
  artifacts: ReadonlyMap<string | null, GraphArtifact[]>,
): GraphNode[] {
  const places = new Map(rows.map((row) => [row.task_run_id, row.id]))
  const parents = new Map(rows.map((row) => [row.id, inputs(row, false, places)]))
  const children = new Map<string, string[]>()
  for (const [id, fed] of parents) {
    for (const parent of fed) {
      const fedByIt = children.get(parent)
      if (fedByIt === undefined) {
        children.set(parent, [id])
      } else {
        fedByIt.push(id)
      }
    }
  }
  return rows
    .filter(({ end_time }) => since === null || end_time === null || end_time >= since)
    .map((row) => ({
      kind: row.kind,
      id: row.id,
      label: row.label,
      state_type: row.state_type,
      start_time: row.start_time,
      end_time: row.end_time,
      parents: edges(parents.get(row.id)),
      children: edges(children.get(row.id)),
      encapsulating: edges(inputs(row, true, places)),
      artifacts: artifacts.get(row.id) ?? [],
    }))
}

/** The nodes that fed a task run, or within which it ran; each once. */
function inputs(
  row: GraphRow,
  encapsulating: boolean,
  places: ReadonlyMap<string, string>,
): string[] {
  const ids = Object.entries(row.task_inputs)
    .filter(([parameter]) => (parameter === ENCAPSULATING) === encapsulating)
    .flatMap(([, values]) => values)
    .map((input) => ('id' in input ? places.get(input.id) : undefined))
    .filter((id) => id !== undefined)
  return [...new Set(ids)]
}

function edges(ids: readonly string[] = []): { id: string }[] {
  return ids.map((id) => ({ id }))
}
