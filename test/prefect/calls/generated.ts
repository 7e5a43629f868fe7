import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ApiDescription, JsonSchema } from '../../support/openapi-differences.ts'
import type { Call, Scenario } from '../differential/call.ts'

const { operations, schemas } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/openapi.json'), 'utf8'),
) as ApiDescription

/** What changes the whole server, or answers with what is only its own. */
const LEFT_OUT =
  /\/(install_system_block_types|admin\/settings|collections|hello|csrf-token|version)/

/** From Prefect's list of operations: ids that nothing has, ids that are none, no body, and each field of a wrong kind. */
export const generated: Scenario[] = [
  { name: 'every operation on what is not there', calls: each(onNothing) },
  { name: 'every operation with a wrong body', calls: each(wrongBodies) },
  { name: 'every field of a wrong kind', calls: each(wrongFields) },
]

interface Described {
  method: Call['method']
  path: string
  body: JsonSchema | undefined
}

function each(toCalls: (operation: Described) => Call[]): Call[] {
  return Object.entries(operations)
    .filter(([name]) => !LEFT_OUT.test(name))
    .flatMap(([name, operation]) => {
      const [method = '', path = ''] = name.split(' ')
      const body = operation.requestBody?.content?.['application/json']?.schema
      return toCalls({ method: method as Call['method'], path, body: resolve(body) })
    })
}

function onNothing({ method, path, body }: Described): Call[] {
  if (!path.includes('{')) {
    return []
  }
  const sample = body === undefined ? {} : { body: sampleOf(body) }
  return [
    {
      method,
      path: path.replaceAll(/\{\w*id\w*\}/g, '<uuid>').replaceAll(/\{\w+\}/g, 'none'),
      ...sample,
    },
    { method, path: path.replaceAll(/\{\w+\}/g, 'no-such-id'), ...sample },
  ]
}

function wrongBodies({ method, path, body }: Described): Call[] {
  if (body === undefined) {
    return []
  }
  const to = path.replaceAll(/\{\w*id\w*\}/g, '<uuid>').replaceAll(/\{\w+\}/g, 'none')
  return [
    ...(Object.keys(body.properties ?? {}).some((name) => body.required?.includes(name))
      ? [{ method, path: to }]
      : []),
    { method, path: to, body: 7 },
    { method, path: to, body: body.type === 'array' ? {} : [] },
  ]
}

function wrongFields({ method, path, body }: Described): Call[] {
  const to = path.replaceAll(/\{\w*id\w*\}/g, '<uuid>').replaceAll(/\{\w+\}/g, 'none')
  return Object.entries(body?.properties ?? {}).flatMap(([name, field]) => {
    const wrong = wrongFor(field)
    return wrong === undefined || body === undefined
      ? []
      : [{ method, path: to, body: { ...(sampleOf(body) as object), [name]: wrong } }]
  })
}

/** A value that is surely of another kind; undefined where all are taken. */
function wrongFor(field: JsonSchema): unknown {
  const schema = resolve(field) ?? {}
  const kinds = (schema.anyOf ?? [schema]).map((option) => resolve(option)?.type)
  if (kinds.includes(undefined)) {
    return undefined
  }
  return kinds.some((kind) => kind === 'object' || kind === 'array') ? 'wrong' : { wrong: true }
}

function resolve(schema: JsonSchema | undefined): JsonSchema | undefined {
  const name = schema?.$ref?.split('/').at(-1)
  return name === undefined ? schema : resolve(schemas[name])
}

/** The least value that a schema takes. */
function sampleOf(given: JsonSchema): unknown {
  const schema = resolve(given) ?? {}
  const [option] = schema.anyOf ?? schema.oneOf ?? []
  if (option !== undefined) {
    return sampleOf(option)
  }
  const [choice] = schema.enum ?? (schema.const === undefined ? [] : [schema.const])
  if (choice !== undefined) {
    return choice
  }
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        (schema.required ?? []).map((name) => [name, sampleOf(schema.properties?.[name] ?? {})]),
      )
    case 'array':
      return []
    case 'integer':
    case 'number':
      return schema.minimum ?? 1
    case 'boolean':
      return false
    default:
      return schema.format === 'uuid'
        ? '<uuid>'
        : schema.format === 'date-time'
          ? '2026-01-01T00:00:00Z'
          : 'x'
  }
}
