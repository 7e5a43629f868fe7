import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import * as z from 'zod'
import { problem } from '#core/wire/problem.ts'
import { DomainError } from '#domain/errors.ts'
import { endpoint, type Api } from './endpoint.ts'

/** Prefect's client warns when the server is older than itself and refuses another major version; a high 3.x is silent. */
const PREFECT_VERSION = '3.99.0'
/** The version of Prefect's API that this one speaks. */
const API_VERSION = '0.8.4'

const tag = 'Server'

/** What is answered without a key, and without a read of the store but for `/ready`: clients ask these very often. */
export function addServerRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/health',
      tag,
      summary: 'Whether the API answers',
      answers: { 200: z.boolean() },
      open: true,
    },
    () => ({ status: 200, body: true }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/ready',
      tag,
      summary: 'Whether the API and its store answer',
      answers: { 200: z.object({ message: z.string() }) },
      errors: [503],
      open: true,
    },
    async ({ context }) => {
      try {
        await drizzle(context.env.DB).run(sql`SELECT 1`)
      } catch (cause) {
        throw new DomainError('unavailable', 'The store does not answer.', { cause })
      }
      return { status: 200, body: { message: 'OK' } }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/csrf-token',
      tag,
      summary: 'Says that no CSRF token is needed, in the words that Prefect’s client looks for',
      answers: { 422: problem },
      open: true,
    },
    () => ({ status: 422, body: { detail: 'CSRF protection is disabled.' } }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/admin/version',
      tag,
      summary: 'The version of Prefect’s server that this one stands in for',
      answers: { 200: z.string() },
      open: true,
    },
    () => ({ status: 200, body: PREFECT_VERSION }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/version',
      tag,
      summary: 'The version of the API',
      answers: { 200: z.string() },
      open: true,
    },
    () => ({ status: 200, body: API_VERSION }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/hello',
      tag,
      summary: 'Says hello',
      answers: { 200: z.string() },
      open: true,
    },
    () => ({ status: 200, body: '👋' }),
  )
}
