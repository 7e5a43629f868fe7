import { and, eq, sql } from 'drizzle-orm'
import type { FlowRunRecord } from '#domain/flow-run.ts'
import { deployment, flow } from './schema/config.ts'
import { flowRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

/** A run as its home takes it back from the store, with the names that the home keeps beside it. */
export interface StoredFlowRun {
  record: FlowRunRecord
  flow_name: string | null
  deployment_name: string | null
}

/** Reads a run whole; undefined when the store has none, or it was deleted. */
export async function readFlowRunRecord(
  workspace: Workspace,
  id: string,
): Promise<StoredFlowRun | undefined> {
  const [found] = await readFlowRunRecords(workspace, [id])
  return found
}

/** The same for many, in one query; those that the store does not have are left out. */
export async function readFlowRunRecords(
  workspace: Workspace,
  ids: readonly string[],
): Promise<StoredFlowRun[]> {
  const rows = await workspace.store
    .select({ run: flowRun, flow_name: flow.name, deployment_name: deployment.name })
    .from(flowRun)
    .leftJoin(flow, eq(flow.id, flowRun.flow_id))
    .leftJoin(deployment, eq(deployment.id, flowRun.deployment_id))
    .where(
      and(
        eq(flowRun.workspace_id, workspace.id),
        sql`${flowRun.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
        eq(flowRun.deleted, false),
      ),
    )
  return rows.map(({ run, flow_name, deployment_name }) => {
    const { workspace_id: _workspace, tail: _tail, ...record } = run
    return { record, flow_name, deployment_name }
  })
}
