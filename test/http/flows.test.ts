import { expect, test } from 'vitest'
import type { ApiError } from '#core/client.ts'
import { aDeployment } from '../support/builders.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

const names = (flows: { name: string }[]) => flows.map((flow) => flow.name)
const NOWHERE = '00000000-0000-4000-8000-000000000000'

test('a flow is made once; the existing one comes back unchanged', async () => {
  const { key } = await aWorkspace()
  const post = async (body: unknown) =>
    await fetchWorker(`${API_URL}/flows/`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    })
  const first = await post({ name: 'etl', tags: ['a'] })
  expect(first.status).toBe(201)
  const made = await first.json()
  expect(made).toMatchObject({ name: 'etl', tags: ['a'], labels: {} })
  const again = await post({ name: 'etl', tags: ['b'] })
  expect(again.status).toBe(200)
  expect(await again.json()).toEqual(made)
})

test('a flow made by many at once is one flow', async () => {
  const { client } = await aWorkspace()
  const made = await Promise.all(Array.from({ length: 8 }, () => client.createFlow({ name: 'x' })))
  expect(new Set(made.map((flow) => flow.id)).size).toBe(1)
})

test('a flow is read, changed and deleted', async () => {
  const { client } = await aWorkspace()
  const made = await client.createFlow({ name: 'a flow, ünusual: 50' })
  expect(await client.readFlowByName('a flow, ünusual: 50')).toEqual(made)
  await client.updateFlow(made.id, { tags: ['new'] })
  expect(await client.readFlow(made.id.toUpperCase())).toMatchObject({ tags: ['new'] })
  await client.deleteFlow(made.id)
  await expect(client.readFlow(made.id)).rejects.toMatchObject({ status: 404 })
})

test('deleting a flow deletes its deployments', async () => {
  const { client, workspace } = await aWorkspace()
  const flow = await client.createFlow({ name: 'deployed' })
  const deployment = await aDeployment(workspace, { flow_id: flow.id })
  await client.deleteFlow(flow.id)
  expect(await client.countFlows({ deployments: { id: { any_: [deployment.id] } } })).toBe(0)
})

test('flows are listed, counted and paged', async () => {
  const { client } = await aWorkspace()
  await Promise.all(['c', 'a', 'd', 'b', 'e'].map((name) => client.createFlow({ name })))
  expect(names(await client.filterFlows())).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(names(await client.filterFlows({ sort: 'NAME_DESC', limit: 2, offset: 1 }))).toEqual([
    'd',
    'c',
  ])
  expect(await client.filterFlows({ limit: 0 })).toEqual([])
  expect(await client.countFlows({ flows: { name: { any_: ['a', 'z'] } } })).toBe(1)
  const page = await client.paginateFlows({ limit: 2, page: 3 })
  expect({ ...page, results: names(page.results) }).toEqual({
    results: ['e'],
    count: 5,
    limit: 2,
    pages: 3,
    page: 3,
  })
})

test.for([
  ['readFlow', NOWHERE, 404],
  ['readFlow', 'no-uuid', 404],
  ['deleteFlow', NOWHERE, 404],
  ['readFlowByName', 'nobody', 404],
] as const)('%s of %s is a %i', async ([method, argument, status]) => {
  const { client } = await aWorkspace()
  await expect(client[method](argument)).rejects.toMatchObject({ status })
})

test('a refused body says where and what, in the form of Prefect', async () => {
  const { client } = await aWorkspace()
  const refused = (body: object) =>
    client.createFlow(body as never).then(
      () => undefined,
      (error: ApiError) => ({ status: error.status, body: error.body }),
    )
  expect(await refused({ tags: 'x', colour: 1 })).toEqual({
    status: 422,
    body: {
      exception_message: 'Invalid request received.',
      exception_detail: [
        { loc: ['body', 'name'], msg: 'Field required', type: 'missing' },
        { loc: ['body', 'tags'], msg: 'Input should be a valid list', type: 'list_type' },
        { loc: ['body', 'colour'], msg: 'Extra inputs are not permitted', type: 'extra_forbidden' },
      ],
      request_body: { tags: 'x', colour: 1 },
    },
  })
})
