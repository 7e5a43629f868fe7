import * as z from 'zod'
import {
  blockDocument,
  blockDocumentCreate,
  blockDocumentUpdate,
} from '#core/wire/block-document.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { blockDocumentsCount, blockDocumentsQuery } from '#core/wire/query.ts'
import { blockDocumentEvents } from '#domain/block-document.ts'
import { auditedBlockDocument } from '#domain/audit-blocks.ts'
import { DomainError } from '#domain/errors.ts'
import { parseExactly } from '#domain/exact-json.ts'
import {
  countBlockDocuments,
  findBlockDocument,
  listBlockDocuments,
  removeBlockDocument,
} from '#storage/block-documents.ts'
import { changeBlockDocument, createBlockDocument } from '../operations/change-block-document.ts'
import { emitLater } from './emit-later.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'
import { showsSecrets } from './rights.ts'

const tag = 'Block documents'

/** Whether secrets are shown: to who may read them, and to run tokens, since code in a run loads its blocks with them. */
export const secretsParam = z.object({ include_secrets: z.stringbool().default(false) })

export function addBlockDocumentRoutes(api: Api): void {
  addChanges(api)
  endpoint(
    api,
    {
      method: 'get',
      path: '/block_documents/{id}',
      tag,
      summary: 'Read a block document',
      params: idParam,
      query: secretsParam,
      answers: { 200: blockDocument },
      errors: [403, 404],
    },
    async ({ workspace, permissions, params, query }) => {
      const secrets = showsSecrets(permissions, query.include_secrets)
      return {
        status: 200,
        body: (await findBlockDocument(workspace, params, secrets)) ?? notFound(),
      }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/block_documents/filter',
      tag,
      summary: 'List block documents; anonymous ones when the filter speaks of them',
      body: blockDocumentsQuery,
      bodyOptional: true,
      answers: { 200: z.array(blockDocument) },
    },
    async ({ workspace, permissions, body }) => {
      const secrets = showsSecrets(permissions, body.include_secrets ?? false)
      return {
        status: 200,
        body: await listBlockDocuments(workspace, body, toSlice(body), secrets),
      }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/block_documents/count',
      tag,
      summary: 'Count block documents',
      body: blockDocumentsCount,
      bodyOptional: true,
      answers: { 200: z.int() },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await countBlockDocuments(workspace, body),
    }),
  )
}

function addChanges(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/block_documents/',
      tag,
      summary: 'Make a block document',
      body: blockDocumentCreate,
      answers: { 201: blockDocument },
      errors: [400, 404, 409],
      takesSecrets: true,
    },
    async (request) => {
      const { workspace, body, bodyText, now } = request
      const made = await createBlockDocument(workspace, body, dataOf(bodyText) ?? {}, now)
      emitLater(request, blockDocumentEvents('created', made))
      return { status: 201, body: made }
    },
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/block_documents/{id}',
      tag,
      summary: 'Change the data of a block document',
      params: idParam,
      body: blockDocumentUpdate,
      answers: { 204: null },
      errors: [400, 404, 409],
      takesSecrets: true,
    },
    async (request) => {
      const { workspace, params, body, bodyText, now } = request
      const data = dataOf(bodyText)
      const changed = await changeBlockDocument(workspace, params.id, body, data, now)
      emitLater(request, blockDocumentEvents('updated', changed))
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/block_documents/{id}',
      tag,
      summary: 'Delete a block document',
      params: idParam,
      answers: { 204: null },
      errors: [404],
    },
    async (request) => {
      const { workspace, params } = request
      const document = (await findBlockDocument(workspace, params, false)) ?? notFound()
      const { id, name, block_schema_id, data } = document
      const change = auditedBlockDocument({ id, name, block_schema_id, data }, null, [])
      if (!(await removeBlockDocument(workspace, params.id, change))) {
        notFound()
      }
      emitLater(request, blockDocumentEvents('deleted', document))
      return { status: 204 }
    },
  )
}

/** The data as it was sent: the parsed body has lost how its numbers were written. */
function dataOf(bodyText: string): JsonObject | undefined {
  return (parseExactly(bodyText) as { data?: JsonObject }).data
}

function notFound(): never {
  throw new DomainError('not_found', 'Block document not found')
}
