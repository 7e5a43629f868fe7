import type { AutomationExplanation } from '#core/wire/automation.ts'
import { findAutomation } from '#storage/automations.ts'
import type { Workspace } from '#storage/workspace.ts'
import { objectContext } from './object-context.ts'
import { eventHubStub } from './stubs.ts'

/**
 * Makes a change of automations so that the hub, which evaluates them, can't miss it: the hub notes that a change is coming,
 * the change is committed (with a higher version in the same batch), the rows are sent. Should this process die in between,
 * the hub reads the store by itself.
 */
export async function changeAutomations(
  workspace: Workspace,
  ids: readonly string[],
  commit: () => Promise<void>,
): Promise<void> {
  const context = objectContext(workspace)
  const hub = eventHubStub(workspace)
  await hub.expectAutomations(context, [...ids])
  await commit()
  const changes = await Promise.all(
    ids.map(async (id) => ({ id, stored: (await findAutomation(workspace, id)) ?? null })),
  )
  await hub.applyAutomations(context, changes)
}

/** What the triggers of an automation have made of events so far. */
export async function explainAutomation(
  workspace: Workspace,
  id: string,
): Promise<AutomationExplanation> {
  return await eventHubStub(workspace).explainAutomation(objectContext(workspace), id)
}
