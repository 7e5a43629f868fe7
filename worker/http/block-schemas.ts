import * as z from 'zod'
import { blockSchema, blockSchemaCreate } from '#core/wire/block-schema.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { blockSchemasQuery } from '#core/wire/query.ts'
import { DomainError } from '#domain/errors.ts'
import { parseExactly } from '#domain/exact-json.ts'
import {
  findBlockSchema,
  findStoredBlockSchema,
  listBlockCapabilities,
  listBlockSchemas,
} from '#storage/block-schemas.ts'
import { createBlockSchema } from '../operations/create-block-schema.ts'
import { deleteBlockSchema } from '../operations/delete-blocks.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'

const tag = 'Block schemas'

export function addBlockSchemaRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/block_schemas/',
      tag,
      summary: 'Make a block schema, or read the one of the same checksum and version',
      body: blockSchemaCreate,
      answers: { 200: blockSchema, 201: blockSchema },
      errors: [404, 409],
    },
    async ({ workspace, body, bodyText, now }) => {
      const { fields = {} } = parseExactly(bodyText) as { fields?: JsonObject }
      const { created, schema } = await createBlockSchema(workspace, body, fields, now)
      return created ? { status: 201, body: schema } : { status: 200, body: schema }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/block_schemas/{id}',
      tag,
      summary: 'Delete a block schema with the documents that follow it',
      params: idParam,
      answers: { 204: null },
      errors: [403, 404],
    },
    async ({ workspace, params }) => {
      await deleteBlockSchema(workspace, params.id)
      return { status: 204 }
    },
  )
  addReads(api)
}

function addReads(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/block_schemas/filter',
      tag,
      summary: 'List block schemas, the youngest first',
      body: blockSchemasQuery,
      bodyOptional: true,
      answers: { 200: z.array(blockSchema) },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await listBlockSchemas(workspace, body, toSlice(body)),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/block_schemas/{id}',
      tag,
      summary: 'Read a block schema',
      params: idParam,
      answers: { 200: blockSchema },
      errors: [404],
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: (await findBlockSchema(workspace, params.id)) ?? notFound(),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/block_schemas/checksum/{checksum}',
      tag,
      summary: 'Read the youngest block schema of a checksum, of one version or of any',
      params: z.object({ checksum: z.string() }),
      query: z.object({ version: z.string().optional() }),
      answers: { 200: blockSchema },
      errors: [404],
    },
    async ({ workspace, params, query }) => {
      const stored = await findStoredBlockSchema(workspace, params.checksum, query.version)
      const found = stored === undefined ? undefined : await findBlockSchema(workspace, stored.id)
      return { status: 200, body: found ?? notFound() }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/block_capabilities/',
      tag: 'Block capabilities',
      summary: 'List what blocks are able to do',
      answers: { 200: z.array(z.string()) },
    },
    async ({ workspace }) => ({ status: 200, body: await listBlockCapabilities(workspace) }),
  )
}

function notFound(): never {
  throw new DomainError('not_found', 'Block schema not found')
}
