import { formatTimestamp, type Micros } from '#core/time.ts'
import type {
  BlockDocument,
  BlockDocumentCreate,
  BlockDocumentUpdate,
} from '#core/wire/block-document.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { auditedBlockDocument } from '#domain/audit-blocks.ts'
import {
  secretFields,
  separateReferences,
  type StoredBlockDocument,
} from '#domain/block-document.ts'
import { keepMaskedSecrets } from '#domain/block-secrets.ts'
import { checkBlockSize } from '#domain/block-size.ts'
import { DomainError } from '#domain/errors.ts'
import {
  findBlockDocument,
  findStoredBlockDocument,
  insertBlockDocument,
  loadBlockDocumentReferences,
  updateBlockDocument,
} from '#storage/block-documents.ts'
import { findBlockSchema } from '#storage/block-schemas.ts'
import { findBlockType } from '#storage/block-types.ts'
import { newId } from '#storage/new-id.ts'
import type { Workspace } from '#storage/workspace.ts'
import { commitDecision } from './commit-decision.ts'

/** @param data of the request, parsed exactly */
export async function createBlockDocument(
  workspace: Workspace,
  body: BlockDocumentCreate,
  data: JsonObject,
  now: Micros,
): Promise<BlockDocument> {
  if (!body.name && body.is_anonymous !== true) {
    throw new DomainError('invalid', 'Value error, Names must be provided for block documents.')
  }
  const [type, schema] = await Promise.all([
    findBlockType(workspace, { id: body.block_type_id }),
    findBlockSchema(workspace, body.block_schema_id),
  ])
  if (type === undefined) {
    throw new DomainError('not_found', `Block type ${body.block_type_id} not found.`)
  }
  if (schema === undefined) {
    throw atOdds(`there is no block schema ${body.block_schema_id}`)
  }
  const separated = separateReferences(data)
  const id = newId(now)
  await checkReferences(workspace, id, separated.references)
  const created = formatTimestamp(now)
  const document: StoredBlockDocument = {
    id,
    created,
    updated: created,
    name: body.name ?? `anonymous-${crypto.randomUUID()}`,
    data: fitting(separated.data),
    block_type_id: type.id,
    block_type_name: type.name,
    block_schema_id: schema.id,
    block_document_references: separated.references,
    is_anonymous: body.is_anonymous ?? false,
  }
  const change = auditedBlockDocument(null, document, secretFields(schema.fields))
  if (!(await insertBlockDocument(workspace, document, change))) {
    throw new DomainError('conflict', 'Block already exists')
  }
  return (await findBlockDocument(workspace, { id }, false)) ?? notFound()
}

/**
 * Lays the request's data over what is stored, or puts it in its place. References that the request does not name go, as in
 * Prefect; secrets that it sends back masked stay.
 * @param data of the request, parsed exactly; undefined when it names none
 */
export async function changeBlockDocument(
  workspace: Workspace,
  id: string,
  body: BlockDocumentUpdate,
  data: JsonObject | undefined,
  now: Micros,
): Promise<BlockDocument> {
  await commitDecision(async () => {
    const stored = (await findStoredBlockDocument(workspace, id)) ?? notFound()
    const update = data ?? (body.merge_existing_data === false ? {} : undefined)
    if (update === undefined) {
      // Without data Prefect changes nothing, not even the schema.
      return 'committed'
    }
    const changed = await updated(workspace, stored.document, body, update)
    const document = { ...changed, updated: formatTimestamp(now) }
    const secret = workspace.trail && (await secretFieldsOf(workspace, stored.document, document))
    const change = auditedBlockDocument(stored.document, document, secret)
    const isStored = await updateBlockDocument(workspace, document, stored.sealed, change)
    return isStored ? 'committed' : 'stale'
  })
  return (await findBlockDocument(workspace, { id }, false)) ?? notFound()
}

/** Where secrets are by the schema of either; undefined when one of them is not known. */
async function secretFieldsOf(
  workspace: Workspace,
  ...documents: StoredBlockDocument[]
): Promise<string[] | undefined> {
  const ids = new Set(documents.map(({ block_schema_id: id }) => id))
  const schemas = await Promise.all([...ids].map((id) => findBlockSchema(workspace, id)))
  return schemas.includes(undefined)
    ? undefined
    : schemas.flatMap((schema) => secretFields(schema?.fields ?? {}))
}

async function updated(
  workspace: Workspace,
  document: StoredBlockDocument,
  body: BlockDocumentUpdate,
  update: JsonObject,
): Promise<StoredBlockDocument> {
  const current = await findBlockSchema(workspace, document.block_schema_id)
  const kept = keepMaskedSecrets(update, document.data, secretFields(current?.fields ?? {}))
  const merged = body.merge_existing_data === false ? kept : { ...document.data, ...kept }
  const { data, references } = separateReferences(merged)
  await checkReferences(workspace, document.id, references)
  return {
    ...document,
    data: fitting(data),
    block_document_references: references,
    block_schema_id: await newSchemaId(workspace, document, body.block_schema_id),
  }
}

async function newSchemaId(
  workspace: Workspace,
  document: StoredBlockDocument,
  proposed: string | null | undefined,
): Promise<string> {
  if (proposed === null || proposed === undefined || proposed === document.block_schema_id) {
    return document.block_schema_id
  }
  const schema = await findBlockSchema(workspace, proposed)
  if (schema === undefined) {
    throw new DomainError('not_found', `Block schema ${proposed} not found.`)
  }
  if (schema.block_type_id !== document.block_type_id) {
    throw new DomainError(
      'bad_request',
      'Must migrate block document to a block schema of the same block type.',
    )
  }
  return schema.id
}

/** What is referred to must be there, and must not refer back. */
async function checkReferences(
  workspace: Workspace,
  id: string,
  references: Readonly<Record<string, string>>,
): Promise<void> {
  const targets = Object.values(references)
  const reached = await loadBlockDocumentReferences(workspace, targets)
  for (const target of targets) {
    if (target !== id && !reached.has(target)) {
      throw atOdds(`there is no block document ${target}`)
    }
    if (reaches(reached, target, id)) {
      throw new DomainError(
        'bad_request',
        `Cannot create block document reference: it would introduce a cycle into the block_document_reference graph (parent=${id}, reference=${target}).`,
      )
    }
  }
}

function reaches(edges: ReadonlyMap<string, string[]>, from: string, to: string): boolean {
  const seen = new Set<string>()
  const pending = [from]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next === to) {
      return true
    }
    if (!seen.has(next)) {
      seen.add(next)
      pending.push(...(edges.get(next) ?? []))
    }
  }
  return false
}

function fitting(data: JsonObject): JsonObject {
  checkBlockSize(JSON.stringify(data), 'data')
  return data
}

/** Prefect's words where its database refuses a row, and the reason. */
function atOdds(reason: string): DomainError {
  return new DomainError(
    'conflict',
    `Data integrity conflict. This usually means a unique or foreign key constraint was violated: ${reason}.`,
  )
}

function notFound(): never {
  throw new DomainError('not_found', 'Block document not found')
}
