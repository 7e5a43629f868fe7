import type {
  BlockDocumentFilter,
  BlockSchemaFilter,
  BlockTypeFilter,
} from '../../core/wire/query.ts'
import { arrayHasAll, condition, every, exists, oneOf, some, type Condition } from './condition.ts'
import { combined, isGiven, maybe, names, values, type Given } from './filter-fields.ts'
import {
  meetsSchemaFilter,
  meetsTypeFilters,
  systemBlockSchemas,
  systemBlockTypes,
} from './system-blocks.ts'

// The conditions on a workspace's own rows. What the program itself brings is judged by system-blocks.

export function blockTypeCondition(
  workspaceId: string,
  filter: Given<BlockTypeFilter>,
  schemaFilter: Given<BlockSchemaFilter>,
): Condition {
  return every([
    condition('block_type.workspace_id = ?', workspaceId),
    condition('block_type.deleted = 0'),
    typeParts(filter),
    maybe(schemaFilter, (given) =>
      some([
        exists('block_schema', [
          condition('block_schema.block_type_id = block_type.id'),
          blockSchemaCondition(workspaceId, given),
        ]),
        oneOf(
          'block_type.id',
          [...systemBlockSchemas.values()]
            .filter((schema) => meetsSchemaFilter(schema, given))
            .map((schema) => schema.block_type_id),
        ),
      ]),
    ),
  ])
}

export function blockSchemaCondition(
  workspaceId: string,
  filter: Given<BlockSchemaFilter>,
): Condition {
  return every([
    condition('block_schema.workspace_id = ?', workspaceId),
    condition('block_schema.deleted = 0'),
    combined(filter, (given) => [
      values('block_schema.block_type_id', given.block_type_id),
      maybe(given.block_capabilities, ({ all_ }) =>
        every([maybe(all_, (wanted) => arrayHasAll('block_schema.capabilities', wanted))]),
      ),
      values('block_schema.id', given.id),
      values('block_schema.version', given.version),
    ]),
  ])
}

/** Anonymous documents are left out unless the filter speaks of them, be it with null. */
export function blockDocumentCondition(
  workspaceId: string,
  filters: {
    block_documents?: Given<BlockDocumentFilter>
    block_types?: Given<BlockTypeFilter>
    block_schemas?: Given<BlockSchemaFilter>
  },
): Condition {
  const { block_types: types, block_schemas: schemas } = filters
  return every([
    condition('block_document.workspace_id = ?', workspaceId),
    combined(filters.block_documents ?? {}, (given) => [
      values('block_document.id', given.id),
      maybe(given.is_anonymous === undefined ? { eq_: false } : given.is_anonymous, ({ eq_ }) =>
        every([
          maybe(eq_, (wanted) => condition(`block_document.is_anonymous = ${wanted ? 1 : 0}`)),
        ]),
      ),
      values('block_document.block_type_id', given.block_type_id),
      names('block_document.name', given.name),
    ]),
    isGiven(types) ? ofType(workspaceId, types) : undefined,
    isGiven(schemas) ? ofSchema(workspaceId, schemas) : undefined,
  ])
}

function ofType(workspaceId: string, filter: BlockTypeFilter): Condition {
  return some([
    exists('block_type', [
      condition('block_type.id = block_document.block_type_id'),
      blockTypeCondition(workspaceId, filter, undefined),
    ]),
    oneOf(
      'block_document.block_type_id',
      [...systemBlockTypes.values()]
        .filter((type) => meetsTypeFilters(type, filter, undefined))
        .map((type) => type.id),
    ),
  ])
}

function ofSchema(workspaceId: string, filter: BlockSchemaFilter): Condition {
  return some([
    exists('block_schema', [
      condition('block_schema.id = block_document.block_schema_id'),
      blockSchemaCondition(workspaceId, filter),
    ]),
    oneOf(
      'block_document.block_schema_id',
      [...systemBlockSchemas.values()]
        .filter((schema) => meetsSchemaFilter(schema, filter))
        .map((schema) => schema.id),
    ),
  ])
}

function typeParts(filter: Given<BlockTypeFilter>): Condition | undefined {
  return maybe(filter, ({ name, slug }) =>
    every([names('block_type.name', name), values('block_type.slug', slug)]),
  )
}
