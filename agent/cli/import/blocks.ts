import type { BlockDocument } from '../../../core/wire/block-document.ts'
import type { BlockSchema } from '../../../core/wire/block-schema.ts'
import type { BlockType } from '../../../core/wire/block-type.ts'
import type { Json, JsonObject } from '../../../core/wire/common.ts'
import { everyPage } from '../find.ts'
import { agrees, orNone, type Copied, type ImportRun } from './import-run.ts'

/** Blocks whose values can be read, with the types and schemas that they need. */
export async function importBlocks(run: ImportRun): Promise<void> {
  const { source } = run
  const documents = await everyPage((page) =>
    source.filterBlockDocuments({ include_secrets: true, ...page }),
  )
  // A document that others refer to comes before them.
  for (const document of documents.toSorted((a, b) => depth(a) - depth(b))) {
    const name = `${document.block_type.slug}/${document.name}`
    await run.copy('block', { id: document.id, name }, () => copyDocument(run, document))
  }
}

function depth({
  block_document_references: references,
}: Pick<BlockDocument, 'block_document_references'>): number {
  const below = Object.values(references ?? {}).map(({ block_document: inner }) =>
    depth({ block_document_references: inner.block_document_references ?? {} }),
  )
  return below.length === 0 ? 0 : 1 + Math.max(...below)
}

async function copyDocument(run: ImportRun, document: BlockDocument): Promise<Copied> {
  const { target } = run
  const slug = document.block_type.slug
  const references = document.block_document_references ?? {}
  const existing = await orNone(target.readBlockDocumentByName(slug, document.name, true))
  const masked = maskedFields(document.data)
  if (masked.length > 0) {
    return {
      outcome: 'skipped',
      id: existing?.id,
      note: `the secret ${masked.join(', ')} comes masked, so make this block by hand`,
    }
  }
  const missing = Object.values(references).find(
    ({ block_document: inner }) => run.idOf(inner.id) === undefined,
  )
  if (missing !== undefined) {
    throw new Error(`the block '${missing.block_document.name}' that it refers to was not copied`)
  }
  if (existing !== undefined && agrees(existing, { data: run.withIds(document.data) })) {
    return { outcome: 'unchanged', id: existing.id }
  }
  if (run.dryRun) {
    return { outcome: existing === undefined ? 'created' : 'updated' }
  }
  const type = await ensureType(run, document.block_type)
  const schema = await ensureSchema(run, document.block_schema, type)
  const data: JsonObject = { ...document.data }
  for (const [field, { block_document: inner }] of Object.entries(references)) {
    data[field] = { $ref: { block_document_id: run.idOf(inner.id) ?? inner.id } }
  }
  if (existing !== undefined) {
    await target.updateBlockDocument(existing.id, {
      block_schema_id: schema.id,
      data,
      merge_existing_data: false,
    })
    return { outcome: 'updated', id: existing.id }
  }
  const made = await target.createBlockDocument({
    name: document.name,
    data,
    block_schema_id: schema.id,
    block_type_id: type.id,
  })
  return { outcome: 'created', id: made.id }
}

/** The paths of values that are nothing but asterisks. */
function maskedFields(value: Json, path = ''): string[] {
  if (typeof value === 'string') {
    return /^\*{8,}$/.test(value) ? [path] : []
  }
  return typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, item]) =>
        maskedFields(item, path === '' ? key : `${path}.${key}`),
      )
    : []
}

async function ensureType({ target }: ImportRun, type: BlockType): Promise<BlockType> {
  const existing = await orNone(target.readBlockTypeBySlug(type.slug))
  return (
    existing ??
    (await target.createBlockType({
      name: type.name,
      slug: type.slug,
      logo_url: type.logo_url,
      documentation_url: type.documentation_url,
      description: type.description,
      code_example: type.code_example,
    }))
  )
}

async function ensureSchema(
  run: ImportRun,
  schema: BlockSchema,
  type: BlockType,
): Promise<BlockSchema> {
  const { target } = run
  const existing = await orNone(target.readBlockSchemaByChecksum(schema.checksum, schema.version))
  if (existing !== undefined && existing.block_type_id === type.id) {
    return existing
  }
  await ensureNestedSchemas(run, schema)
  return await target.createBlockSchema({
    fields: schema.fields,
    block_type_id: type.id,
    capabilities: schema.capabilities,
    version: schema.version,
  })
}

/** A schema is taken only when the schemas of the blocks inside it are there. */
async function ensureNestedSchemas(run: ImportRun, schema: BlockSchema): Promise<void> {
  const references = schema.fields['block_schema_references']
  for (const reference of Object.values(isObject(references) ? references : {}).flat()) {
    const checksum = isObject(reference) ? reference['block_schema_checksum'] : undefined
    if (typeof checksum !== 'string') {
      continue
    }
    const inner = await run.source.readBlockSchemaByChecksum(checksum)
    const type = inner.block_type ?? (await run.source.readBlockType(inner.block_type_id))
    await ensureSchema(run, inner, await ensureType(run, type))
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
