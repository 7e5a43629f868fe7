import * as z from 'zod'
import { job } from '#core/wire/job.ts'
import { DomainError } from '#domain/errors.ts'
import { askedBy, objectContext } from '../operations/object-context.ts'
import { jobsStub } from '../operations/stubs.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

const tag = 'Jobs'
const MAX_LIST = 200
const listQuery = z.object({ limit: z.coerce.number().int().min(1).max(MAX_LIST).optional() })

/** Long work: how far it is. */
export function addJobRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/jobs',
      tag,
      summary: 'List long work, the latest first; what is over is kept for 7 days',
      query: listQuery,
      answers: { 200: z.array(job) },
      errors: [503],
    },
    async ({ workspace, query }) => ({
      status: 200,
      body: await jobsStub(workspace).list(objectContext(workspace), query.limit ?? 50),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/jobs/{id}',
      tag,
      summary: 'Read how far a job is',
      params: idParam,
      answers: { 200: job },
      errors: [404, 503],
    },
    async ({ workspace, params }) => {
      const found = await jobsStub(workspace).read(objectContext(workspace), params.id)
      return { status: 200, body: found ?? notFound() }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/jobs/{id}/cancel',
      tag,
      summary: 'Stop a job; what it has done stays done',
      params: idParam,
      answers: { 200: job },
      errors: [404, 409, 503],
    },
    async ({ workspace, params }) => {
      const found =
        (await jobsStub(workspace).cancel(
          objectContext(workspace),
          params.id,
          askedBy(workspace),
        )) ?? notFound()
      if (found.finished === null) {
        throw new DomainError(
          'conflict',
          `A job of the kind ${found.kind} can't be stopped half way.`,
        )
      }
      return { status: 200, body: found }
    },
  )
}

function notFound(): never {
  throw new DomainError('not_found', 'Job not found')
}
