import { describe, expect, test } from 'vitest'
import type { Json } from '#core/wire/common.ts'
import { findVariableByName, listVariablesByNames } from '#storage/variables.ts'
import { signRunToken } from '../../worker/operations/run-token.ts'
import { call } from '../support/call.ts'
import { aServiceAccountKey } from '../wall/callers.ts'
import { aWorkspace, API_URL, bindings, clientOf, fetchWorker } from '../support/workspace.ts'

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

describe('a secret variable', () => {
  const MASK = '********'
  const value = { token: 'hush', port: 1.0 }

  async function aSecret() {
    const own = await aWorkspace()
    const made = await own.client.createVariable({
      name: 'secret',
      value,
      secret: true,
      tags: ['x'],
    })
    const kept = async () =>
      await own.workspace.database
        .prepare('SELECT value, secret FROM variable WHERE workspace_id = ? AND id = ?')
        .bind(own.workspace.id, made.id)
        .first<{ value: string; secret: number | null }>()
    const read = async (path: string, key = own.key) => await call(key, 'GET', `/variables/${path}`)
    return { ...own, made, kept, read }
  }

  test('is sealed, and shown by its name to who may read secrets, by its id to who asks for it', async () => {
    const { client, key, made, kept, read } = await aSecret()
    expect(made).toMatchObject({ value: MASK, secret: true, tags: ['x'] })
    expect((await kept())?.value).toMatch(/^2\./)
    expect(JSON.stringify(await kept())).not.toContain('hush')
    expect(await client.filterVariables()).toMatchObject([{ value: MASK, secret: true }])
    expect((await read(made.id)).body).toMatchObject({ value: MASK })
    expect((await read(`${made.id}?include_secrets=true`)).body).toMatchObject({ value })
    // Its form is kept, too.
    const text = await (await send(key, 'GET', 'name/secret')).text()
    expect(text).toContain(JSON.stringify(value))
    expect(await client.createVariable({ name: 'plain', value: 1 })).not.toHaveProperty('secret')
  })

  test('is masked for who may not read secrets', async () => {
    const { workspace, client, key, made, read } = await aSecret()
    const viewer = await aServiceAccountKey({ workspace } as never, 'viewer')
    expect((await read('name/secret', viewer)).body).toMatchObject({ value: MASK })
    expect((await read(made.id, viewer)).body).toMatchObject({ value: MASK })
    for (const path of [made.id, 'name/secret']) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect((await read(`${path}?include_secrets=true`, viewer)).status).toBe(403)
    }
    const writes = await client.createApiKey({
      name: 'writes',
      kind: 'workspace',
      scopes: ['see', 'write'],
    })
    const laidOpen = await call(writes.key, 'PATCH', '/variables/name/secret', { secret: false })
    expect(laidOpen.status).toBe(422)
    expect(JSON.stringify(laidOpen.body)).not.toContain('hush')
    expect((await read('name/secret', key)).body).toMatchObject({ value })
  })

  test('is read by the code of a run', async () => {
    const { workspace } = await aSecret()
    const now = Math.floor(Date.now() / 1000)
    const token = await signRunToken(bindings.HEADGATE_SECRET, {
      workspace_id: workspace.id,
      flow_run_id: NOWHERE,
      fence: 1,
      home_key: '00000000',
      issued: now,
      expires: now + 60,
    })
    expect((await clientOf(token).readVariable('secret')).value).toEqual(value)
    await clientOf(token).updateVariable('secret', { value: 'new' })
    expect((await clientOf(token).readVariable('secret')).value).toBe('new')
  })

  test('stays secret through changes, and becomes so or ends to be by what is asked', async () => {
    const { client, kept } = await aSecret()
    const shown = async () => (await client.readVariable('secret')).value
    // A form sends back what it was shown.
    await client.updateVariable('secret', { value: MASK, tags: ['y'] })
    expect(await shown()).toEqual(value)
    await client.updateVariable('secret', { value: 'quiet' })
    expect(await shown()).toBe('quiet')
    expect((await kept())?.secret).toBe(1)
    await expect(
      client.updateVariable('secret', { value: MASK, secret: false }),
    ).rejects.toMatchObject({
      status: 422,
    })
    await client.updateVariable('secret', { value: 'open', secret: false })
    expect(await kept()).toEqual({ value: '"open"', secret: null })
    await client.updateVariable('secret', { secret: true })
    expect(await kept()).toMatchObject({ value: expect.stringMatching(/^2\./), secret: 1 })
    expect(await shown()).toBe('open')
    await client.deleteVariable('secret')
    await expect(client.readVariable('secret')).rejects.toMatchObject({ status: 404 })
  })

  test('is lost by none of many changes at once', async () => {
    const { client, kept } = await aSecret()
    await client.updateVariable('secret', { value: 'start', secret: false })
    await Promise.allSettled([
      client.updateVariable('secret', { secret: true }),
      ...Array.from({ length: 6 }, (_, index) =>
        client.updateVariable('secret', { value: `value ${index}` }),
      ),
    ])
    expect((await kept())?.secret).toBe(1)
    expect((await client.readVariable('secret')).value).toMatch(/^(start|value \d)$/)
  })

  test('is worked into no parameters', async () => {
    const { client } = await aSecret()
    const flow = await client.createFlow({ name: 'flow' })
    const deployment = await client.createDeployment({ name: 'd', flow_id: flow.id })
    const parameters = {
      a: { __prefect_kind: 'workspace_variable', variable_name: 'secret' },
    }
    await expect(
      client.createFlowRunFromDeployment(deployment.id, {
        parameters,
        enforce_parameter_schema: false,
      }),
    ).rejects.toMatchObject({ status: 400, message: expect.stringMatching(/'secret' is secret/) })
  })
})
