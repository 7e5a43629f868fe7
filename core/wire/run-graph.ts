import * as z from 'zod'
import { json } from './common.ts'
import { state, stateType } from './state.ts'

const edge = z.object({ id: z.string() }).meta({ id: 'Edge' })

const graphArtifact = z
  .object({
    id: z.string(),
    created: z.string(),
    key: z.string().nullable(),
    type: z.string().nullable(),
    is_latest: z.boolean(),
    /** Of progress artifacts only. */
    data: json.nullable(),
  })
  .meta({ id: 'GraphArtifact' })
export type GraphArtifact = z.infer<typeof graphArtifact>

const node = z
  .object({
    kind: z.enum(['flow-run', 'task-run']),
    id: z.string(),
    label: z.string(),
    state_type: stateType,
    start_time: z.string(),
    end_time: z.string().nullable(),
    parents: z.array(edge),
    children: z.array(edge),
    /** The tasks within which it ran. */
    encapsulating: z.array(edge),
    artifacts: z.array(graphArtifact),
  })
  .meta({ id: 'Node' })
export type GraphNode = z.infer<typeof node>

/** What a flow run did, in the order in which it began; a subflow stands in the place of its task run. */
export const runGraph = z
  .object({
    start_time: z.string().nullable(),
    end_time: z.string().nullable(),
    root_node_ids: z.array(z.string()),
    nodes: z.array(z.tuple([z.string(), node])),
    artifacts: z.array(graphArtifact),
    states: z.array(
      z
        .object({ id: z.string(), timestamp: z.string(), type: stateType, name: z.string() })
        .meta({ id: 'GraphState' }),
    ),
  })
  .meta({ id: 'Graph' })
export type RunGraph = z.infer<typeof runGraph>

/** The older form: task runs with what fed them. */
export const dependencyResult = z
  .object({
    id: z.string(),
    name: z.string(),
    upstream_dependencies: z.array(z.object({ input_type: z.literal('task_run'), id: z.string() })),
    state: state.nullable(),
    expected_start_time: z.string().nullable(),
    start_time: z.string().nullable(),
    end_time: z.string().nullable(),
    total_run_time: z.number(),
    estimated_run_time: z.number(),
    untrackable_result: z.boolean(),
  })
  .meta({ id: 'DependencyResult' })
