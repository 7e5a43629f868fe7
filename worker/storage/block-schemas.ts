import { and, desc, eq, sql, type SQL } from 'drizzle-orm'
import type { BlockSchema } from '#core/wire/block-schema.ts'
import type { BlockSchemasQuery } from '#core/wire/query.ts'
import { blockSchemaCondition } from '#domain/block-filters.ts'
import { fullBlockSchema, type BlockCatalog, type StoredBlockSchema } from '#domain/block-schema.ts'
import { meetsSchemaFilter, systemBlockSchemas, systemBlockTypes } from '#domain/system-blocks.ts'
import { loadOwnBlockTypes } from './block-types.ts'
import type { Statement } from './commit.ts'
import { toSql } from './condition.ts'
import { blockSchema, blockType } from './schema/blocks.ts'
import type { Workspace } from './workspace.ts'

const columns = {
  id: blockSchema.id,
  created: blockSchema.created,
  updated: blockSchema.updated,
  block_type_id: blockSchema.block_type_id,
  checksum: blockSchema.checksum,
  version: blockSchema.version,
  capabilities: blockSchema.capabilities,
  fields: blockSchema.fields,
  block_schema_references: blockSchema.block_schema_references,
}

/** The schemas of these ids with all that they refer to, and the types of these and of `typeIds`. */
export async function loadBlockCatalog(
  workspace: Workspace,
  schemaIds: readonly string[],
  typeIds: readonly string[] = [],
): Promise<BlockCatalog> {
  const reached = reachedFrom(workspace, schemaIds)
  const [rows, ownTypes] = await Promise.all([
    workspace.store
      .select({ ...columns, deleted: blockSchema.deleted })
      .from(blockSchema)
      .where(
        and(eq(blockSchema.workspace_id, workspace.id), sql`${blockSchema.id} IN (${reached})`),
      ),
    loadOwnBlockTypes(
      workspace,
      sql`${blockType.id} IN (SELECT value FROM json_each(${JSON.stringify(typeIds)}))
        OR ${blockType.id} IN (SELECT part.block_type_id FROM block_schema AS part
          WHERE part.workspace_id = ${workspace.id} AND part.id IN (${reached}))`,
    ),
  ])
  const own = new Map(
    rows.map(({ deleted, ...schema }) => [schema.id, deleted ? undefined : schema]),
  )
  const schemas = new Map<string, StoredBlockSchema>()
  const pending = [...schemaIds]
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    const schema = own.has(id) ? own.get(id) : systemBlockSchemas.get(id)
    if (schema !== undefined && !schemas.has(id)) {
      schemas.set(id, schema)
      pending.push(...schema.block_schema_references.map((reference) => reference.id))
    }
  }
  const types = new Map(systemBlockTypes)
  for (const [id, type] of ownTypes) {
    if (type === undefined) {
      types.delete(id)
    } else {
      types.set(id, type)
    }
  }
  return { schemas, types }
}

/** The ids of own schemas and of all that they refer to. */
function reachedFrom(workspace: Workspace, ids: readonly string[]): SQL {
  return sql`WITH RECURSIVE reached(id) AS (
    SELECT value FROM json_each(${JSON.stringify(ids)})
    UNION SELECT json_extract(reference.value, '$.id') FROM reached
      JOIN block_schema AS part ON part.workspace_id = ${workspace.id} AND part.id = reached.id
      JOIN json_each(part.block_schema_references) AS reference)
    SELECT id FROM reached`
}

export async function findBlockSchema(
  workspace: Workspace,
  id: string,
): Promise<BlockSchema | undefined> {
  return fullBlockSchema(await loadBlockCatalog(workspace, [id]), id)
}

/** The youngest schema of a checksum, of any version if none is named; without what it refers to. */
export async function findStoredBlockSchema(
  workspace: Workspace,
  checksum: string,
  version: string | undefined,
): Promise<StoredBlockSchema | undefined> {
  const rows = await workspace.store
    .select({ ...columns, deleted: blockSchema.deleted })
    .from(blockSchema)
    .where(
      and(
        eq(blockSchema.workspace_id, workspace.id),
        eq(blockSchema.checksum, checksum),
        version === undefined ? undefined : eq(blockSchema.version, version),
      ),
    )
    .orderBy(desc(blockSchema.created), desc(blockSchema.id))
  const own = rows.find((row) => !row.deleted)
  if (own !== undefined) {
    const { deleted: _, ...schema } = own
    return schema
  }
  const deleted = new Set(rows.map((row) => row.id))
  return [...systemBlockSchemas.values()].findLast(
    (schema) =>
      schema.checksum === checksum &&
      (version === undefined || schema.version === version) &&
      !deleted.has(schema.id),
  )
}

/** The youngest first: the workspace's own, then the system's. */
export async function listBlockSchemas(
  workspace: Workspace,
  query: BlockSchemasQuery,
  slice: { limit: number; offset: number },
): Promise<BlockSchema[]> {
  const [own, deleted, deletedTypes] = await workspace.store.batch([
    workspace.store
      .select({ id: blockSchema.id })
      .from(blockSchema)
      .where(toSql(blockSchemaCondition(workspace.id, query.block_schemas)))
      .orderBy(desc(blockSchema.created), desc(blockSchema.id))
      .limit(slice.offset + slice.limit),
    workspace.store
      .select({ id: blockSchema.id })
      .from(blockSchema)
      .where(and(eq(blockSchema.workspace_id, workspace.id), eq(blockSchema.deleted, true))),
    workspace.store
      .select({ id: blockType.id })
      .from(blockType)
      .where(and(eq(blockType.workspace_id, workspace.id), eq(blockType.deleted, true))),
  ])
  const hidden = new Set([...deleted, ...deletedTypes].map((row) => row.id))
  const system = [...systemBlockSchemas.values()]
    .filter(
      (schema) =>
        !hidden.has(schema.id) &&
        !hidden.has(schema.block_type_id) &&
        meetsSchemaFilter(schema, query.block_schemas),
    )
    .toReversed()
  const ids = [...own, ...system]
    .slice(slice.offset, slice.offset + slice.limit)
    .map((schema) => schema.id)
  const catalog = await loadBlockCatalog(workspace, ids)
  return ids.flatMap((id) => fullBlockSchema(catalog, id) ?? [])
}

export async function listBlockCapabilities(workspace: Workspace): Promise<string[]> {
  const rows = await workspace.store
    .selectDistinct({ capabilities: blockSchema.capabilities })
    .from(blockSchema)
    .where(and(eq(blockSchema.workspace_id, workspace.id), eq(blockSchema.deleted, false)))
  return [
    ...new Set([...systemBlockSchemas.values(), ...rows].flatMap((schema) => schema.capabilities)),
  ].toSorted()
}

/** One of the system's that was deleted comes back under its old id. */
export function insertBlockSchema(workspace: Workspace, schema: StoredBlockSchema): Statement {
  return replaceBlockSchema(workspace, schema, false)
}

/** A schema of the system stays as a mark that it was deleted. Its documents are deleted by who calls. */
export function removeBlockSchema(workspace: Workspace, id: string): Statement {
  const system = systemBlockSchemas.get(id)
  return system === undefined
    ? workspace.store
        .delete(blockSchema)
        .where(and(eq(blockSchema.workspace_id, workspace.id), eq(blockSchema.id, id)))
    : replaceBlockSchema(workspace, system, true)
}

export function removeBlockSchemasOfType(workspace: Workspace, typeId: string): Statement {
  return workspace.store
    .delete(blockSchema)
    .where(and(eq(blockSchema.workspace_id, workspace.id), eq(blockSchema.block_type_id, typeId)))
}

function replaceBlockSchema(workspace: Workspace, schema: StoredBlockSchema, deleted: boolean) {
  const values = {
    ...schema,
    block_schema_references: [...schema.block_schema_references],
    deleted,
  }
  return workspace.store
    .insert(blockSchema)
    .values({ ...values, workspace_id: workspace.id })
    .onConflictDoUpdate({
      target: [blockSchema.workspace_id, blockSchema.id],
      set: values,
    })
}
