import { expect, test } from 'vitest'
import type { Json } from '#core/wire/common.ts'
import { findVariableByName, listVariablesByNames } from '#storage/variables.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const names = (variables: { name: string }[]) => variables.map((variable) => variable.name)

async function send(key: string, method: string, path: string, body?: string) {
  return await fetchWorker(`${API_URL}/variables/${path}`, {
    method,
    headers: { Authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body }),
  })
}

test('a variable is made, read, changed and deleted, by id and by name', async () => {
  const { client, key } = await aWorkspace()
  const made = await client.createVariable({
    name: 'a-b_1',
    value: { deep: [1, null] },
    tags: ['x'],
  })
  expect(made).toMatchObject({ name: 'a-b_1', value: { deep: [1, null] }, tags: ['x'] })
  expect(await client.readVariable('a-b_1')).toEqual(made)
  await client.updateVariable('a-b_1', { value: 'two' })
  expect(await client.readVariable('a-b_1')).toMatchObject({ value: 'two', tags: ['x'] })
  expect((await send(key, 'PATCH', made.id, '{"name":"c","tags":[]}')).status).toBe(204)
  expect(await (await send(key, 'GET', made.id)).json()).toMatchObject({ name: 'c', tags: [] })
  expect((await send(key, 'DELETE', made.id)).status).toBe(204)
  await expect(client.deleteVariable('c')).rejects.toMatchObject({ status: 404 })
})

test.for([
  '1.0',
  '12345678901234567',
  '-0.0',
  '1e3',
  '{"10":1,"2":2.50}',
  '"é\\n"',
  'null',
  'true',
  '[ 1 , {"value":2} ]',
])('the value %s keeps its form', async (value) => {
  const { client, key } = await aWorkspace()
  const sent = await send(key, 'POST', '', `{"name":"exact","tags":["value"],"value": ${value} }`)
  expect(sent.status).toBe(201)
  const compact = value.replaceAll(/ /g, '')
  expect(await sent.text()).toContain(`"value":${compact}}`)
  expect(await (await send(key, 'GET', 'name/exact')).text()).toContain(`"value":${compact}}`)
  expect(await (await send(key, 'POST', 'filter')).text()).toContain(`"value":${compact}}]`)
  expect((await client.readVariable('exact')).value).toEqual(JSON.parse(value) as Json)
})

test('variables are listed, counted and filtered', async () => {
  const { client } = await aWorkspace()
  for (const [name, tags] of [
    ['b', ['x', 'y']],
    ['a', []],
    ['ab', ['x']],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- made one after the other
    await client.createVariable({ name, value: name, tags: [...tags] })
  }
  expect(names(await client.filterVariables())).toEqual(['a', 'ab', 'b'])
  expect(names(await client.filterVariables({ sort: 'CREATED_DESC', limit: 1 }))).toEqual(['ab'])
  expect(names(await client.filterVariables({ variables: { name: { like_: 'B' } } }))).toEqual([
    'ab',
    'b',
  ])
  expect(await client.countVariables({ variables: { tags: { all_: ['x'] } } })).toBe(2)
  expect(await client.countVariables({ variables: { tags: { is_null_: true } } })).toBe(1)
  expect(await client.countVariables({ variables: { id: { any_: [] } } })).toBe(0)
})

test('the server reads values by name, each workspace its own', async () => {
  const { client, workspace } = await aWorkspace()
  const other = await aWorkspace()
  await client.createVariable({ name: 'mine', value: { a: 1 } })
  expect(await findVariableByName(workspace, 'mine')).toMatchObject({ value: { a: 1 } })
  expect(await listVariablesByNames(workspace, ['mine', 'none'])).toHaveLength(1)
  expect(await findVariableByName(other.workspace, 'mine')).toBeUndefined()
  await expect(other.client.readVariable('mine')).rejects.toMatchObject({ status: 404 })
  await other.client.createVariable({ name: 'mine', value: 2 })
  expect((await client.readVariable('mine')).value).toEqual({ a: 1 })
})

test.for([
  ['POST', '', { name: 'Upper', value: 1 }, 422],
  ['POST', '', { name: 'x'.repeat(256), value: 1 }, 422],
  ['POST', '', { name: 'none' }, 422],
  ['POST', '', { name: 'more', value: 1, colour: 1 }, 422],
  ['POST', '', { name: 'long', value: 'x'.repeat(4999) }, 422],
  ['POST', '', { name: 'fits', value: 'x'.repeat(4998) }, 201],
  ['POST', '', { name: 'here', value: 1 }, 409],
  ['PATCH', 'name/other', { name: 'here' }, 409],
  ['PATCH', 'name/other', { name: null }, 409],
  ['PATCH', 'name/other', { value: null }, 204],
  ['PATCH', NOWHERE, { value: 1 }, 404],
  ['GET', NOWHERE, undefined, 404],
  ['DELETE', 'name/nobody', undefined, 404],
  ['POST', 'filter', { variables: { colour: 1 } }, 422],
  ['POST', 'filter', { limit: 201 }, 422],
] as const)('%s /variables/%s of %j is a %i', async ([method, path, body, status]) => {
  const { client, key } = await aWorkspace()
  await client.createVariable({ name: 'here', value: 1 })
  await client.createVariable({ name: 'other', value: 1 })
  const response = await send(
    key,
    method,
    path,
    body === undefined ? undefined : JSON.stringify(body),
  )
  expect(response.status, await response.text()).toBe(status)
})
