import type { BlockSchema } from '../../core/wire/block-schema.ts'
import type { BlockType } from '../../core/wire/block-type.ts'
import type { Json, JsonObject } from '../../core/wire/common.ts'
import { isObject, parseExactly } from './exact-json.ts'

/** A schema as it is kept: without what is built from the schemas it refers to. */
export interface StoredBlockSchema extends Omit<BlockSchema, 'fields' | 'block_type'> {
  /** JSON, whose numbers are read as they are written. */
  fields: string
  block_schema_references: readonly { name: string; id: string }[]
}

/** Schemas with all that they refer to, and their types, by their ids. */
export interface BlockCatalog {
  types: ReadonlyMap<string, BlockType>
  schemas: ReadonlyMap<string, StoredBlockSchema>
}

/** The schema with its references, and the definitions of the blocks that it refers to; undefined when it or its type is gone. */
export function fullBlockSchema(catalog: BlockCatalog, id: string): BlockSchema | undefined {
  const stored = catalog.schemas.get(id)
  const type = stored === undefined ? undefined : catalog.types.get(stored.block_type_id)
  if (stored === undefined || type === undefined) {
    return undefined
  }
  const { block_schema_references: _, ...schema } = stored
  return { ...schema, fields: fullFields(catalog, stored, new Set()), block_type: type }
}

/** @param above the schemas that this one is part of: a circle ends there */
function fullFields(
  catalog: BlockCatalog,
  schema: StoredBlockSchema,
  above: ReadonlySet<string>,
): JsonObject {
  const references: Record<string, Json> = {}
  let definitions: JsonObject = {}
  for (const { name, id } of schema.block_schema_references) {
    const nested = catalog.schemas.get(id)
    const type = nested === undefined ? undefined : catalog.types.get(nested.block_type_id)
    if (nested === undefined || type === undefined || above.has(id)) {
      continue
    }
    references[name] = withReference(references[name], {
      block_schema_checksum: nested.checksum,
      block_type_slug: type.slug,
    })
    const { definitions: inner, ...fields } = fullFields(
      catalog,
      nested,
      new Set([...above, schema.id]),
    )
    if (typeof fields['title'] === 'string') {
      definitions = {
        ...definitions,
        [fields['title']]: fields,
        ...(isObject(inner) ? inner : {}),
      }
    }
  }
  const fields = parseExactly(schema.fields) as JsonObject
  const own = isObject(fields['definitions']) ? fields['definitions'] : {}
  const all = { ...own, ...definitions }
  return {
    ...fields,
    block_schema_references: references,
    ...(Object.keys(all).length === 0 ? {} : { definitions: all }),
  }
}

/** One reference stands by itself, several in a list, each once. */
function withReference(known: Json | undefined, reference: JsonObject): Json {
  if (known === undefined) {
    return reference
  }
  const list = Array.isArray(known) ? known : [known]
  return list.some((entry) => JSON.stringify(entry) === JSON.stringify(reference))
    ? known
    : [...list, reference]
}
