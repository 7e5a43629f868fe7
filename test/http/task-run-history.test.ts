import { expect, test } from 'vitest'
import { aFlowRun, aTaskRun } from '../support/builders.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

const at = (minute: number) => `2020-01-01T00:0${minute}:00.000000Z`

test('task runs are counted by time and state, with their run time and lateness', async () => {
  const { key, workspace } = await aWorkspace()
  const run = await aFlowRun(workspace)
  const completed = {
    flow_run_id: run.id,
    state_type: 'COMPLETED',
    state_name: 'Completed',
    total_run_time: 2.5,
  } as const
  await aTaskRun(workspace, { ...completed, expected_start_time: at(0), start_time: at(1) })
  await aTaskRun(workspace, { ...completed, expected_start_time: at(1), start_time: at(1) })
  await aTaskRun(workspace, { ...completed, expected_start_time: at(4), start_time: at(4) })
  await aTaskRun(workspace, { ...completed, flow_run_id: null, expected_start_time: at(1) })
  const answer = await fetchWorker(`${API_URL}/task_runs/history`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}` },
    body: JSON.stringify({
      history_start: at(0),
      history_end: at(4),
      history_interval_seconds: 120,
      flow_runs: { id: { any_: [run.id] } },
    }),
  })
  expect(await answer.json()).toEqual([
    {
      interval_start: at(0),
      interval_end: at(2),
      states: [
        {
          state_type: 'COMPLETED',
          state_name: 'Completed',
          count_runs: 2,
          sum_estimated_run_time: 5,
          sum_estimated_lateness: 60,
        },
      ],
    },
    { interval_start: at(2), interval_end: at(4), states: [] },
  ])
})
