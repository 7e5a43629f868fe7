import type { BlockType } from '../../core/wire/block-type.ts'
import type { BlockSchemaFilter, BlockTypeFilter } from '../../core/wire/query.ts'
import { formatTimestamp, parseTimestamp } from '../../core/time.ts'
import type { StoredBlockSchema } from './block-schema.ts'
import data from './data/block-types.json' with { type: 'json' }
import type { Given } from './filter-fields.ts'

// What every workspace has of block types and schemas, as Prefect's server installs them: read from here, not stored, so that
// it costs a workspace nothing. Their ids are the same everywhere.

/** Before any workspace's own; later ones in the list are younger, as where Prefect's server registers them one by one. */
const INSTALLED = parseTimestamp('2025-01-01') ?? 0

export const systemBlockTypes: ReadonlyMap<string, BlockType> = new Map(
  data.block_types.map((type) => {
    const created = formatTimestamp(INSTALLED)
    return [type.id, { ...type, created, updated: created }]
  }),
)

export const systemBlockSchemas: ReadonlyMap<string, StoredBlockSchema> = new Map(
  data.block_schemas.map((schema, index) => {
    const created = formatTimestamp(INSTALLED + index)
    return [schema.id, { ...schema, created, updated: created }]
  }),
)

/** Those that can't be deleted. */
export const protectedBlockTypes: readonly BlockType[] = [...systemBlockTypes.values()].filter(
  (type) => type.is_protected,
)

export function systemBlockTypeBySlug(slug: string): BlockType | undefined {
  return [...systemBlockTypes.values()].find((type) => type.slug === slug)
}

/** Whether a type meets the filter, and one of its schemas the other. */
export function meetsTypeFilters(
  type: BlockType,
  filter: Given<BlockTypeFilter>,
  schemaFilter: Given<BlockSchemaFilter>,
): boolean {
  const like = filter?.name?.like_?.toLowerCase() ?? ''
  return (
    type.name.toLowerCase().includes(like) &&
    (filter?.slug?.any_?.includes(type.slug) ?? true) &&
    (!schemaFilter ||
      [...systemBlockSchemas.values()].some(
        (schema) => schema.block_type_id === type.id && meetsSchemaFilter(schema, schemaFilter),
      ))
  )
}

export function meetsSchemaFilter(
  schema: StoredBlockSchema,
  filter: Given<BlockSchemaFilter>,
): boolean {
  const { id, block_type_id, block_capabilities, version, operator } = filter ?? {}
  const parts = [
    id && (id.any_?.includes(schema.id) ?? true),
    block_type_id && (block_type_id.any_?.includes(schema.block_type_id) ?? true),
    block_capabilities &&
      (block_capabilities.all_?.every((wanted) => schema.capabilities.includes(wanted)) ?? true),
    version && (version.any_?.includes(schema.version) ?? true),
  ].filter((part) => typeof part === 'boolean')
  return operator === 'or_' && parts.length > 0 ? parts.some(Boolean) : parts.every(Boolean)
}
