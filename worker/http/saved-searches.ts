import * as z from 'zod'
import { savedSearchesQuery } from '#core/wire/query.ts'
import { savedSearch, savedSearchCreate } from '#core/wire/saved-search.ts'
import { DomainError } from '#domain/errors.ts'
import { checkJsonSize } from '#domain/json-size.ts'
import {
  findSavedSearch,
  listSavedSearches,
  removeSavedSearch,
  saveSearch,
} from '#storage/saved-searches.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'

const tag = 'Saved searches'

export function addSavedSearchRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'put',
      path: '/saved_searches/',
      tag,
      summary: 'Make a saved search, or change the one of that name',
      body: savedSearchCreate,
      answers: { 200: savedSearch, 201: savedSearch },
    },
    async ({ workspace, body, now }) => {
      checkJsonSize(body.filters, ['filters'])
      const { search, created } = await saveSearch(workspace, body, now)
      return created ? { status: 201, body: search } : { status: 200, body: search }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/saved_searches/{id}',
      tag,
      summary: 'Read a saved search',
      params: idParam,
      answers: { 200: savedSearch },
      errors: [404],
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: (await findSavedSearch(workspace, params.id)) ?? notFound(),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/saved_searches/filter',
      tag,
      summary: 'List saved searches',
      body: savedSearchesQuery,
      bodyOptional: true,
      answers: { 200: z.array(savedSearch) },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await listSavedSearches(workspace, toSlice(body)),
    }),
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/saved_searches/{id}',
      tag,
      summary: 'Delete a saved search',
      params: idParam,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params }) =>
      (await removeSavedSearch(workspace, params.id)) ? { status: 204 } : notFound(),
  )
}

function notFound(): never {
  throw new DomainError('not_found', 'Saved search not found')
}
