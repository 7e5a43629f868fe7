import type { Json, JsonObject } from '#core/wire/common.ts'
import { DomainError } from '#domain/errors.ts'
import { isObject } from '#domain/exact-json.ts'
import { findBlockDocument } from '#storage/block-documents.ts'
import type { Workspace } from '#storage/workspace.ts'

/**
 * A base job template in which the defaults that name a block, `{"$ref": {"block_document_id": …}}`, are that block's data: so
 * they can be judged. Secrets stay masked, since a refusal quotes what it refuses.
 * @throws DomainError `not_found` for a block that is not there
 */
export async function hydrateTemplate(
  workspace: Workspace,
  template: JsonObject,
): Promise<JsonObject> {
  const variables = objectIn(template, 'variables')
  const properties = objectIn(variables, 'properties')
  const hydrated = await Promise.all(
    Object.entries(properties).map(async ([name, property]): Promise<[string, Json]> => {
      const id = isObject(property) ? blockIdOf(property['default']) : undefined
      return id === undefined
        ? [name, property]
        : [name, { ...(property as JsonObject), default: await readData(workspace, id) }]
    }),
  )
  return hydrated.every(([name, property]) => properties[name] === property)
    ? template
    : {
        ...template,
        variables: { ...variables, properties: Object.fromEntries(hydrated) },
      }
}

function blockIdOf(value: Json | undefined): Json | undefined {
  const reference = isObject(value) ? value['$ref'] : undefined
  return isObject(reference) ? (reference['block_document_id'] ?? undefined) : undefined
}

async function readData(workspace: Workspace, id: Json): Promise<JsonObject> {
  const found =
    typeof id === 'string'
      ? await findBlockDocument(workspace, { id: id.toLowerCase() }, false)
      : undefined
  if (found === undefined) {
    throw new DomainError('not_found', 'Block not found.')
  }
  return found.data
}

function objectIn(object: JsonObject, key: string): JsonObject {
  const value = object[key]
  return isObject(value) ? value : {}
}
