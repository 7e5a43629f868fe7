import * as z from 'zod'
import type { Micros } from '#core/time.ts'
import { timestamp } from '#core/wire/common.ts'
import { dependencyResult, runGraph, type RunGraph } from '#core/wire/run-graph.ts'
import { DomainError } from '#domain/errors.ts'
import { graphNodes } from '#domain/run-graph.ts'
import { listGraphArtifacts, listGraphRows } from '#storage/run-graph.ts'
import { listTaskRuns } from '#storage/task-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import { readFlowRun, readFlowRunStates } from '../operations/read-flow-run.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'

const tag = 'Flow runs'

/** As in Prefect: larger graphs can't be drawn. */
const MAX_NODES = 10_000
const MAX_ARTIFACTS = 10_000

export function addRunGraphRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/flow_runs/{id}/graph-v2',
      tag,
      summary: 'What a flow run did: its task runs and subflows, and what fed what',
      params: idParam,
      query: z.object({ since: timestamp.optional() }),
      answers: { 200: runGraph },
      listsRuns: true,
      errors: [400, 404, 503],
    },
    async ({ workspace, params, query, now }) => ({
      status: 200,
      body: await readGraph(workspace, params.id, query.since ?? null, now),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/flow_runs/{id}/graph',
      tag,
      summary: 'The task runs of a flow run and what fed them',
      params: idParam,
      answers: { 200: z.array(dependencyResult) },
      listsRuns: true,
      errors: [404, 503],
    },
    async ({ workspace, params, now }) => {
      await readFlowRun(workspace, params.id, now)
      const filters = { task_runs: { flow_run_id: { any_: [params.id] } } }
      const page = { sort: 'EXPECTED_START_TIME_ASC', limit: MAX_NODES, offset: 0 } as const
      const taskRuns = await listTaskRuns(workspace, filters, page, now)
      return { status: 200, body: taskRuns.map(toDependencies) }
    },
  )
}

async function readGraph(
  workspace: Workspace,
  id: string,
  since: string | null,
  now: Micros,
): Promise<RunGraph> {
  const run = await readFlowRun(workspace, id, now)
  const [rows, artifacts, states] = await Promise.all([
    listGraphRows(workspace, id, MAX_NODES + 1),
    listGraphArtifacts(workspace, id, MAX_ARTIFACTS),
    readFlowRunStates(workspace, id),
  ])
  if (rows.length > MAX_NODES) {
    throw new DomainError(
      'bad_request',
      `The graph of flow run ${id} has more than ${MAX_NODES} nodes.`,
    )
  }
  const nodes = graphNodes(rows, since, artifacts)
  return {
    start_time: run.start_time ?? run.expected_start_time,
    end_time: run.end_time,
    root_node_ids: nodes.filter(({ parents }) => parents.length === 0).map((node) => node.id),
    nodes: nodes.map((node) => [node.id, node]),
    artifacts: artifacts.get(null) ?? [],
    states: states.map((state) => ({
      id: state.id,
      timestamp: state.timestamp,
      type: state.type,
      name: state.name,
    })),
  }
}

type TaskRuns = Awaited<ReturnType<typeof listTaskRuns>>

function toDependencies(taskRun: TaskRuns[number]): z.infer<typeof dependencyResult> {
  const fed = Object.values(taskRun.task_inputs)
    .flat()
    .filter((input) => input.input_type === 'task_run')
  return {
    id: taskRun.id,
    name: taskRun.name,
    upstream_dependencies: [...new Map(fed.map((input) => [input.id, input])).values()],
    state: taskRun.state,
    expected_start_time: taskRun.expected_start_time,
    start_time: taskRun.start_time,
    end_time: taskRun.end_time,
    total_run_time: taskRun.total_run_time,
    estimated_run_time: taskRun.estimated_run_time,
    untrackable_result: taskRun.state?.state_details.untrackable_result ?? false,
  }
}
