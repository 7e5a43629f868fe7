import { and, asc, eq, sql, type SQL } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { BlockType } from '#core/wire/block-type.ts'
import type { BlockTypesQuery } from '#core/wire/query.ts'
import { audited } from '#domain/audit.ts'
import { blockSchemaCondition, blockTypeCondition } from '#domain/block-filters.ts'
import { meetsTypeFilters, systemBlockTypeBySlug, systemBlockTypes } from '#domain/system-blocks.ts'
import { runRecorded } from './audit.ts'
import type { Statement } from './commit.ts'
import { toSql } from './condition.ts'
import { blockSchema, blockType } from './schema/blocks.ts'
import type { Workspace } from './workspace.ts'

const columns = {
  id: blockType.id,
  created: blockType.created,
  updated: blockType.updated,
  name: blockType.name,
  slug: blockType.slug,
  logo_url: blockType.logo_url,
  documentation_url: blockType.documentation_url,
  description: blockType.description,
  code_example: blockType.code_example,
  is_protected: blockType.is_protected,
}

/** What names one block type. */
export type BlockTypeKey = { id: string } | { slug: string }

/** The workspace's own, else the system's unless the workspace has deleted it. */
export async function findBlockType(
  workspace: Workspace,
  key: BlockTypeKey,
): Promise<BlockType | undefined> {
  const named = 'id' in key ? eq(blockType.id, key.id) : eq(blockType.slug, key.slug)
  const [row] = await workspace.store
    .select({ ...columns, deleted: blockType.deleted })
    .from(blockType)
    .where(and(eq(blockType.workspace_id, workspace.id), named))
  if (row === undefined) {
    return 'id' in key ? systemBlockTypes.get(key.id) : systemBlockTypeBySlug(key.slug)
  }
  const { deleted, ...type } = row
  return deleted ? undefined : type
}

/** The own rows that the condition names and those that stand for the system's, by their ids; undefined for a deleted one. */
export async function loadOwnBlockTypes(
  workspace: Workspace,
  condition: SQL,
): Promise<Map<string, BlockType | undefined>> {
  const rows = await workspace.store
    .select({ ...columns, deleted: blockType.deleted })
    .from(blockType)
    .where(
      and(
        eq(blockType.workspace_id, workspace.id),
        sql`(${blockType.is_system} = 1 OR ${condition})`,
      ),
    )
  return new Map(rows.map(({ deleted, ...type }) => [type.id, deleted ? undefined : type]))
}

/** By name: the workspace's own and the system's. */
export async function listBlockTypes(
  workspace: Workspace,
  query: BlockTypesQuery,
  slice: { limit: number; offset: number },
): Promise<BlockType[]> {
  const { block_types: filter, block_schemas: schemaFilter } = query
  const [own, standIns, withSchemas] = await workspace.store.batch([
    workspace.store
      .select(columns)
      .from(blockType)
      .where(toSql(blockTypeCondition(workspace.id, filter, schemaFilter)))
      .orderBy(asc(blockType.name), asc(blockType.id))
      .limit(slice.offset + slice.limit),
    workspace.store
      .select({ id: blockType.id })
      .from(blockType)
      .where(and(eq(blockType.workspace_id, workspace.id), eq(blockType.is_system, true))),
    workspace.store
      .selectDistinct({ id: blockSchema.block_type_id })
      .from(blockSchema)
      .where(
        and(
          schemaFilter ? undefined : sql`0`,
          toSql(blockSchemaCondition(workspace.id, schemaFilter)),
        ),
      ),
  ])
  const hidden = new Set(standIns.map((row) => row.id))
  const known = new Set(withSchemas.map((row) => row.id))
  const system = [...systemBlockTypes.values()].filter(
    (type) =>
      !hidden.has(type.id) &&
      meetsTypeFilters(type, filter, known.has(type.id) ? undefined : schemaFilter),
  )
  return [...own, ...system].toSorted(byName).slice(slice.offset, slice.offset + slice.limit)
}

/** @returns what was made; undefined when the workspace has one of that slug */
export async function insertBlockType(
  workspace: Workspace,
  type: BlockType,
): Promise<BlockType | undefined> {
  const system = systemBlockTypeBySlug(type.slug)
  const values = { ...type, is_system: false, deleted: false }
  const change = audited('block_type', null, { ...type, id: system?.id ?? type.id })
  const [made] =
    system === undefined
      ? await runRecorded(
          workspace,
          workspace.store
            .insert(blockType)
            .values({ ...values, workspace_id: workspace.id })
            .onConflictDoNothing()
            .returning(columns),
          change,
        )
      : // One that was deleted comes back under its old id, with which its schemas are.
        await runRecorded(
          workspace,
          workspace.store
            .update(blockType)
            .set({ ...values, id: system.id, is_system: true })
            .where(
              and(
                eq(blockType.workspace_id, workspace.id),
                eq(blockType.id, system.id),
                eq(blockType.deleted, true),
              ),
            )
            .returning(columns),
          change,
        )
  return made
}

/** Stores what a type is from now on, be it the workspace's own or the system's. */
export async function storeBlockType(
  workspace: Workspace,
  before: BlockType,
  type: BlockType,
): Promise<void> {
  const change = audited('block_type', before, type)
  await runRecorded(workspace, replaceBlockType(workspace, type, false), change)
}

/** A type of the system stays as a mark that it was deleted. Its schemas and documents are deleted by who calls. */
export function removeBlockType(workspace: Workspace, type: BlockType, now: Micros): Statement {
  return systemBlockTypes.has(type.id)
    ? replaceBlockType(workspace, { ...type, updated: formatTimestamp(now) }, true)
    : workspace.store
        .delete(blockType)
        .where(and(eq(blockType.workspace_id, workspace.id), eq(blockType.id, type.id)))
}

function replaceBlockType(workspace: Workspace, type: BlockType, deleted: boolean) {
  const values = { ...type, is_system: systemBlockTypes.has(type.id), deleted }
  return workspace.store
    .insert(blockType)
    .values({ ...values, workspace_id: workspace.id })
    .onConflictDoUpdate({ target: [blockType.workspace_id, blockType.id], set: values })
}

function byName(left: BlockType, right: BlockType): number {
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0
}
