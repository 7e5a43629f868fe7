import { flowRunId, flowRunStateId, runTail } from '#core/flow-run-id.ts'
import { formatTimestamp } from '#core/time.ts'
import type { State } from '#core/wire/state.ts'
import { NO_STORAGE } from '#core/wire/work-pool.ts'
import { DEFAULT_POLICY } from '#domain/flow-run.ts'
import { newId } from '#storage/new-id.ts'
import { deployment, flow, worker, workPool, workQueue } from '#storage/schema/config.ts'
import { flowRun, taskRun } from '#storage/schema/runs.ts'
import type { Workspace } from '#storage/workspace.ts'

// Rows in the store, valid by default, with names and ids of their own. What is not given is as after a plain create.

let sequence = 0
const unique = (noun: string) => `${noun}-${(sequence += 1)}-${crypto.randomUUID().slice(0, 8)}`
const nowMicros = () => Date.now() * 1000
const stored = (workspace: Workspace) => {
  const now = nowMicros()
  return {
    id: newId(now),
    workspace_id: workspace.id,
    created: formatTimestamp(now),
    updated: formatTimestamp(now),
  }
}

export async function aFlow(workspace: Workspace, given: Partial<typeof flow.$inferInsert> = {}) {
  const row = { ...stored(workspace), name: unique('flow'), tags: [], labels: {}, ...given }
  const [made] = await workspace.store.insert(flow).values(row).returning()
  return required(made)
}

export async function aWorkPool(
  workspace: Workspace,
  given: Partial<typeof workPool.$inferInsert> = {},
) {
  const row = {
    ...stored(workspace),
    version_number: 1,
    home_key: '0000ffff',
    name: unique('pool'),
    type: 'process',
    base_job_template: {},
    is_paused: false,
    default_queue_id: newId(nowMicros()),
    storage_configuration: NO_STORAGE,
    ...given,
  }
  const [made] = await workspace.store.insert(workPool).values(row).returning()
  const pool = required(made)
  await aWorkQueue(workspace, { id: pool.default_queue_id, work_pool_id: pool.id, name: 'default' })
  return pool
}

export async function aWorkQueue(
  workspace: Workspace,
  given: Partial<typeof workQueue.$inferInsert> & { work_pool_id: string },
) {
  const row = {
    ...stored(workspace),
    name: unique('queue'),
    is_paused: false,
    priority: 1,
    ...given,
  }
  const [made] = await workspace.store.insert(workQueue).values(row).returning()
  return required(made)
}

export async function aWorker(
  workspace: Workspace,
  given: Partial<typeof worker.$inferInsert> & { work_pool_id: string },
) {
  const row = stored(workspace)
  const [made] = await workspace.store
    .insert(worker)
    .values({
      ...row,
      name: unique('worker'),
      last_heartbeat_time: row.created,
      heartbeat_interval_seconds: 30,
      ...given,
    })
    .returning()
  return required(made)
}

export async function aDeployment(
  workspace: Workspace,
  given: Partial<typeof deployment.$inferInsert> = {},
) {
  const row = {
    ...stored(workspace),
    version_number: 1,
    home_key: '0000ffff',
    flow_id: given.flow_id ?? (await aFlow(workspace)).id,
    name: unique('deployment'),
    paused: false,
    job_variables: {},
    parameters: {},
    enforce_parameter_schema: true,
    tags: [],
    labels: {},
    ...given,
  }
  const [made] = await workspace.store.insert(deployment).values(row).returning()
  return required(made)
}

/** A run as a flush of its home would write it; its states are one, of `state_type` and `state_name`. */
export async function aFlowRun(
  workspace: Workspace,
  given: Partial<typeof flowRun.$inferInsert> = {},
) {
  const now = nowMicros()
  const id = given.id ?? flowRunId('0000ffff', Math.floor(now / 1000), randomBytes())
  const state: State = {
    id: flowRunStateId(id, Math.floor(now / 1000), randomBytes()),
    type: given.state_type ?? 'SCHEDULED',
    name: given.state_name ?? 'Scheduled',
    timestamp: formatTimestamp(now),
    message: null,
    data: null,
    state_details: { flow_run_id: id },
  }
  const row = {
    ...stored(workspace),
    id,
    tail: runTail(id),
    seq: 1,
    deleted: false,
    name: unique('run'),
    flow_id: given.flow_id ?? (await aFlow(workspace)).id,
    parameters: {},
    context: {},
    empirical_policy: DEFAULT_POLICY,
    tags: [],
    labels: {},
    state_id: state.id,
    state_type: state.type,
    state_name: state.name,
    states: [state],
    run_count: 0,
    expected_start_time: formatTimestamp(now),
    total_run_time: 0,
    auto_scheduled: false,
    ...given,
  }
  const [made] = await workspace.store.insert(flowRun).values(row).returning()
  return required(made)
}

export async function aTaskRun(
  workspace: Workspace,
  given: Partial<typeof taskRun.$inferInsert> = {},
) {
  const row = {
    ...stored(workspace),
    seq: 1,
    deleted: false,
    name: unique('task'),
    flow_run_id: given.flow_run_id === undefined ? (await aFlowRun(workspace)).id : null,
    task_key: 'task',
    dynamic_key: unique('key'),
    empirical_policy: {
      max_retries: 0,
      retry_delay_seconds: 0,
      retries: null,
      retry_delay: null,
      retry_jitter_factor: null,
    },
    tags: [],
    labels: {},
    task_inputs: {},
    state_type: 'PENDING' as const,
    state_name: 'Pending',
    states: [],
    run_count: 0,
    flow_run_run_count: 0,
    total_run_time: 0,
    ...given,
  }
  const [made] = await workspace.store.insert(taskRun).values(row).returning()
  return required(made)
}

function randomBytes(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(10))
}

function required<T>(row: T | undefined): T {
  if (row === undefined) {
    throw new Error('the store returned no row')
  }
  return row
}
