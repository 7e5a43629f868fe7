import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import { aWorkspace } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function someRuns(client: Client, names: string[]) {
  const flow = await client.createFlow({ name: 'bulk' })
  const pool = await client.createWorkPool({ name: 'p', type: 'process' })
  const deployment = await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    work_pool_name: pool.name,
  })
  const runs = []
  for (const name of names) {
    runs.push(
      // oxlint-disable-next-line no-await-in-loop -- their ids keep this order
      name.startsWith('d')
        ? await client.createFlowRunFromDeployment(deployment.id, { name })
        : await client.createFlowRun({ flow_id: flow.id, name, idempotency_key: name }),
    )
  }
  return { flow, deployment, runs }
}

const runNames = async (client: Client) =>
  (await client.filterFlowRuns({ sort: 'NAME_ASC' })).map(({ name }) => name)

test('runs that a filter chooses are deleted, at whichever home they live', async () => {
  const { client } = await aWorkspace()
  const { flow, runs } = await someRuns(client, ['a-1', 'd-1', 'a-2', 'd-2', 'x'])
  const chosen = { name: { like_: '-' } }
  const first = await client.bulkDeleteFlowRuns({ flow_runs: chosen, limit: 3 })
  expect(first.deleted.toSorted()).toEqual(
    runs
      .slice(1, 4)
      .map(({ id }) => id)
      .toSorted(),
  )
  expect(await runNames(client)).toEqual(['a-1', 'x'])
  await client.bulkDeleteFlowRuns({ flow_runs: chosen })
  expect(await runNames(client)).toEqual(['x'])
  expect(await client.bulkDeleteFlowRuns({ flow_runs: { id: { any_: [] } } })).toEqual({
    deleted: [],
  })
  const again = await client.createFlowRun({ flow_id: flow.id, idempotency_key: 'a-1' })
  expect(again.id).not.toBe(runs[0]?.id)
  expect((await client.bulkDeleteFlowRuns({})).deleted).toHaveLength(2)
})

test('a state is proposed to each run, which judges it by its own rules', async () => {
  const { client } = await aWorkspace()
  const { runs } = await someRuns(client, ['a', 'd', 'c'])
  const [a, d, c] = runs.map(({ id }) => id)
  await client.setFlowRunState(c ?? '', { type: 'COMPLETED' })
  const { results } = await client.bulkSetFlowRunState({
    flow_runs: { name: { any_: ['a', 'c', 'd'] } },
    state: { type: 'CANCELLING' },
  })
  expect(results.map(({ flow_run_id, status }) => [flow_run_id, status])).toEqual([
    [c, 'ABORT'],
    [d, 'REJECT'],
    [a, 'ACCEPT'],
  ])
  expect((await client.readFlowRun(a ?? '')).state_type).toBe('CANCELLING')
})

test('a run that has changed since it was listed is left alone', async () => {
  const { client, workspace } = await aWorkspace()
  const { runs } = await someRuns(client, ['a', 'b'])
  const { deleteFlowRuns, proposeStates } =
    await import('../../worker/operations/change-flow-runs.ts')
  const ids = [...runs.map(({ id }) => id), NOWHERE]
  const pending = { state: { type: { any_: ['PENDING' as const] } } }
  await client.setFlowRunState(ids[0] ?? '', { type: 'RUNNING' })
  const proposer = { kind: 'key' } as const
  const state = { type: 'RUNNING' } as const
  const proposed = await proposeStates(workspace, ids, pending, { state }, proposer)
  expect(proposed.map(({ id }) => id)).toEqual([ids[1]])
  expect(await deleteFlowRuns(workspace, ids, pending)).toEqual([])
  expect(await deleteFlowRuns(workspace, ids, null)).toHaveLength(2)
})

test('deployments and flows that a filter chooses are deleted', async () => {
  const { client } = await aWorkspace()
  const { flow, deployment } = await someRuns(client, ['d-1'])
  const other = await client.createFlow({ name: 'other' })
  const deleted = await client.bulkDeleteDeployments({ deployments: { name: { any_: ['d'] } } })
  expect(deleted).toEqual({ deleted: [deployment.id] })
  expect(await client.countDeployments()).toBe(0)
  // Its run had not begun.
  expect(await runNames(client)).toEqual([])
  expect(await client.bulkDeleteFlows({ flows: { name: { any_: ['bulk'] } } })).toEqual({
    deleted: [flow.id],
  })
  expect((await client.filterFlows()).map(({ id }) => id)).toEqual([other.id])
})

test('nobody chooses what is not theirs', async () => {
  const [mine, other] = await Promise.all([aWorkspace(), aWorkspace()])
  const { flow, runs } = await someRuns(mine.client, ['a'])
  const id = { any_: [runs[0]?.id ?? ''] }
  expect(await other.client.bulkDeleteFlowRuns({ flow_runs: { id } })).toEqual({ deleted: [] })
  expect(await other.client.bulkDeleteFlows({ flows: { id: { any_: [flow.id] } } })).toEqual({
    deleted: [],
  })
  expect(await runNames(mine.client)).toEqual(['a'])
})

test.for([
  ['bulkDeleteFlowRuns', { limit: 51 }],
  ['bulkDeleteFlowRuns', { limit: 0 }],
  ['bulkDeleteFlowRuns', { flow_runs: { colour: 1 } }],
  ['bulkDeleteFlows', { flow: {} }],
  ['bulkDeleteDeployments', { filter: {} }],
  ['bulkSetFlowRunState', {}],
] as const)('%s of %j is refused', async ([method, body]) => {
  const { client } = await aWorkspace()
  await expect(client[method](body as never)).rejects.toMatchObject({ status: 422 })
})
