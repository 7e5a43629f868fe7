import type { Flow } from '#core/wire/flow.ts'
import { findFlow, findFlowByName } from '#storage/flows.ts'
import type { Workspace } from '#storage/workspace.ts'
import { LastKnown } from './last-known.ts'

const byId = new LastKnown<Flow>()
const byName = new LastKnown<Flow>()

/** A flow, as runs and their code ask for it when they begin; with the store away as it was last seen. */
export async function readFlow(workspace: Workspace, id: string): Promise<Flow | undefined> {
  return await byId.read(workspace, id, () => findFlow(workspace, id))
}

/** A flow that was just made. */
export function noteFlow(workspace: Workspace, flow: Flow): void {
  byId.note(workspace, flow.id, flow)
  byName.note(workspace, flow.name, flow)
}

export async function readFlowByName(
  workspace: Workspace,
  name: string,
): Promise<Flow | undefined> {
  return await byName.read(workspace, name, () => findFlowByName(workspace, name))
}
