import * as z from 'zod'
import { variablesCount, variablesQuery } from '#core/wire/query.ts'
import { variable, variableCreate, variableUpdate } from '#core/wire/variable.ts'
import { DomainError } from '#domain/errors.ts'
import { variableEvent, variableFields } from '#domain/variable.ts'
import * as variables from '#storage/variables.ts'
import type { StoredVariable, VariableKey } from '#storage/variables.ts'
import type { Workspace } from '#storage/workspace.ts'
import { secretsParam } from './block-documents.ts'
import { emitLater } from './emit-later.ts'
import { endpoint, idParam, nameParam, type Api } from './endpoint.ts'
import { jsonAnswer } from './json-answer.ts'
import { toSlice } from './page.ts'
import { showsSecrets } from './rights.ts'

const tag = 'Variables'

export function addVariableRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/variables/',
      tag,
      summary: 'Make a variable',
      body: variableCreate,
      answers: { 201: variable },
      errors: [409],
      takesSecrets: true,
    },
    async (request) => {
      const { workspace, body, bodyText, now } = request
      const { value = 'null', tags = [], secret = false } = variableFields(body, bodyText)
      const fields = { name: body.name, value, tags, secret }
      const made = await variables.insertVariable(workspace, fields, now)
      if (made === undefined) {
        throw new DomainError('conflict', `A variable with the name '${body.name}' already exists.`)
      }
      emitLater(request, [variableEvent('created', made)])
      return jsonAnswer(toText(made), 201)
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/variables/filter',
      tag,
      summary: 'List variables',
      body: variablesQuery,
      bodyOptional: true,
      answers: { 200: z.array(variable) },
    },
    async ({ workspace, body }) => {
      const sort = body.sort ?? 'NAME_ASC'
      const found = await variables.listStoredVariables(
        workspace,
        body.variables,
        sort,
        toSlice(body),
      )
      return jsonAnswer(`[${found.map(toText).join(',')}]`)
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/variables/count',
      tag,
      summary: 'Count variables',
      body: variablesCount,
      bodyOptional: true,
      answers: { 200: z.int() },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await variables.countVariables(workspace, body.variables),
    }),
  )
  addRoutesOfOne(api, '/variables/{id}', 'a variable', idParam)
  addRoutesOfOne(api, '/variables/name/{name}', 'the variable of a name', nameParam)
}

/** A variable is named by its id or by its name, and does the same under both. */
function addRoutesOfOne(
  api: Api,
  path: string,
  noun: string,
  params: z.ZodType<VariableKey>,
): void {
  endpoint(
    api,
    {
      method: 'get',
      path,
      tag,
      summary: `Read ${noun}`,
      params,
      query: secretsParam,
      answers: { 200: variable },
      errors: [403, 404],
    },
    async ({ workspace, permissions, params: key, query }) => {
      // By its name code reads it that knows nothing of secrets, as `Variable.get` does in a run.
      const isAsked = query.include_secrets || ('name' in key && permissions.has('secrets'))
      const secrets = showsSecrets(permissions, isAsked)
      return jsonAnswer(toText(await find(workspace, key, secrets)))
    },
  )
  endpoint(
    api,
    {
      method: 'patch',
      path,
      tag,
      summary: `Change ${noun}`,
      params,
      body: variableUpdate,
      answers: { 204: null },
      errors: [404, 409],
      takesSecrets: true,
    },
    async (request) => {
      const { workspace, body, bodyText, now } = request
      const fields = variableFields(body, bodyText)
      const changed =
        (await variables.updateVariable(workspace, request.params, fields, now)) ?? notFound()
      emitLater(request, [variableEvent('updated', changed)])
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path,
      tag,
      summary: `Delete ${noun}`,
      params,
      answers: { 204: null },
      errors: [404],
    },
    async (request) => {
      const removed =
        (await variables.removeVariable(request.workspace, request.params)) ?? notFound()
      emitLater(request, [variableEvent('deleted', removed)])
      return { status: 204 }
    },
  )
}

async function find(
  workspace: Workspace,
  key: VariableKey,
  secrets: boolean,
): Promise<StoredVariable> {
  return (await variables.findStoredVariable(workspace, key, secrets)) ?? notFound()
}

/** The value goes out as it came in. */
function toText({ value, ...fields }: StoredVariable): string {
  return `${JSON.stringify(fields).slice(0, -1)},"value":${value}}`
}

function notFound(): never {
  throw new DomainError('not_found', 'Variable not found.')
}
