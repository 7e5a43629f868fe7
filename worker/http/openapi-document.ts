import * as z from 'zod'
import { problem, validationProblem } from '#core/wire/problem.ts'
import type { DeclaredEndpoint } from './endpoint.ts'
import { operationId } from './operation-id.ts'

type Json = Record<string, unknown>

const DESCRIPTION = `Headgate speaks the REST API of Prefect 3; what is its own is described here as well. The key tells the
workspace; the long form of the address, which names account and workspace, serves the same routes.`

/** OpenAPI 3.1 of the declared endpoints. A schema with an id is a component of that name. */
export function endpointsDocument(endpoints: readonly DeclaredEndpoint[]): Json {
  const components = new Components()
  const paths: Record<string, Json> = {}
  for (const endpoint of endpoints) {
    paths[endpoint.path] = {
      ...paths[endpoint.path],
      [endpoint.method]: operation(endpoint, components),
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Headgate API', version: '0.1.0', description: DESCRIPTION },
    servers: [
      { url: '/api', description: 'The workspace of the key' },
      {
        url: '/api/accounts/{account_id}/workspaces/{workspace_id}',
        description: 'One workspace, by its address',
        variables: {
          account_id: { default: 'account_id' },
          workspace_id: { default: 'workspace_id' },
        },
      },
    ],
    tags: [...new Set(endpoints.map((endpoint) => endpoint.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key or a run token' },
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'The key as the whole text, as name or as password',
        },
      },
    },
  }
}

function operation(endpoint: DeclaredEndpoint, components: Components): Json {
  const { method, path, tag, summary, body } = endpoint
  return {
    operationId: operationId(method, path),
    tags: [tag],
    summary,
    security: endpoint.open === true ? [] : [{ bearer: [] }, { basic: [] }],
    parameters: [
      ...parameters('path', endpoint.params, components),
      ...parameters('query', endpoint.query, components),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: endpoint.bodyOptional !== true,
            content: content(body, components),
          },
        }),
    responses: responses(endpoint, components),
  }
}

function responses(endpoint: DeclaredEndpoint, components: Components): Json {
  const answers = Object.entries(endpoint.answers).map(([status, schema]) => [
    status,
    {
      description: Number(status) < 300 ? 'Success' : (ERRORS[Number(status)] ?? 'Error'),
      ...(schema === null
        ? {}
        : {
            content: content(schema, components, Number(status) < 300 ? endpoint.media : undefined),
          }),
    },
  ])
  const refused = [...errorsOf(endpoint)].map((status) => [
    status,
    { description: ERRORS[status], content: content(problem, components) },
  ])
  const invalid =
    endpoint.body === undefined && endpoint.query === undefined
      ? []
      : [[422, { description: ERRORS[422], content: content(validationProblem, components) }]]
  return Object.fromEntries([...invalid, ...refused, ...answers])
}

/** What it says of itself, and what happens before it is asked: who calls, what is named in the path, how a body comes. */
function errorsOf({ errors = [], open, params, body }: DeclaredEndpoint): Set<number> {
  return new Set([
    ...errors,
    ...(open === true ? [] : [401, 403, 429, 503]),
    ...(params === undefined ? [] : [404]),
    ...(body === undefined ? [] : [408, 413]),
  ])
}

function parameters(
  where: 'path' | 'query',
  schema: z.ZodType | undefined,
  components: Components,
): Json[] {
  if (schema === undefined) {
    return []
  }
  const { properties = {}, required = [] } = components.inline(schema) as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }))
}

function content(
  schema: z.ZodType,
  components: Components,
  media: readonly string[] = ['application/json'],
): Json {
  const inline = components.inline(schema)
  return Object.fromEntries(media.map((type) => [type, { schema: inline }]))
}

/** Gathers the named schemas that the endpoints' schemas lead to. */
class Components {
  readonly schemas: Record<string, Json> = {}

  /** The schema as JSON Schema, its named parts as references. */
  inline(schema: z.ZodType): Json {
    const {
      $schema: _dialect,
      $defs = {},
      ...own
    } = z.toJSONSchema(schema, {
      // What is sent, before transformations: they only bring texts into one form.
      io: 'input',
      unrepresentable: 'any',
    })
    for (const [name, definition] of Object.entries($defs)) {
      this.schemas[name] ??= referringToComponents(definition) as Json
    }
    return referringToComponents(own) as Json
  }
}

function referringToComponents(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map((item) => referringToComponents(item))
  }
  if (typeof value !== 'object' || value === null) {
    return value
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === '$ref' && typeof item === 'string'
        ? item.replace('#/$defs/', '#/components/schemas/')
        : referringToComponents(item),
    ]),
  )
}

const ERRORS: Record<number, string> = {
  400: 'The request can not be carried out',
  402: "The account's plan has no more of it in this month",
  401: 'No key, or one that is not valid',
  403: 'The key does not allow this',
  404: 'There is no such object',
  408: 'The body did not come in time',
  409: 'The request is at odds with what is stored',
  413: 'The body is too large',
  422: 'The request is not valid',
  429: 'Too many requests: try again after `Retry-After` seconds',
  426: 'Only a WebSocket is served here',
  503: 'Try again after `Retry-After` seconds',
}
