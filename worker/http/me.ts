import * as z from 'zod'
import { myWorkspace } from '#core/wire/api-key.ts'
import { listMyWorkspaces } from '#storage/my-workspaces.ts'
import { endpoint, type Api } from './endpoint.ts'

/** What Prefect's client asks its cloud first: `prefect cloud login`, `prefect cloud workspace ls`. */
export function addMeRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/me/workspaces',
      tag: 'Me',
      summary: 'List the workspaces that the key opens, in the words of Prefect Cloud',
      answers: { 200: z.array(myWorkspace) },
      ofHolder: true,
    },
    async ({ caller, context }) => ({
      status: 200,
      body: caller.kind === 'run' ? [] : await listMyWorkspaces(context.env.DB, caller),
    }),
  )
}
