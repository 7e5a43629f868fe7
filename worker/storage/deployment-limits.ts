import { and, eq, isNotNull } from 'drizzle-orm'
import type { HomeKey } from '#core/flow-run-id.ts'
import { deployment } from './schema/config.ts'
import type { Workspace } from './workspace.ts'

/** A deployment that has a limit. The slots in use are known to its home. */
export interface DeploymentLimit {
  id: string
  created: string
  updated: string
  home_key: HomeKey
  concurrency_limit: number
}

export async function listDeploymentLimits(
  workspace: Workspace,
  deploymentId?: string,
): Promise<DeploymentLimit[]> {
  const rows = await workspace.store
    .select({
      id: deployment.id,
      created: deployment.created,
      updated: deployment.updated,
      home_key: deployment.home_key,
      concurrency_limit: deployment.concurrency_limit,
    })
    .from(deployment)
    .where(
      and(
        eq(deployment.workspace_id, workspace.id),
        isNotNull(deployment.concurrency_limit),
        deploymentId === undefined ? undefined : eq(deployment.id, deploymentId),
      ),
    )
  return rows.flatMap(({ concurrency_limit, ...row }) =>
    concurrency_limit === null ? [] : { ...row, concurrency_limit },
  )
}
