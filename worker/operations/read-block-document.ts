import type { BlockDocument } from '#core/wire/block-document.ts'
import { findBlockDocument } from '#storage/block-documents.ts'
import type { Workspace } from '#storage/workspace.ts'

/**
 * A block with the data of the blocks that it refers to and its secrets in the clear: for what the server itself does with it,
 * never for an answer.
 */
export async function readBlockDocument(
  workspace: Workspace,
  id: string,
): Promise<BlockDocument | undefined> {
  const found = await findBlockDocument(workspace, { id: id.toLowerCase() }, true)
  // Numbers that were kept as they came are numbers again.
  return found && { ...found, data: JSON.parse(JSON.stringify(found.data)) as typeof found.data }
}
