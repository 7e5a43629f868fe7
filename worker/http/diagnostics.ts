import {
  diagnosis,
  diagnostics,
  diagnosticsRequest,
  type Diagnostics,
} from '#core/wire/diagnostics.ts'
import type { Job } from '#core/wire/job.ts'
import { DomainError } from '#domain/errors.ts'
import type { Workspace } from '#storage/workspace.ts'
import { emptyDiagnosis } from '../operations/diagnose.ts'
import { askedBy, objectContext } from '../operations/object-context.ts'
import { jobsStub } from '../operations/stubs.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

const tag = 'Diagnostics'

/** Whether all parts of a workspace agree, and mending them. */
export function addDiagnosticsRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/diagnostics',
      tag,
      summary: 'Compare what owns state with its copies: homes, D1, leases, limits; a job',
      body: diagnosticsRequest,
      bodyOptional: true,
      answers: { 202: diagnostics },
      errors: [503],
    },
    async ({ workspace, body: { repair = false } }) => {
      const job = await jobsStub(workspace).start(
        objectContext(workspace),
        { kind: 'diagnostics', parameters: { repair }, key: null },
        0,
        askedBy(workspace),
      )
      return { status: 202, body: await read(workspace, job?.id ?? '') }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/diagnostics/{id}',
      tag,
      summary: 'What was found so far',
      params: idParam,
      answers: { 200: diagnostics },
      errors: [404, 503],
    },
    async ({ workspace, params }) => ({ status: 200, body: await read(workspace, params.id) }),
  )
}

async function read(workspace: Workspace, id: string): Promise<Diagnostics> {
  const found = await jobsStub(workspace).readResult(objectContext(workspace), id)
  if (found === null || found.job.kind !== 'diagnostics') {
    throw new DomainError('not_found', 'Diagnostics not found')
  }
  return toDiagnostics(found.job, found.result)
}

function toDiagnostics({ id, state, message, created, finished }: Job, result: unknown) {
  const told = result === null ? emptyDiagnosis(false) : diagnosis.parse(result)
  return { ...told, id, state, message, created, finished }
}
