import type { BlockDocument } from '../../core/wire/block-document.ts'
import type { BlockSchema } from '../../core/wire/block-schema.ts'
import type { Json, JsonObject } from '../../core/wire/common.ts'
import { fullBlockSchema, type BlockCatalog } from './block-schema.ts'
import { maskSecrets } from './block-secrets.ts'
import { DomainError } from './errors.ts'
import { isObject } from './exact-json.ts'
import type { ObjectEvent } from './object-event.ts'

/** A document as it is kept: its data without that of the documents it refers to. */
export interface StoredBlockDocument extends Omit<
  BlockDocument,
  'block_schema' | 'block_type' | 'block_document_references'
> {
  /** Which documents stand under which keys of the data. */
  block_document_references: Readonly<Record<string, string>>
}

/** Documents with all that they refer to, by their ids. */
export interface BlockShelf extends BlockCatalog {
  documents: ReadonlyMap<string, StoredBlockDocument>
}

/**
 * The document with the data of those that it refers to, and its schema; undefined when it or its schema is gone.
 * @param secrets whether they are shown
 */
export function fullBlockDocument(
  shelf: BlockShelf,
  id: string,
  secrets: boolean,
): BlockDocument | undefined {
  const stored = shelf.documents.get(id)
  const schema = stored === undefined ? undefined : fullBlockSchema(shelf, stored.block_schema_id)
  const type = stored === undefined ? undefined : shelf.types.get(stored.block_type_id)
  if (stored === undefined || schema === undefined || type === undefined) {
    return undefined
  }
  const { data, references } = withReferences(shelf, stored, secrets, new Set())
  return {
    ...stored,
    data,
    block_schema: schema,
    block_type: type,
    block_document_references: references,
  }
}

interface Filled {
  data: JsonObject
  references: BlockDocument['block_document_references']
}

/** @param above the documents that this one is part of: a circle ends there */
function withReferences(
  shelf: BlockShelf,
  document: StoredBlockDocument,
  secrets: boolean,
  above: ReadonlySet<string>,
): Filled {
  const fields = secrets ? [] : secretFieldsOf(shelf, document.block_schema_id)
  const filled: Filled = { data: maskSecrets(document.data, fields), references: {} }
  for (const [key, id] of Object.entries(document.block_document_references)) {
    const nested = shelf.documents.get(id)
    const type = nested === undefined ? undefined : shelf.types.get(nested.block_type_id)
    if (nested === undefined || type === undefined || above.has(id)) {
      continue
    }
    const inner = withReferences(shelf, nested, secrets, new Set([...above, document.id]))
    filled.data[key] = inner.data
    filled.references[key] = {
      block_document: {
        id: nested.id,
        name: nested.name,
        block_type: type,
        is_anonymous: nested.is_anonymous,
        block_document_references: inner.references,
      },
    }
  }
  return filled
}

function secretFieldsOf(catalog: BlockCatalog, schemaId: string): string[] {
  const schema = catalog.schemas.get(schemaId)
  return schema === undefined ? [] : secretFields(JSON.parse(schema.fields) as JsonObject)
}

/** Where the secrets of a schema's documents are. */
export function secretFields(fields: BlockSchema['fields']): string[] {
  const listed = fields['secret_fields']
  return Array.isArray(listed) ? listed.filter((field) => typeof field === 'string') : []
}

/**
 * Takes from a block's data the keys that only name another document: `{"$ref": {"block_document_id": …}}`. What stands deeper is
 * data like any other, as in Prefect.
 */
export function separateReferences(data: JsonObject): {
  data: JsonObject
  references: Record<string, string>
} {
  const references: [string, string][] = []
  const rest: [string, Json][] = []
  for (const [key, value] of Object.entries(data)) {
    if (isObject(value) && Object.hasOwn(value, '$ref')) {
      references.push([key, referencedId(key, value['$ref'] ?? null)])
    } else {
      rest.push([key, value])
    }
  }
  return { data: Object.fromEntries(rest), references: Object.fromEntries(references) }
}

function referencedId(key: string, reference: Json): string {
  const id = isObject(reference) ? (reference['block_document_id'] ?? null) : null
  if (id === null) {
    throw new DomainError(
      'bad_request',
      `Received block reference without a block_document_id in key ${key}`,
    )
  }
  if (typeof id !== 'string' || !UUID.test(id)) {
    throw new DomainError(
      'bad_request',
      `The block_document_id in key ${key} should be a valid UUID, this is ${JSON.stringify(id)}`,
    )
  }
  return id.toLowerCase()
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Tells of a document that has a name of its own: its data's texts but for secrets, and what it is. */
export function blockDocumentEvents(
  verb: 'created' | 'updated' | 'deleted',
  document: BlockDocument,
): ObjectEvent[] {
  if (document.is_anonymous) {
    return []
  }
  const { block_schema: schema, block_type_id, block_type_name } = document
  const secret = new Set(secretFields(schema.fields))
  const texts = Object.entries(document.data).filter(
    ([key, value]) => typeof value === 'string' && !secret.has(key),
  )
  return [
    {
      kind: 'block-document',
      verb,
      id: document.id,
      name: document.name,
      related: [
        {
          'prefect.resource.id': `prefect.block-type.${block_type_id}`,
          'prefect.resource.role': 'block-type',
          'prefect.resource.name': block_type_name,
        },
        {
          'prefect.resource.id': `prefect.block-schema.${schema.id}`,
          'prefect.resource.role': 'block-schema',
        },
      ],
      payload: {
        name: document.name,
        data: Object.fromEntries(texts),
        block_schema: {
          capabilities: schema.capabilities,
          block_type: { id: block_type_id, name: block_type_name },
        },
      },
    },
  ]
}
