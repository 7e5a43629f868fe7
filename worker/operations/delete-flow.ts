import type { Micros } from '#core/time.ts'
import { DomainError } from '#domain/errors.ts'
import { listDeployments } from '#storage/deployments.ts'
import { removeFlow } from '#storage/flows.ts'
import type { Workspace } from '#storage/workspace.ts'
import { deleteDeployment } from './change-deployment.ts'

/** How many of a flow's deployments are read at once. */
const PAGE = 50

/**
 * Deletes a flow and its deployments, each through its home, which ends their schedules. A repeated call after a failure in
 * between ends it. The flow's runs stay as a record, without a flow.
 */
export async function deleteFlow(workspace: Workspace, id: string, now: Micros): Promise<void> {
  const filters = { flows: { id: { any_: [id] } } }
  for (;;) {
    const page = { limit: PAGE, offset: 0 }
    // Each page is read after the one before is gone.
    // oxlint-disable-next-line no-await-in-loop
    const deployments = await listDeployments(workspace, filters, 'NAME_ASC', page, now)
    if (deployments.length === 0) {
      break
    }
    for (const deployment of deployments) {
      // One after the other: they may share a home, which would make the later ones wait anyway.
      // oxlint-disable-next-line no-await-in-loop
      await deleteDeployment(workspace, deployment.id, now)
    }
  }
  if (!(await removeFlow(workspace, id))) {
    throw new DomainError('not_found', 'Flow not found')
  }
}
