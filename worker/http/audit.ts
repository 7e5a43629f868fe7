import * as z from 'zod'
import {
  auditExportQuery,
  auditPage,
  auditQuery,
  MAX_AUDIT_PAGE,
  type AuditEntry,
  type AuditFilter,
} from '#core/wire/audit.ts'
import { listAccountAuditEntries, listAuditEntries, type AuditPosition } from '#storage/audit.ts'
import { requireAccount } from './account-rights.ts'
import type { Caller } from './auth.ts'
import { parseCursor, toCursor } from './cursor.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

const tag = 'Audit log'
/** Names what a cursor means something in. */
const ORDER = 'AUDIT'
/** Entries read at once while exporting: a megabyte or two. */
const EXPORT_PAGE = 200

/** Who did what in the workspace; `audited-operations` says of what. */
export function addAuditRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/audit/filter',
      tag,
      summary: 'List who did what, the latest first',
      body: auditQuery,
      bodyOptional: true,
      answers: { 200: auditPage },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await readPage(body, (page) => listAuditEntries(workspace, body.audit, page)),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/audit/export',
      tag,
      summary: 'Export who did what as lines of JSON, the latest first',
      query: auditExportQuery,
      answers: { 200: z.string() },
      media: ['application/x-ndjson'],
    },
    ({ workspace, query }) => ({
      response: exportOf((page) => listAuditEntries(workspace, toFilter(query), page)),
    }),
  )
  addOfAccounts(api)
}

/** What is about no workspace: signing in, roles in the account, workspaces that come and go. */
function addOfAccounts(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/accounts/{id}/audit/filter',
      tag,
      summary: 'List who did what in an account and in no workspace of it, the latest first',
      params: idParam,
      body: auditQuery,
      bodyOptional: true,
      answers: { 200: auditPage },
      errors: [404],
      ofHolder: true,
    },
    async ({ context, caller, params, body }) => {
      const read = await readerOf(context.env.DB, caller, params.id)
      return { status: 200, body: await readPage(body, (page) => read(body.audit, page)) }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/accounts/{id}/audit/export',
      tag,
      summary: 'Export that as lines of JSON, the latest first',
      params: idParam,
      query: auditExportQuery,
      answers: { 200: z.string() },
      media: ['application/x-ndjson'],
      errors: [404],
      ofHolder: true,
    },
    async ({ context, caller, params, query }) => {
      const read = await readerOf(context.env.DB, caller, params.id)
      return { response: exportOf((page) => read(toFilter(query), page)) }
    },
  )
}

async function readerOf(db: D1Database, caller: Caller, accountId: string) {
  const { account } = await requireAccount(db, caller, accountId, 'people')
  return async (filter: AuditFilter | null | undefined, page: Page) =>
    await listAccountAuditEntries(db, account.account_id, filter, page)
}

interface Page {
  limit: number
  after: AuditPosition | undefined
}
type Read = (page: Page) => Promise<AuditEntry[]>

async function readPage(
  { limit, cursor }: z.output<typeof auditQuery>,
  read: Read,
): Promise<z.input<typeof auditPage>> {
  const size = limit ?? MAX_AUDIT_PAGE
  const found = await read({ limit: size + 1, after: parseCursor(ORDER, cursor) })
  const entries = found.slice(0, size)
  const last = found.length > size ? entries.at(-1) : undefined
  return {
    entries,
    next_cursor: last === undefined ? null : toCursor(ORDER, { key: last.occurred, id: last.id }),
  }
}

/** Read page by page while it is sent, so that none of it is held. */
function exportOf(read: Read): Response {
  const encoder = new TextEncoder()
  let after: AuditPosition | undefined
  const lines = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const page = await read({ limit: EXPORT_PAGE, after })
      const last = page.at(-1)
      if (page.length > 0) {
        const text = page.map((entry) => `${JSON.stringify(entry)}\n`).join('')
        controller.enqueue(encoder.encode(text))
      }
      if (last === undefined || page.length < EXPORT_PAGE) {
        controller.close()
        return
      }
      after = { key: last.occurred, id: last.id }
    },
  })
  return new Response(lines, {
    headers: {
      'Content-Type': 'application/x-ndjson',
      'Content-Disposition': 'attachment; filename="audit.ndjson"',
    },
  })
}

function toFilter({ after, before, ...exact }: z.output<typeof auditExportQuery>): AuditFilter {
  const given = Object.entries(exact).filter(([, value]) => value !== undefined)
  return {
    occurred: { after_: after, before_: before },
    ...Object.fromEntries(given.map(([name, value]) => [name, { any_: [value] }])),
  }
}
