import { expect, test } from 'vitest'
import { aFlow, aFlowRun, aTaskRun } from '../support/builders.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const at = (second: number) => `2020-01-01T00:00:0${second}.000000Z`

async function aRunWithAll() {
  const made = await aWorkspace()
  const { client, workspace } = made
  const flow = await client.createFlow({ name: 'parent' })
  const run = await client.createFlowRun({ flow_id: flow.id, state: { type: 'RUNNING' } })
  const first = await aTaskRun(workspace, {
    flow_run_id: run.id,
    name: 'first',
    state_type: 'COMPLETED',
    start_time: at(1),
    end_time: at(2),
  })
  const tracking = await aTaskRun(workspace, {
    flow_run_id: run.id,
    state_type: 'RUNNING',
    expected_start_time: at(3),
    task_inputs: { x: [{ input_type: 'task_run', id: first.id }] },
  })
  const subflow = await aFlowRun(workspace, {
    flow_id: (await aFlow(workspace, { name: 'sub' })).id,
    name: 'child',
    parent_task_run_id: tracking.id,
    state_type: 'RUNNING',
    start_time: at(4),
  })
  await client.createArtifact({ type: 'table', key: 'k', flow_run_id: run.id })
  await client.createArtifact({ type: 'table', key: 'k', flow_run_id: run.id })
  await client.createArtifact({ type: 'result', flow_run_id: run.id })
  await client.createArtifact({
    type: 'progress',
    data: 12.5,
    flow_run_id: run.id,
    task_run_id: first.id,
  })
  return { ...made, run, first, tracking, subflow }
}

test('a graph shows task runs, subflows, artifacts and states', async () => {
  const { client, run, first, subflow } = await aRunWithAll()
  const graph = await client.readFlowRunGraph(run.id)
  expect(graph.root_node_ids).toEqual([first.id])
  expect(graph.nodes).toMatchObject([
    [
      first.id,
      {
        kind: 'task-run',
        label: 'first',
        start_time: at(1),
        end_time: at(2),
        parents: [],
        children: [{ id: subflow.id }],
        artifacts: [{ type: 'progress', data: 12.5, key: null, is_latest: true }],
      },
    ],
    [
      subflow.id,
      { kind: 'flow-run', label: 'sub / child', end_time: null, parents: [{ id: first.id }] },
    ],
  ])
  expect(graph.artifacts).toMatchObject([
    { type: 'table', is_latest: false, data: null },
    { type: 'table', is_latest: true },
  ])
  const [state] = await client.readFlowRunStates(run.id)
  expect(graph.states).toEqual([
    { id: state?.id, name: 'Running', type: 'RUNNING', timestamp: state?.timestamp },
  ])
  const newer = await client.readFlowRunGraph(run.id, at(3))
  expect(newer.nodes.map(([id]) => id)).toEqual([subflow.id])
})

test('the older form lists task runs with what fed them', async () => {
  const { key, run, first, tracking } = await aRunWithAll()
  const answer = await fetchWorker(`${API_URL}/flow_runs/${run.id}/graph`, {
    headers: { Authorization: `Bearer ${key}` },
  })
  const dependencies: { id: string }[] = await answer.json()
  expect(dependencies.find(({ id }) => id === tracking.id)).toMatchObject({
    upstream_dependencies: [{ input_type: 'task_run', id: first.id }],
    untrackable_result: false,
  })
  expect(dependencies).toHaveLength(2)
})

test('a run that is not there, or not yours, has no graph', async () => {
  const { client, run } = await aRunWithAll()
  const other = await aWorkspace()
  await expect(client.readFlowRunGraph(NOWHERE)).rejects.toMatchObject({ status: 404 })
  await expect(other.client.readFlowRunGraph(run.id)).rejects.toMatchObject({ status: 404 })
})
