import type { Schema } from './sample-body.ts'
import { API_URL, fetchWorker } from './workspace.ts'

interface Operation {
  operationId: string
  security: object[]
  parameters: { name: string; in: 'path' | 'query'; required: boolean }[]
  requestBody?: { content: { 'application/json': { schema: Schema } } }
  responses: Record<string, object>
}
interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

export const document: Document = await (await fetchWorker(`${API_URL}/openapi.json`)).json()
/** Every operation of the API, as its document describes it. */
export const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path}`,
    method,
    path,
    operation,
    body: operation.requestBody?.content['application/json'].schema,
  })),
)
export type Route = (typeof routes)[number]
export const closed = routes.filter((route) => route.operation.security.length > 0)
export const withBody = routes.flatMap((route) =>
  route.body === undefined ? [] : [{ ...route, body: route.body }],
)

export async function send(
  route: Route,
  options: { key?: string; path?: string; body?: unknown; text?: string },
): Promise<Response> {
  return await fetchWorker(API_URL + (options.path ?? route.path.replaceAll(/\{\w+\}/g, 'x')), {
    method: route.method.toUpperCase(),
    headers: options.key === undefined ? {} : { Authorization: `Bearer ${options.key}` },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    ...(options.text === undefined ? {} : { body: options.text }),
  })
}
