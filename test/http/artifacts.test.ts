import { expect, test } from 'vitest'
import type { ArtifactsQuery } from '#core/wire/query.ts'
import { aDeployment, aFlow, aFlowRun, aTaskRun } from '../support/builders.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function send(key: string, method: string, path: string, body?: string) {
  return await fetchWorker(`${API_URL}/artifacts/${path}`, {
    method,
    headers: { Authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body }),
  })
}

test('an artifact is made, read, changed and deleted', async () => {
  const { client } = await aWorkspace()
  const made = await client.createArtifact({
    type: 'markdown',
    data: '# Title',
    metadata_: { long: 'x'.repeat(501) },
  })
  expect(made).toMatchObject({ key: null, type: 'markdown', data: '# Title', description: null })
  expect(made.metadata_?.['long']).toBe(`${'x'.repeat(500)}...`)
  expect(await client.readArtifact(made.id)).toEqual(made)
  await client.updateArtifact(made.id, { data: { a: [1] }, description: 'now' })
  expect(await client.readArtifact(made.id)).toMatchObject({
    data: { a: [1] },
    description: 'now',
    metadata_: made.metadata_,
  })
  expect(await client.countLatestArtifacts()).toBe(0)
  await client.deleteArtifact(made.id)
  await expect(client.readArtifact(made.id)).rejects.toMatchObject({ status: 404 })
})

test.for(['1.0', '12345678901234567', '"text"', '{"2":1.50,"1":[]}', 'null'])(
  'data %s keeps its form',
  async (data) => {
    const { key } = await aWorkspace()
    const made = await send(key, 'POST', '', `{"key":"exact", "data": ${data}}`)
    expect(made.status).toBe(201)
    expect(await made.text()).toContain(`"data":${data}}`)
    expect(await (await send(key, 'POST', 'filter')).text()).toContain(`"data":${data}}]`)
    expect(await (await send(key, 'GET', 'exact/latest')).text()).toContain(`"data":${data}}`)
  },
)

test('a key shows its newest artifact under one id, and the one before when that is deleted', async () => {
  const { client } = await aWorkspace()
  const first = await client.createArtifact({ key: 'report', type: 'table', data: 1 })
  const [shownFirst] = await client.filterLatestArtifacts()
  const second = await client.createArtifact({ key: 'report', type: 'markdown', data: 2 })
  const third = await client.createArtifact({ key: 'report', data: 3 })
  const latest = await client.readLatestArtifact('report')
  expect(latest).toMatchObject({ id: shownFirst?.id, data: 3, type: null })
  expect(await client.filterLatestArtifacts()).toMatchObject([{ latest_id: third.id, data: 3 }])
  await client.updateArtifact(third.id, { data: 33 })
  expect(await client.readLatestArtifact('report')).toMatchObject({ data: 33 })
  await client.deleteArtifact(first.id)
  await client.deleteArtifact(third.id)
  expect(await client.filterLatestArtifacts()).toMatchObject([
    { id: shownFirst?.id, latest_id: second.id, data: 2, type: 'markdown' },
  ])
  await client.deleteArtifact(second.id)
  expect(await client.filterLatestArtifacts()).toEqual([])
  await expect(client.readLatestArtifact('report')).rejects.toMatchObject({ status: 404 })
})

test('artifacts are filtered by themselves and by what they belong to', async () => {
  const { client, workspace } = await aWorkspace()
  const flow = await aFlow(workspace, { name: 'etl' })
  const deployment = await aDeployment(workspace, { flow_id: flow.id })
  const run = await aFlowRun(workspace, { flow_id: flow.id, deployment_id: deployment.id })
  const task = await aTaskRun(workspace, { flow_run_id: run.id })
  const other = await aFlowRun(workspace)
  await client.createArtifact({
    key: 'a',
    type: 'table',
    flow_run_id: run.id,
    task_run_id: task.id,
  })
  await client.createArtifact({ key: 'b-a', type: 'markdown', flow_run_id: other.id })
  await client.createArtifact({ type: 'progress', data: 0 })
  const counts: [Omit<ArtifactsQuery, 'sort'>, number, number][] = [
    [{}, 3, 2],
    [{ artifacts: { key: { exists_: true } } }, 2, 2],
    [{ artifacts: { key: { exists_: false } } }, 1, 0],
    [{ artifacts: { key: { like_: 'A' } } }, 2, 2],
    [{ artifacts: { key: { any_: ['a'] } } }, 1, 1],
    [{ artifacts: { key: { any_: [] } } }, 0, 0],
    [{ artifacts: { type: { not_any_: ['table'] } } }, 2, 1],
    [{ artifacts: { flow_run_id: { any_: [run.id, NOWHERE] } } }, 1, 1],
    [{ artifacts: { task_run_id: { any_: [task.id] } } }, 1, 1],
    [{ artifacts: { operator: 'or_', key: { any_: ['a'] }, type: { any_: ['progress'] } } }, 2, 1],
    [{ flows: { name: { any_: ['etl'] } } }, 1, 1],
    [{ deployments: { id: { any_: [deployment.id] } } }, 1, 1],
    [{ flow_runs: { id: { any_: [other.id] } } }, 1, 1],
    [{ flow_runs: { id: { any_: [other.id] } }, flows: { name: { any_: ['etl'] } } }, 0, 0],
    [{ task_runs: { id: { any_: [task.id] } } }, 1, 1],
  ]
  for (const [filter, all, latest] of counts) {
    const { limit: _limit, offset: _offset, ...filters } = filter
    // oxlint-disable no-await-in-loop -- each names its filter when it fails
    expect(await client.countArtifacts(filters), JSON.stringify(filter)).toBe(all)
    expect(await client.countLatestArtifacts(filters as object), JSON.stringify(filter)).toBe(
      latest,
    )
    expect(await client.filterLatestArtifacts(filters as object)).toHaveLength(latest)
    // oxlint-enable no-await-in-loop
  }
  const [newest] = await client.filterLatestArtifacts()
  expect(
    await client.countLatestArtifacts({
      artifacts: { latest_id: { any_: [newest?.latest_id ?? ''] } },
    }),
  ).toBe(1)
})

test.for([
  ['ID_DESC', ['c', 'b', 'a']],
  ['KEY_ASC', ['a', 'b', 'c']],
  ['KEY_DESC', ['c', 'b', 'a']],
  ['CREATED_DESC', ['c', 'b', 'a']],
  ['UPDATED_DESC', ['a', 'c', 'b']],
] as const)('artifacts are sorted by %s', async ([sort, keys]) => {
  const { client } = await aWorkspace()
  const first = await client.createArtifact({ key: 'a' })
  await client.createArtifact({ key: 'b' })
  await client.createArtifact({ key: 'c' })
  await client.updateArtifact(first.id, { data: 1 })
  expect((await client.filterArtifacts({ sort })).map(({ key }) => key)).toEqual(keys)
  expect((await client.filterLatestArtifacts({ sort })).map(({ key }) => key)).toEqual(keys)
  expect(
    (await client.filterArtifacts({ sort, limit: 1, offset: 1 })).map(({ key }) => key),
  ).toEqual([keys[1]])
})

test.for([
  ['POST', '', { key: 'Upper' }, 422],
  ['POST', '', { colour: 1 }, 422],
  ['POST', '', { data: 'x'.repeat(1_500_000) }, 422],
  ['POST', '', { data: 'x'.repeat(1_499_998) }, 201],
  ['POST', '', { description: 'é'.repeat(100_001) }, 422],
  ['POST', 'filter', { variables: {} }, 422],
  ['POST', 'latest/filter', { artifacts: { id: { any_: [] } } }, 422],
  ['PATCH', NOWHERE, { data: 1 }, 404],
  ['GET', NOWHERE, undefined, 404],
  ['GET', 'nothing/latest', undefined, 404],
  ['DELETE', NOWHERE, undefined, 404],
] as const)('%s /artifacts/%s is a %i', async ([method, path, body, status]) => {
  const { key } = await aWorkspace()
  const text = body === undefined ? undefined : JSON.stringify(body)
  expect((await send(key, method, path, text)).status).toBe(status)
})

test('a key of another workspace is another key', async () => {
  const [mine, other] = await Promise.all([aWorkspace(), aWorkspace()])
  const made = await mine.client.createArtifact({ key: 'same', data: 'mine' })
  await other.client.createArtifact({ key: 'same', data: 'other' })
  expect(await mine.client.readLatestArtifact('same')).toMatchObject({ data: 'mine' })
  await expect(other.client.deleteArtifact(made.id)).rejects.toMatchObject({ status: 404 })
  expect(await other.client.filterArtifacts()).toMatchObject([{ data: 'other' }])
})
