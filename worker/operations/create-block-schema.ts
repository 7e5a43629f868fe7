import { formatTimestamp, type Micros } from '#core/time.ts'
import { UNVERSIONED, type BlockSchema, type BlockSchemaCreate } from '#core/wire/block-schema.ts'
import type { BlockType } from '#core/wire/block-type.ts'
import type { Json, JsonObject } from '#core/wire/common.ts'
import { auditedBlockSchema } from '#domain/audit-blocks.ts'
import { checksumText, plainDefinitions, references } from '#domain/block-checksum.ts'
import type { StoredBlockSchema } from '#domain/block-schema.ts'
import { DomainError } from '#domain/errors.ts'
import { isObject } from '#domain/exact-json.ts'
import { checkBlockSize } from '#domain/block-size.ts'
import { systemBlockSchemas } from '#domain/system-blocks.ts'
import { records } from '#storage/audit.ts'
import {
  findBlockSchema,
  findStoredBlockSchema,
  insertBlockSchema,
} from '#storage/block-schemas.ts'
import { findBlockType } from '#storage/block-types.ts'
import { commit } from '#storage/commit.ts'
import { newId } from '#storage/new-id.ts'
import type { Workspace } from '#storage/workspace.ts'
import { commitDecision } from './commit-decision.ts'

/**
 * Makes a schema, and those of the blocks in it that are not there yet, which its definitions describe; or reads the one with
 * its checksum and version as it is.
 * @param fields of the request, parsed exactly
 */
export async function createBlockSchema(
  workspace: Workspace,
  body: BlockSchemaCreate,
  fields: JsonObject,
  now: Micros,
): Promise<{ created: boolean; schema: BlockSchema }> {
  const type = await findBlockType(workspace, { id: body.block_type_id })
  if (type === undefined) {
    throw new DomainError('not_found', `Block type ${body.block_type_id} not found.`)
  }
  checkBlockSize(JSON.stringify(fields), 'fields')
  let id = ''
  let created = false
  await commitDecision(async () => {
    const plan = new Plan(workspace, fields['definitions'], now)
    const planned = await plan.add(
      fields,
      type,
      body.version ?? UNVERSIONED,
      body.capabilities ?? [],
    )
    id = planned.id
    created = plan.schemas.has(id)
    const made = [...plan.schemas.values()].flatMap((schema) => [
      insertBlockSchema(workspace, schema),
      ...records(workspace, auditedBlockSchema(null, schema)),
    ])
    // Another request has just made one of them.
    return (await commit(workspace, made)) === 'committed' ? 'committed' : 'stale'
  })
  const schema = await findBlockSchema(workspace, id)
  if (schema === undefined) {
    throw new DomainError('conflict', 'The block type was deleted meanwhile.')
  }
  return {
    created,
    schema: created ? { ...schema, fields: { block_schema_references: {}, ...fields } } : schema,
  }
}

/** The schemas that a request makes, the innermost first. */
class Plan {
  readonly schemas = new Map<string, StoredBlockSchema>()
  readonly #workspace: Workspace
  readonly #definitions: JsonObject
  readonly #now: Micros

  constructor(workspace: Workspace, definitions: Json | undefined, now: Micros) {
    this.#workspace = workspace
    this.#definitions = isObject(definitions) ? definitions : {}
    this.#now = now
  }

  async add(
    fields: JsonObject,
    type: BlockType,
    version: string,
    capabilities: string[],
    depth = 0,
  ): Promise<{ id: string }> {
    if (depth > MAX_DEPTH) {
      throw invalid(`The blocks in the schema refer to each other more than ${MAX_DEPTH} deep.`)
    }
    const described = Object.keys(this.#definitions).length > 0
    const checksum = await checksumOf(
      described ? { ...fields, definitions: this.#definitions } : fields,
    )
    const known =
      this.#find(checksum, version) ??
      (await findStoredBlockSchema(this.#workspace, checksum, version))
    if (known !== undefined) {
      return known
    }
    const { block_schema_references: named, definitions: _, ...own } = fields
    const plain = plainDefinitions(
      described ? { ...own, definitions: this.#definitions } : own,
      this.#definitions,
    )
    const created = formatTimestamp(this.#now + this.schemas.size)
    const schema: StoredBlockSchema = {
      id: idOfDeleted(checksum, version) ?? newId(this.#now),
      created,
      updated: created,
      block_type_id: type.id,
      checksum,
      version,
      capabilities,
      fields: JSON.stringify(
        Object.keys(plain).length === 0 ? own : { ...own, definitions: plain },
      ),
      block_schema_references: await this.#addNested(fields, named, depth),
    }
    this.schemas.set(schema.id, schema)
    return schema
  }

  async #addNested(fields: JsonObject, named: Json | undefined, depth: number) {
    const found: { name: string; id: string }[] = []
    for (const [name, reference] of referencesByName(named)) {
      // One after the other: a later one may be the same schema.
      // oxlint-disable-next-line no-await-in-loop
      const { id } = await this.#nested(fields, name, reference, depth)
      if (!found.some((entry) => entry.name === name && entry.id === id)) {
        found.push({ name, id })
      }
    }
    return found
  }

  async #nested(fields: JsonObject, name: string, reference: Json, depth: number) {
    const { block_type_slug: slug, block_schema_checksum: checksum } = isObject(reference)
      ? reference
      : {}
    if (typeof slug !== 'string' || typeof checksum !== 'string') {
      throw invalid(
        `The reference under ${name} names no block_type_slug and block_schema_checksum.`,
      )
    }
    const type = await findBlockType(this.#workspace, { slug })
    if (type === undefined) {
      throw new DomainError(
        'conflict',
        `Cannot create block schema because block type '${slug}' was not found.Did you forget to register the block type?`,
      )
    }
    const known =
      this.#find(checksum) ?? (await findStoredBlockSchema(this.#workspace, checksum, undefined))
    return (
      known ??
      (await this.add(this.#describe(fields, name, type), type, UNVERSIONED, [], depth + 1))
    )
  }

  /** What the definitions say of the block under a name; of several alternatives the one of its type. */
  #describe(fields: JsonObject, name: string, type: BlockType): JsonObject {
    const properties = isObject(fields['properties']) ? fields['properties'] : {}
    const alternatives = references(properties[name] ?? null)
      .map((reference) => this.#definitions[reference.replaceAll('#/definitions/', '')])
      .filter((definition) => isObject(definition))
    const found =
      alternatives.length === 1
        ? alternatives[0]
        : alternatives.find((definition) => definition['block_type_slug'] === type.slug)
    if (found === undefined) {
      throw invalid(
        `Unable to create nested block schema for block type '${type.name}' due to missing definition.`,
      )
    }
    return found
  }

  #find(checksum: string, version?: string): StoredBlockSchema | undefined {
    return [...this.schemas.values()].find(
      (schema) =>
        schema.checksum === checksum && (version === undefined || schema.version === version),
    )
  }
}

/** Deeper than any real block; the definitions may describe a circle. */
const MAX_DEPTH = 50

function referencesByName(named: Json | undefined): [string, Json][] {
  return Object.entries(isObject(named) ? named : {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((reference): [string, Json] => [name, reference]),
  )
}

/** A schema of the system that was deleted keeps its id. */
function idOfDeleted(checksum: string, version: string): string | undefined {
  return [...systemBlockSchemas.values()].find(
    (schema) => schema.checksum === checksum && schema.version === version,
  )?.id
}

async function checksumOf(fields: JsonObject): Promise<string> {
  const text = new TextEncoder().encode(checksumText(fields))
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', text))
  return `sha256:${[...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

function invalid(message: string): DomainError {
  return new DomainError('invalid', message, { field: ['fields'] })
}
