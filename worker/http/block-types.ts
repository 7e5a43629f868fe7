import * as z from 'zod'
import { formatTimestamp } from '#core/time.ts'
import { blockDocument } from '#core/wire/block-document.ts'
import { blockType, blockTypeCreate, blockTypeUpdate } from '#core/wire/block-type.ts'
import { blockTypesQuery } from '#core/wire/query.ts'
import { blockTypeEvent, escapedForHtml, updatedBlockType } from '#domain/block-type.ts'
import { DomainError } from '#domain/errors.ts'
import { protectedBlockTypes } from '#domain/system-blocks.ts'
import { findBlockDocument, listBlockDocuments } from '#storage/block-documents.ts'
import {
  findBlockType,
  insertBlockType,
  listBlockTypes,
  storeBlockType,
} from '#storage/block-types.ts'
import { newId } from '#storage/new-id.ts'
import { deleteBlockType } from '../operations/delete-blocks.ts'
import { secretsParam } from './block-documents.ts'
import { emitLater } from './emit-later.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'
import { showsSecrets } from './rights.ts'

const tag = 'Block types'
/** Prefect does not page this list; more documents than a type has. */
const ALL = { limit: 1000, offset: 0 }
const slugParam = z.object({ slug: z.string() })

export function addBlockTypeRoutes(api: Api): void {
  addChanges(api)
  endpoint(
    api,
    {
      method: 'get',
      path: '/block_types/{id}',
      tag,
      summary: 'Read a block type',
      params: idParam,
      answers: { 200: blockType },
      errors: [404],
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: (await findBlockType(workspace, params)) ?? notFound(),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/block_types/slug/{slug}',
      tag,
      summary: 'Read a block type by its slug',
      params: slugParam,
      answers: { 200: blockType },
      errors: [404],
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: (await findBlockType(workspace, params)) ?? notFound(),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/block_types/filter',
      tag,
      summary: 'List block types',
      body: blockTypesQuery,
      bodyOptional: true,
      answers: { 200: z.array(blockType) },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await listBlockTypes(workspace, body, toSlice(body)),
    }),
  )
  addDocuments(api)
}

function addChanges(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/block_types/',
      tag,
      summary: 'Make a block type',
      body: blockTypeCreate,
      answers: { 201: blockType },
      errors: [403, 409],
    },
    async (request) => {
      const { workspace, body, now } = request
      if (body.name.toLowerCase().startsWith('prefect')) {
        throw new DomainError(
          'forbidden',
          "Block type names beginning with 'Prefect' are reserved.",
        )
      }
      const created = formatTimestamp(now)
      const type = {
        id: newId(now),
        created,
        updated: created,
        name: body.name,
        slug: body.slug,
        logo_url: body.logo_url ?? null,
        documentation_url: body.documentation_url ?? null,
        description: escapedForHtml(body.description ?? null),
        code_example: escapedForHtml(body.code_example ?? null),
        is_protected: false,
      }
      const made = await insertBlockType(workspace, type)
      if (made === undefined) {
        throw new DomainError('conflict', `Block type with name "${body.name}" already exists`)
      }
      emitLater(request, [blockTypeEvent('created', made)])
      return { status: 201, body: made }
    },
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/block_types/{id}',
      tag,
      summary: 'Change how a block type is presented',
      params: idParam,
      body: blockTypeUpdate,
      answers: { 204: null },
      errors: [404],
    },
    async (request) => {
      const { workspace, params, body, now } = request
      const before = (await findBlockType(workspace, params)) ?? notFound()
      const updated = updatedBlockType(before, body)
      if (updated !== undefined) {
        const type = { ...updated, updated: formatTimestamp(now) }
        await storeBlockType(workspace, before, type)
        emitLater(request, [blockTypeEvent('updated', type)])
      }
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/block_types/{id}',
      tag,
      summary: 'Delete a block type with its schemas and documents',
      params: idParam,
      answers: { 204: null },
      errors: [403, 404],
    },
    async (request) => {
      const { workspace, params, now } = request
      const type = await deleteBlockType(workspace, params.id, now)
      emitLater(request, [blockTypeEvent('deleted', type)])
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/block_types/install_system_block_types',
      tag,
      summary: 'Bring the protected block types to what they are when a workspace is new',
      answers: { 200: z.null() },
    },
    async ({ workspace }) => {
      await Promise.all(
        protectedBlockTypes.map(async (type) => {
          const current = await findBlockType(workspace, { id: type.id })
          if (current !== undefined && updatedBlockType(current, type) !== undefined) {
            await storeBlockType(workspace, current, type)
          }
        }),
      )
      return { status: 200, body: null }
    },
  )
}

function addDocuments(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/block_types/slug/{slug}/block_documents',
      tag,
      summary: 'List the block documents of a type',
      params: slugParam,
      query: secretsParam,
      answers: { 200: z.array(blockDocument) },
      errors: [404],
    },
    async ({ workspace, permissions, params, query }) => {
      const secrets = showsSecrets(permissions, query.include_secrets)
      const type = (await findBlockType(workspace, params)) ?? notFound()
      const filter = { block_documents: { block_type_id: { any_: [type.id] } } }
      return {
        status: 200,
        body: await listBlockDocuments(workspace, filter, ALL, secrets),
      }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/block_types/slug/{slug}/block_documents/name/{block_document_name}',
      tag,
      summary: 'Read a block document by its type and name',
      params: z.object({ slug: z.string(), block_document_name: z.string() }),
      query: secretsParam,
      answers: { 200: blockDocument },
      errors: [404],
    },
    async ({ workspace, permissions, params, query }) => {
      const secrets = showsSecrets(permissions, query.include_secrets)
      const key = { slug: params.slug, name: params.block_document_name }
      const found = await findBlockDocument(workspace, key, secrets)
      if (found === undefined) {
        throw new DomainError('not_found', 'Block document not found')
      }
      return { status: 200, body: found }
    },
  )
}

function notFound(): never {
  throw new DomainError('not_found', 'Block type not found')
}
