import * as z from 'zod'
import { jsonObject } from '#core/wire/common.ts'
import { workerMetadata } from '#domain/base-job-templates.ts'
import { DomainError } from '#domain/errors.ts'
import { endpoint, type Api } from './endpoint.ts'

/** The views of Prefect's registry of which there is no copy here. */
const MISSING: ReadonlySet<string> = new Set([
  'aggregate-block-metadata',
  'aggregate-flow-metadata',
  'demo-flows',
])

export function addCollectionRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/collections/views/{view}',
      tag: 'Collections',
      summary: 'What Prefect’s collections bring: the types of workers with their templates',
      params: z.object({ view: z.string() }),
      answers: { 200: jsonObject },
      errors: [404],
    },
    ({ params: { view } }) => {
      if (view === 'aggregate-worker-metadata') {
        return { status: 200, body: workerMetadata() }
      }
      throw new DomainError(
        'not_found',
        MISSING.has(view)
          ? `Requested content missing for view ${view}`
          : `View ${view} not found in registry`,
      )
    },
  )
}
