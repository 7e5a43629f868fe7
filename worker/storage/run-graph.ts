import { sql } from 'drizzle-orm'
import type { Json } from '#core/wire/common.ts'
import type { GraphArtifact } from '#core/wire/run-graph.ts'
import type { GraphRow } from '#domain/run-graph.ts'
import type { Workspace } from './workspace.ts'

/** The task runs and subflows of a run that have been expected, in the order in which they began. */
export async function listGraphRows(
  workspace: Workspace,
  flowRunId: string,
  limit: number,
): Promise<GraphRow[]> {
  const rows = await workspace.store.all<Omit<GraphRow, 'task_inputs'> & { task_inputs: string }>(
    sql`SELECT task_run.id AS task_run_id, task_run.task_inputs,
        CASE WHEN child.id IS NULL THEN 'task-run' ELSE 'flow-run' END AS kind,
        coalesce(child.id, task_run.id) AS id,
        coalesce(flow.name || ' / ' || child.name, task_run.name) AS label,
        coalesce(child.state_type, task_run.state_type) AS state_type,
        coalesce(child.start_time, child.expected_start_time, task_run.start_time, task_run.expected_start_time)
          AS start_time,
        coalesce(child.end_time, task_run.end_time,
          CASE task_run.state_type WHEN 'COMPLETED' THEN task_run.expected_start_time END) AS end_time
      FROM task_run
      LEFT JOIN flow_run AS child ON child.workspace_id = task_run.workspace_id
        AND child.parent_task_run_id = task_run.id AND child.deleted = 0
      LEFT JOIN flow ON flow.id = child.flow_id AND flow.workspace_id = task_run.workspace_id
      WHERE task_run.workspace_id = ${workspace.id} AND task_run.flow_run_id = ${flowRunId}
        AND task_run.deleted = 0 AND task_run.state_type IS NOT NULL
        AND coalesce(child.start_time, child.expected_start_time, task_run.start_time,
          task_run.expected_start_time) IS NOT NULL
      ORDER BY start_time, end_time, id LIMIT ${limit}`,
  )
  return rows.map((row) => ({
    ...row,
    task_inputs: JSON.parse(row.task_inputs) as GraphRow['task_inputs'],
  }))
}

/** The artifacts that a run has made, by the task run that made them; results are none of them. */
export async function listGraphArtifacts(
  workspace: Workspace,
  flowRunId: string,
  limit: number,
): Promise<Map<string | null, GraphArtifact[]>> {
  const rows = await workspace.store.all<
    Omit<GraphArtifact, 'is_latest' | 'data'> & {
      task_run_id: string | null
      is_latest: number
      data: string | null
    }
  >(
    sql`SELECT artifact.id, artifact.created, artifact.key, artifact.type, artifact.task_run_id,
        CASE artifact.type WHEN 'progress' THEN artifact.data END AS data,
        artifact.key IS NULL OR EXISTS (SELECT 1 FROM artifact_collection
          WHERE artifact_collection.workspace_id = artifact.workspace_id
            AND artifact_collection.key = artifact.key AND artifact_collection.latest_id = artifact.id) AS is_latest
      FROM artifact
      WHERE artifact.workspace_id = ${workspace.id} AND artifact.flow_run_id = ${flowRunId}
        AND artifact.type <> 'result'
      ORDER BY artifact.created, artifact.id LIMIT ${limit}`,
  )
  return Map.groupBy(
    rows.map(({ is_latest, data, ...row }) => ({
      ...row,
      is_latest: is_latest === 1,
      data: data === null ? null : (JSON.parse(data) as Json),
    })),
    ({ task_run_id }) => task_run_id,
  )
}
