import { and, eq } from 'drizzle-orm'
import { blockDocument, configuration } from './schema/blocks.ts'
import type { Workspace } from './workspace.ts'

const KEY = 'default-result-storage'

/** The document of the workspace's default result storage; null when none was chosen, or it is gone. */
export async function findDefaultResultStorage(workspace: Workspace): Promise<string | null> {
  const [row] = await workspace.store
    .select({ id: blockDocument.id })
    .from(configuration)
    .innerJoin(
      blockDocument,
      and(
        eq(blockDocument.workspace_id, configuration.workspace_id),
        eq(blockDocument.id, configuration.value),
      ),
    )
    .where(and(eq(configuration.workspace_id, workspace.id), eq(configuration.key, KEY)))
  return row?.id ?? null
}

export async function setDefaultResultStorage(
  workspace: Workspace,
  blockDocumentId: string,
): Promise<void> {
  await workspace.store
    .insert(configuration)
    .values({ workspace_id: workspace.id, key: KEY, value: blockDocumentId })
    .onConflictDoUpdate({
      target: [configuration.workspace_id, configuration.key],
      set: { value: blockDocumentId },
    })
}

export async function clearDefaultResultStorage(workspace: Workspace): Promise<void> {
  await workspace.store
    .delete(configuration)
    .where(and(eq(configuration.workspace_id, workspace.id), eq(configuration.key, KEY)))
}
