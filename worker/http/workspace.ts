import * as z from 'zod'
import { deletion, deletionRequest } from '#core/wire/deletion.ts'
import { workspace as workspaceView, workspaceUpdate } from '#core/wire/workspace.ts'
import { DomainError } from '#domain/errors.ts'
import { findWorkspaceView, renameWorkspace } from '#storage/accounts.ts'
import { findDeletion } from '#storage/deletions.ts'
import { deleteWorkspace } from '../operations/delete-workspace.ts'
import { parseExportCursor } from '../operations/export-cursor.ts'
import { identifyAnew } from './auth.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { streamExport } from './export-stream.ts'

const tag = 'Workspace'

/** The workspace as a whole. */
export function addWorkspaceRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/workspace',
      tag,
      summary: 'Read the workspace',
      answers: { 200: workspaceView },
      errors: [404],
    },
    async ({ workspace }) => ({
      status: 200,
      body: (await findWorkspaceView(workspace)) ?? notFound('Workspace'),
    }),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/workspace',
      tag,
      summary: 'Give the workspace another name',
      body: workspaceUpdate,
      answers: { 204: null },
      errors: [409],
    },
    async ({ workspace, body, now }) => {
      if (!(await renameWorkspace(workspace, body.name, now))) {
        throw new DomainError(
          'conflict',
          `A workspace with the name '${body.name}' already exists in the account.`,
        )
      }
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/workspace',
      tag,
      summary: 'Delete the workspace and all that it holds, for good; access ends at once',
      body: deletionRequest,
      answers: { 202: deletion },
    },
    async ({ workspace, caller, body, trailIn }) => {
      const trail = trailIn(workspace.account_id, null)
      const askedBy = caller.kind === 'run' ? caller.flow_run_id : caller.id
      return { status: 202, body: await deleteWorkspace(workspace, body.name, askedBy, trail) }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/workspace/export',
      tag,
      summary:
        'All that the workspace holds, a line of JSON each; an answer that does not end with {"kind":"end"} goes on from its last cursor',
      query: z.object({ cursor: z.string().max(2000).optional() }),
      answers: { 200: z.string() },
      media: ['application/x-ndjson'],
      errors: [400, 503],
    },
    ({ workspace, query, context }) => ({
      response: new Response(
        streamExport(workspace, parseExportCursor(query.cursor), async () => {
          const { permissions } = await identifyAnew(context)
          return permissions.has('manage')
        }),
        {
          headers: {
            'Content-Type': 'application/x-ndjson',
            'Content-Disposition': `attachment; filename="${workspace.id}.ndjson"`,
          },
        },
      ),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/deletions/{id}',
      tag,
      summary: 'Read how far the deletion of a workspace or an account is: for whoever has its id',
      params: idParam,
      answers: { 200: deletion },
      errors: [404],
      // The keys that could ask for it are what it deletes first; its id is known to who asked for it alone.
      open: true,
    },
    async ({ params, context }) => ({
      status: 200,
      body: (await findDeletion(context.env.DB, params.id)) ?? notFound('Deletion'),
    }),
  )
}

function notFound(what: string): never {
  throw new DomainError('not_found', `${what} not found`)
}
