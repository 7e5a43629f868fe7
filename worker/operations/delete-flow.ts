import type { HomeKey } from '#core/flow-run-id.ts'
import type { AuditTrail } from '#domain/audit.ts'
import { listRunIdsOfFlow } from '#storage/flow-runs.ts'
import { listDeploymentsOfFlow, removeFlow } from '#storage/flows.ts'
import { releaseIdempotencyKeysOfFlow } from '#storage/idempotency-keys.ts'
import type { Workspace } from '#storage/workspace.ts'
import { deleteAtHomes } from './change-flow-runs.ts'
import { homeContext } from './configure-home.ts'
import { deleteRemains } from './delete-flow-run.ts'
import type { JobKind } from './job-kind.ts'
import { homeStub } from './stubs.ts'

/** A flow that is being deleted with all that is its: what is known to be left. */
export interface FlowDeletion {
  flow_id: string
  /** Gone from the store; their homes have not heard it. */
  deployments: { id: string; home_key: HomeKey }[]
  /** Being deleted. */
  flow_run_ids: string[]
  /** How often in a row no run was found. */
  empty_looks: number
}

/** How many deployments and runs one step deletes: some seconds' work. */
const STEP_DEPLOYMENTS = 20
const STEP_RUNS = 50
/** A run that was just made comes to the store within a second; so the last look is some time after the one before. */
const LAST_LOOK_AFTER_MS = 5000

/** What a deletion begins with, before anything is gone. */
export async function planFlowDeletion(workspace: Workspace, id: string): Promise<FlowDeletion> {
  const deployments = await listDeploymentsOfFlow(workspace, id)
  return { flow_id: id, deployments, flow_run_ids: [], empty_looks: 0 }
}

/** From here on nobody sees the flow or its deployments. Undefined: there is no such flow. */
export async function hideFlow(
  workspace: Workspace,
  deletion: FlowDeletion,
  trail: AuditTrail | null,
): Promise<FlowDeletion | undefined> {
  const handle = trail === null ? workspace : { ...workspace, trail }
  const { removed, deployments } = await removeFlow(handle, deletion.flow_id)
  const known = new Set(deletion.deployments.map(({ id }) => id))
  const late = deployments.filter(({ id }) => !known.has(id))
  return removed ? { ...deletion, deployments: [...deletion.deployments, ...late] } : undefined
}

export interface DeletedFlow {
  flow_id: string
  /** Who deletes it; not there in jobs of an earlier release. */
  trail?: AuditTrail | null
}

/** The rest, after the flow is hidden. */
export const deleteFlowJob: JobKind<DeletedFlow, FlowDeletion> = {
  mustEnd: true,
  step: async (workspace, { parameters, left }) => {
    const planned = left ?? (await planFlowDeletion(workspace, parameters.flow_id))
    // Its caller may have died before or after the flow was hidden; hiding it twice does nothing.
    const hidden = (await hideFlow(workspace, planned, parameters.trail ?? null)) ?? planned
    const next = await continueFlowDeletion(workspace, hidden)
    return next ?? { left: null }
  },
}

/**
 * One step of the rest; repeating it is harmless. Homes hear first that deployments are gone, which ends their schedules;
 * then runs are deleted until two looks find none.
 * @returns what is left, and when to go on; null when nothing is
 */
async function continueFlowDeletion(
  workspace: Workspace,
  deletion: FlowDeletion,
): Promise<{ left: FlowDeletion; afterMs: number; done?: number } | null> {
  const { flow_id, deployments, flow_run_ids } = deletion
  if (deployments.length > 0) {
    await Promise.all(
      deployments.slice(0, STEP_DEPLOYMENTS).map(async ({ id, home_key }) => {
        const context = homeContext(workspace, home_key)
        await homeStub(workspace, home_key).applyDeployment(context, id, null)
      }),
    )
    return { left: { ...deletion, deployments: deployments.slice(STEP_DEPLOYMENTS) }, afterMs: 0 }
  }
  if (flow_run_ids.length > 0) {
    await deleteAtHomes(workspace, flow_run_ids, null)
    // Of all, since an interrupted step may have deleted some already.
    await Promise.all(flow_run_ids.map((id) => deleteRemains(workspace, id)))
    return { left: { ...deletion, flow_run_ids: [] }, afterMs: 0, done: flow_run_ids.length }
  }
  const ids = await listRunIdsOfFlow(workspace, flow_id, STEP_RUNS)
  if (ids.length > 0) {
    return { left: { ...deletion, flow_run_ids: ids, empty_looks: 0 }, afterMs: 0 }
  }
  if (deletion.empty_looks === 0) {
    return { left: { ...deletion, empty_looks: 1 }, afterMs: LAST_LOOK_AFTER_MS }
  }
  await releaseIdempotencyKeysOfFlow(workspace, flow_id)
  return null
}
