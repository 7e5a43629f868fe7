import { homeKeyOf } from '#core/flow-run-id.ts'
import { isUuid } from '#core/uuid.ts'
import { DomainError } from '#domain/errors.ts'
import { findHome } from '#storage/homes.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { HomeContext, WorkPool } from '../durable/work-pool.ts'
import { homeContext } from './configure-home.ts'
import { homeStub, type Remote } from './stubs.ts'

export interface FlowRunHome {
  context: HomeContext
  stub: Remote<WorkPool>
}

/** The home that an id of a flow run, or of its state, names; undefined when the workspace has no such home. */
export async function findFlowRunHome(
  workspace: Workspace,
  id: string,
): Promise<FlowRunHome | undefined> {
  const home = isUuid(id) ? await findHome(workspace, homeKeyOf(id)) : undefined
  return home === undefined
    ? undefined
    : { context: homeContext(workspace, home.key), stub: homeStub(workspace, home.key) }
}

/** The same, or not found, before any object is touched. */
export async function flowRunHome(workspace: Workspace, id: string): Promise<FlowRunHome> {
  const home = await findFlowRunHome(workspace, id)
  if (home === undefined) {
    throw flowRunNotFound()
  }
  return home
}

export function flowRunNotFound(): DomainError {
  return new DomainError('not_found', 'Flow run not found')
}
