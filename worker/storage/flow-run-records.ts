import { and, eq } from 'drizzle-orm'
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
  const [row] = await workspace.store
    .select({ run: flowRun, flow_name: flow.name, deployment_name: deployment.name })
    .from(flowRun)
    .leftJoin(flow, eq(flow.id, flowRun.flow_id))
    .leftJoin(deployment, eq(deployment.id, flowRun.deployment_id))
    .where(
      and(eq(flowRun.workspace_id, workspace.id), eq(flowRun.id, id), eq(flowRun.deleted, false)),
    )
  if (row === undefined) {
    return undefined
  }
  const { workspace_id: _workspace, tail: _tail, ...record } = row.run
  return { record, flow_name: row.flow_name, deployment_name: row.deployment_name }
}
