import { and, asc, count, desc, eq, gt, sql, type SQL } from 'drizzle-orm'
import type { BlockDocument } from '#core/wire/block-document.ts'
import type { BlockDocumentsCount, BlockDocumentsQuery } from '#core/wire/query.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { AuditedChange } from '#domain/audit.ts'
import { fullBlockDocument, type StoredBlockDocument } from '#domain/block-document.ts'
import { blockDocumentCondition } from '#domain/block-filters.ts'
import { parseExactly } from '#domain/exact-json.ts'
import { systemBlockTypeBySlug } from '#domain/system-blocks.ts'
import { runRecorded } from './audit.ts'
import { loadBlockCatalog } from './block-schemas.ts'
import type { Statement } from './commit.ts'
import { toSql } from './condition.ts'
import { blockDocument, blockSchema } from './schema/blocks.ts'
import { openSeal, presentSeal, resealEach, type Seal } from './sealed-text.ts'
import type { Workspace } from './workspace.ts'

const columns = {
  id: blockDocument.id,
  created: blockDocument.created,
  updated: blockDocument.updated,
  name: blockDocument.name,
  data: blockDocument.data,
  block_schema_id: blockDocument.block_schema_id,
  block_type_id: blockDocument.block_type_id,
  block_type_name: blockDocument.block_type_name,
  block_document_references: blockDocument.block_document_references,
  is_anonymous: blockDocument.is_anonymous,
}
type Row = Omit<StoredBlockDocument, 'data'> & { data: string }

/** The id last, so that rows of equal rank keep one order from page to page. */
const ORDERS: Record<NonNullable<BlockDocumentsQuery['sort']>, SQL[]> = {
  NAME_ASC: [asc(blockDocument.name), asc(blockDocument.id)],
  NAME_DESC: [desc(blockDocument.name), desc(blockDocument.id)],
  BLOCK_TYPE_AND_NAME_ASC: [
    asc(blockDocument.block_type_name),
    asc(blockDocument.name),
    asc(blockDocument.id),
  ],
}

/** What names one document. */
export type BlockDocumentKey = { id: string } | { slug: string; name: string }

/** @param secrets whether they are shown */
export async function findBlockDocument(
  workspace: Workspace,
  key: BlockDocumentKey,
  secrets: boolean,
): Promise<BlockDocument | undefined> {
  const rows = await selectRows(workspace, 'id' in key ? eq(blockDocument.id, key.id) : ofName(key))
  const [found] = await complete(workspace, rows, secrets)
  return found

  function ofName({ slug, name }: { slug: string; name: string }): SQL | undefined {
    return and(
      eq(blockDocument.name, name),
      sql`${blockDocument.block_type_id} IN (${systemBlockTypeBySlug(slug)?.id ?? ''},
        (SELECT id FROM block_type WHERE workspace_id = ${workspace.id} AND slug = ${slug}))`,
    )
  }
}

/** @param secrets whether they are shown */
export async function listBlockDocuments(
  workspace: Workspace,
  query: BlockDocumentsQuery,
  slice: { limit: number; offset: number },
  secrets: boolean,
): Promise<BlockDocument[]> {
  const rows = await workspace.store
    .select(columns)
    .from(blockDocument)
    .where(toSql(blockDocumentCondition(workspace.id, query)))
    .orderBy(...ORDERS[query.sort ?? 'NAME_ASC'])
    .limit(slice.limit)
    .offset(slice.offset)
  return await complete(workspace, rows, secrets)
}

export async function countBlockDocuments(
  workspace: Workspace,
  query: BlockDocumentsCount,
): Promise<number> {
  const [row] = await workspace.store
    .select({ count: count() })
    .from(blockDocument)
    .where(toSql(blockDocumentCondition(workspace.id, query)))
  return row?.count ?? 0
}

/** A document as it is kept, and the sealed text of its data, which changes whenever it is written. */
export async function findStoredBlockDocument(
  workspace: Workspace,
  id: string,
): Promise<{ document: StoredBlockDocument; sealed: string } | undefined> {
  const [row] = await selectRows(workspace, eq(blockDocument.id, id))
  if (row === undefined) {
    return undefined
  }
  return { document: await unsealed(await openSeal(workspace), row), sealed: row.data }
}

/** Of these documents and all that they refer to: which refers to which. What is not there is not in it. */
export async function loadBlockDocumentReferences(
  workspace: Workspace,
  ids: readonly string[],
): Promise<Map<string, string[]>> {
  const rows = ids.length === 0 ? [] : await selectReached(workspace, ids)
  return new Map(rows.map((row) => [row.id, Object.values(row.block_document_references)]))
}

/**
 * @param change as the audit log tells it
 * @returns whether it was made; false when its type has one of that name
 */
export async function insertBlockDocument(
  workspace: Workspace,
  document: StoredBlockDocument,
  change: AuditedChange,
): Promise<boolean> {
  const made = await runRecorded(
    workspace,
    workspace.store
      .insert(blockDocument)
      .values({ ...(await toRow(workspace, document)), workspace_id: workspace.id })
      .onConflictDoNothing()
      .returning({ id: blockDocument.id }),
    change,
  )
  return made.length > 0
}

/**
 * @param change as the audit log tells it
 * @returns whether the row was still as it was read
 */
export async function updateBlockDocument(
  workspace: Workspace,
  document: StoredBlockDocument,
  sealed: string,
  change: AuditedChange,
): Promise<boolean> {
  const changed = await runRecorded(
    workspace,
    workspace.store
      .update(blockDocument)
      .set(await toRow(workspace, document))
      .where(
        and(
          eq(blockDocument.workspace_id, workspace.id),
          eq(blockDocument.id, document.id),
          eq(blockDocument.data, sealed),
        ),
      )
      .returning({ id: blockDocument.id }),
    change,
  )
  return changed.length > 0
}

/** @param change as the audit log tells it */
export async function removeBlockDocument(
  workspace: Workspace,
  id: string,
  change: AuditedChange,
): Promise<boolean> {
  const removed = await runRecorded(
    workspace,
    workspace.store
      .delete(blockDocument)
      .where(and(eq(blockDocument.workspace_id, workspace.id), eq(blockDocument.id, id)))
      .returning({ id: blockDocument.id }),
    change,
  )
  return removed.length > 0
}

export function removeBlockDocumentsOfSchema(workspace: Workspace, schemaId: string): Statement {
  return workspace.store
    .delete(blockDocument)
    .where(
      and(
        eq(blockDocument.workspace_id, workspace.id),
        eq(blockDocument.block_schema_id, schemaId),
      ),
    )
}

export function removeBlockDocumentsOfType(workspace: Workspace, typeId: string): Statement {
  const schemas = workspace.store
    .select({ id: blockSchema.id })
    .from(blockSchema)
    .where(and(eq(blockSchema.workspace_id, workspace.id), eq(blockSchema.block_type_id, typeId)))
  return workspace.store
    .delete(blockDocument)
    .where(
      and(
        eq(blockDocument.workspace_id, workspace.id),
        sql`(${blockDocument.block_type_id} = ${typeId} OR ${blockDocument.block_schema_id} IN ${schemas})`,
      ),
    )
}

/**
 * Seals documents anew that are sealed by another key than the workspace's present one, in the order of their ids; one that is
 * changed meanwhile is sealed by whoever changes it.
 * @returns how many, how many can't be opened, and the last of them; null when there were fewer than the limit
 */
export async function resealBlockDocuments(
  workspace: Workspace,
  after: string,
  limit: number,
): Promise<{ sealed: number; locked: number; last: string | null }> {
  const present = await presentSeal(workspace)
  const rows = await workspace.store
    .select({ id: blockDocument.id, text: blockDocument.data })
    .from(blockDocument)
    .where(
      and(
        eq(blockDocument.workspace_id, workspace.id),
        gt(blockDocument.id, after),
        sql`substr(${blockDocument.data}, 1, ${present.length}) <> ${present}`,
      ),
    )
    .orderBy(asc(blockDocument.id))
    .limit(limit)
  const locked = await resealEach(
    workspace,
    rows,
    async ({ id, text }, data) =>
      await workspace.store
        .update(blockDocument)
        .set({ data })
        .where(
          and(
            eq(blockDocument.workspace_id, workspace.id),
            eq(blockDocument.id, id),
            eq(blockDocument.data, text),
          ),
        ),
  )
  const last = rows.length < limit ? null : (rows.at(-1)?.id ?? null)
  return { sealed: rows.length - locked, locked, last }
}

async function selectRows(workspace: Workspace, condition: SQL | undefined): Promise<Row[]> {
  return await workspace.store
    .select(columns)
    .from(blockDocument)
    .where(and(eq(blockDocument.workspace_id, workspace.id), condition))
}

async function selectReached(workspace: Workspace, ids: readonly string[]): Promise<Row[]> {
  return await selectRows(
    workspace,
    sql`${blockDocument.id} IN (WITH RECURSIVE reached(id) AS (
      SELECT value FROM json_each(${JSON.stringify(ids)})
      UNION SELECT reference.value FROM reached
        JOIN block_document AS part ON part.workspace_id = ${workspace.id} AND part.id = reached.id
        JOIN json_each(part.block_document_references) AS reference)
      SELECT id FROM reached)`,
  )
}

/** The documents with all that they refer to, and their schemas. */
async function complete(
  workspace: Workspace,
  rows: readonly Row[],
  secrets: boolean,
): Promise<BlockDocument[]> {
  if (rows.length === 0) {
    return []
  }
  const referred = rows.flatMap((row) => Object.values(row.block_document_references))
  const nested = referred.length === 0 ? [] : await selectReached(workspace, referred)
  const all = [...rows, ...nested]
  const [seal, catalog] = await Promise.all([
    openSeal(workspace),
    loadBlockCatalog(
      workspace,
      [...new Set(all.map((row) => row.block_schema_id))],
      [...new Set(all.map((row) => row.block_type_id))],
    ),
  ])
  const documents = await Promise.all(all.map(async (row) => await unsealed(seal, row)))
  const shelf = {
    ...catalog,
    documents: new Map(documents.map((document) => [document.id, document])),
  }
  return rows.flatMap((row) => fullBlockDocument(shelf, row.id, secrets) ?? [])
}

async function unsealed(seal: Seal, row: Row): Promise<StoredBlockDocument> {
  return { ...row, data: parseExactly(await seal.unseal(row.id, row.data)) as JsonObject }
}

async function toRow(workspace: Workspace, document: StoredBlockDocument) {
  const seal = await openSeal(workspace)
  return {
    ...document,
    block_document_references: { ...document.block_document_references },
    data: await seal.seal(document.id, JSON.stringify(document.data)),
  }
}
