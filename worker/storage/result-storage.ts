import { and, eq } from 'drizzle-orm'
import type { AuditedChange } from '#domain/audit.ts'
import { runRecorded } from './audit.ts'
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
  await runRecorded(
    workspace,
    workspace.store
      .insert(configuration)
      .values({ workspace_id: workspace.id, key: KEY, value: blockDocumentId })
      .onConflictDoUpdate({
        target: [configuration.workspace_id, configuration.key],
        set: { value: blockDocumentId },
      }),
    await changeTo(workspace, blockDocumentId),
  )
}

export async function clearDefaultResultStorage(workspace: Workspace): Promise<void> {
  await runRecorded(
    workspace,
    workspace.store
      .delete(configuration)
      .where(and(eq(configuration.workspace_id, workspace.id), eq(configuration.key, KEY))),
    await changeTo(workspace, null),
  )
}

async function changeTo(
  workspace: Workspace,
  blockDocumentId: string | null,
): Promise<AuditedChange> {
  const before = workspace.trail === undefined ? null : await findDefaultResultStorage(workspace)
  return {
    object_kind: 'workspace',
    object_id: workspace.id,
    object_name: workspace.name,
    before: { default_result_storage_block_id: before },
    after: { default_result_storage_block_id: blockDocumentId },
  }
}
