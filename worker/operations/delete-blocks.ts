import type { Micros } from '#core/time.ts'
import type { BlockType } from '#core/wire/block-type.ts'
import { audited } from '#domain/audit.ts'
import { auditedBlockSchema } from '#domain/audit-blocks.ts'
import { DomainError } from '#domain/errors.ts'
import { records } from '#storage/audit.ts'
import {
  removeBlockDocumentsOfSchema,
  removeBlockDocumentsOfType,
} from '#storage/block-documents.ts'
import {
  findBlockSchema,
  removeBlockSchema,
  removeBlockSchemasOfType,
} from '#storage/block-schemas.ts'
import { findBlockType, removeBlockType } from '#storage/block-types.ts'
import { commit } from '#storage/commit.ts'
import type { Workspace } from '#storage/workspace.ts'

/** Deletes a type with its schemas and documents. */
export async function deleteBlockType(
  workspace: Workspace,
  id: string,
  now: Micros,
): Promise<BlockType> {
  const type = await findBlockType(workspace, { id })
  if (type === undefined) {
    throw new DomainError('not_found', 'Block type not found')
  }
  if (type.is_protected) {
    throw new DomainError('forbidden', 'protected block types cannot be deleted.')
  }
  await commit(workspace, [
    removeBlockDocumentsOfType(workspace, id),
    removeBlockSchemasOfType(workspace, id),
    removeBlockType(workspace, type, now),
    ...records(workspace, audited('block_type', type, null)),
  ])
  return type
}

/** Deletes a schema with the documents that follow it. */
export async function deleteBlockSchema(workspace: Workspace, id: string): Promise<void> {
  const schema = await findBlockSchema(workspace, id)
  if (schema === undefined) {
    throw new DomainError('not_found', 'Block schema not found')
  }
  if (schema.block_type.is_protected) {
    throw new DomainError('forbidden', 'Block schemas for protected block types cannot be deleted.')
  }
  await commit(workspace, [
    removeBlockDocumentsOfSchema(workspace, id),
    removeBlockSchema(workspace, id),
    ...records(workspace, auditedBlockSchema(schema, null)),
  ])
}
