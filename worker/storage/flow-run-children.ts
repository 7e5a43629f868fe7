import { sql } from 'drizzle-orm'
import type { Workspace } from './workspace.ts'

export interface OpenChildren {
  /** The deployment is null for a run that has no process of its own. */
  flowRuns: { id: string; deployment_id: string | null }[]
  taskRunIds: string[]
}

const OPEN = sql`('SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED', 'CANCELLING')`

/**
 * The task runs of a flow run, and the flow runs that they stand for, that have not come to an end.
 * @param until those that were begun later belong to a later attempt; null: all
 */
export async function listOpenChildren(
  workspace: Workspace,
  flowRunId: string,
  until: string | null,
): Promise<OpenChildren> {
  const taskRuns = sql`SELECT id FROM task_run WHERE workspace_id = ${workspace.id} AND flow_run_id = ${flowRunId}`
  const [flowRuns, open] = await Promise.all([
    workspace.store.all<OpenChildren['flowRuns'][number]>(
      sql`SELECT id, deployment_id FROM flow_run
        WHERE workspace_id = ${workspace.id} AND parent_task_run_id IN (${taskRuns})
          AND deleted = 0 AND state_type IN ${OPEN}
          AND (${until} IS NULL OR created <= ${until})`,
    ),
    workspace.store.all<{ id: string }>(
      sql`SELECT id FROM task_run WHERE workspace_id = ${workspace.id} AND id IN (${taskRuns})
          AND deleted = 0 AND state_type IN ${OPEN}
          AND (${until} IS NULL OR coalesce(start_time, expected_start_time, created) <= ${until})`,
    ),
  ])
  return { flowRuns, taskRunIds: open.map(({ id }) => id) }
}
