import { job } from '#core/wire/job.ts'
import { askedBy, objectContext } from '../operations/object-context.ts'
import { jobsStub } from '../operations/stubs.ts'
import { endpoint, type Api } from './endpoint.ts'

/** The key that a workspace's secrets are sealed with; it never leaves the server. */
export function addWorkspaceKeyRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/workspace/rotate_key',
      tag: 'Workspace',
      summary:
        'Give the workspace a new key for its secrets, and seal all of them anew with it, as a job',
      answers: { 202: job },
      errors: [503],
    },
    async ({ workspace }) => {
      const context = objectContext(workspace)
      const request = { kind: 'rotate_key' as const, parameters: null, key: null }
      const started = await jobsStub(workspace).start(context, request, 1, askedBy(workspace))
      if (started === null) {
        throw new Error('a job without a key can be no other request')
      }
      return { status: 202, body: started }
    },
  )
}
