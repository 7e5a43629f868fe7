import type { JsonObject } from '#core/wire/common.ts'
import { audited, type AuditedChange } from './audit.ts'
import type { StoredBlockDocument } from './block-document.ts'
import type { StoredBlockSchema } from './block-schema.ts'
import { maskSecrets } from './block-secrets.ts'

/** What stands for a secret that is another one now, since its masks are alike. */
const ANOTHER = 'another secret'

/** A document as the audit log takes it; references may be told otherwise. */
type Document = Pick<StoredBlockDocument, 'id' | 'name' | 'block_schema_id' | 'data'> & {
  block_document_references?: object
}

/**
 * The change of a block document, each key of its data by itself, without any secret.
 * @param secretFields where they are before or after; undefined where nobody knows: then all of the data may be secret
 */
export function auditedBlockDocument(
  before: Document | null,
  after: Document | null,
  secretFields: readonly string[] | undefined,
): AuditedChange {
  const was = before && masked(before.data, secretFields)
  const is = after && masked(after.data, secretFields)
  return audited('block_document', before && told(before, was), after && told(after, changed()))

  function changed(): JsonObject | null {
    const entries = Object.entries(is ?? {}).map(([key, value]) => {
      const looksAlike = JSON.stringify(value) === JSON.stringify(was?.[key])
      const isAlike = JSON.stringify(after?.data[key]) === JSON.stringify(before?.data[key])
      return [key, looksAlike && !isAlike ? ANOTHER : value]
    })
    return Object.fromEntries(entries) as JsonObject
  }
}

function masked(data: JsonObject, secretFields: readonly string[] | undefined): JsonObject {
  return maskSecrets(data, secretFields ?? Object.keys(data))
}

function told(document: Document, data: JsonObject | null) {
  const { id, name, block_schema_id, block_document_references } = document
  const fields = Object.entries(data ?? {}).map(([key, value]) => [`data.${key}`, value])
  return { id, name, block_schema_id, block_document_references, ...Object.fromEntries(fields) }
}

type Schema = Pick<
  StoredBlockSchema,
  'id' | 'block_type_id' | 'checksum' | 'version' | 'capabilities'
>

/** A schema is what its checksum says; its fields may have megabytes. */
export function auditedBlockSchema(before: Schema | null, after: Schema | null): AuditedChange {
  return audited('block_schema', before && toldSchema(before), after && toldSchema(after))
}

function toldSchema({ id, block_type_id, checksum, version, capabilities }: Schema) {
  return { id, block_type_id, checksum, version, capabilities }
}
