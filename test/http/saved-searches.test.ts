import { expect, test } from 'vitest'
import { call } from '../support/call.ts'
import { aWorkspace } from '../support/workspace.ts'

const filter = {
  object: 'flow_run',
  property: 'state',
  type: 'string',
  operation: 'any',
  value: ['FAILED'],
}

test('a search is saved under its name, listed and deleted', async () => {
  const { client, key } = await aWorkspace()
  const late = await client.saveSearch({ name: 'late', filters: [filter] })
  expect(late).toMatchObject({ name: 'late', filters: [filter] })
  expect(await call(key, 'PUT', '/saved_searches/', { name: 'all' })).toMatchObject({
    status: 201,
    body: { name: 'all', filters: [] },
  })
  const other = { ...filter, value: null }
  expect(
    await call(key, 'PUT', '/saved_searches/', { name: 'late', filters: [other] }),
  ).toMatchObject({ status: 200, body: { id: late.id, created: late.created, filters: [other] } })
  const saved = await client.filterSavedSearches()
  expect(saved.map((search) => search.name)).toEqual(['all', 'late'])
  expect(await client.filterSavedSearches({ limit: 1, offset: 1 })).toEqual(saved.slice(1))
  expect(await client.readSavedSearch(late.id)).toEqual(saved[1])
  await client.deleteSavedSearch(late.id)
  await expect(client.deleteSavedSearch(late.id)).rejects.toMatchObject({
    status: 404,
    body: { detail: 'Saved search not found' },
  })
})

test('a filter without its parts is refused', async () => {
  const { key } = await aWorkspace()
  const body = { name: 'n', filters: [{ object: 'flow_run' }] }
  expect((await call(key, 'PUT', '/saved_searches/', body)).status).toBe(422)
})
