import type { Deployment } from '#core/wire/deployment.ts'
import type { FlowRunRow } from '#core/wire/flow-run.ts'
import type { Log } from '#core/wire/log.ts'
import type { State, StateType } from '#core/wire/state.ts'
import type { TaskRun } from '#core/wire/task-run.ts'
import { NO_STORAGE, type WorkPool } from '#core/wire/work-pool.ts'
import type { WorkQueue } from '#core/wire/work-queue.ts'
import type { Worker } from '#core/wire/worker.ts'

export interface FakeWorkspace {
  runs: FlowRunRow[]
  states: Map<string, State[]>
  tasks: Map<string, TaskRun[]>
  logs: Map<string, Log[]>
  deployments: Deployment[]
  flows: { id: string; name: string }[]
  pools: WorkPool[]
  queues: WorkQueue[]
  workers: Worker[]
}

const FLOWS = ['nightly-etl', 'ingest-orders', 'score-customers', 'sync-crm', 'report-weekly']
const DEPLOYMENTS = ['prod', 'prod', 'prod', 'staging', 'prod']
const ADJECTIVES = [
  'brave',
  'calm',
  'eager',
  'amber',
  'silent',
  'vivid',
  'rusty',
  'lucid',
  'ornate',
]
const ANIMALS = ['otter', 'heron', 'marten', 'lynx', 'crane', 'gecko', 'beaver', 'falcon', 'newt']
const TASKS = ['extract', 'validate', 'load-page', 'transform', 'publish', 'notify']

/** Mulberry32: the same numbers at each start. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function iso(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}

function pick<T>(items: readonly T[], random: number): T {
  const item = items[Math.floor(random * items.length)]
  if (item === undefined) {
    throw new Error('nothing to pick from')
  }
  return item
}

function fakeId(kind: number, index: number): string {
  return `${kind.toString(16).padStart(8, '0')}-0000-4000-8000-${index.toString(16).padStart(12, '0')}`
}

/** A workspace with a past: runs of the last day, newest first, most of them well, some not. */
export function fakeWorkspace(now: number, runCount: number, logLines: number): FakeWorkspace {
  const random = randomFrom(7)
  const flows = FLOWS.map((name, index) => ({ id: fakeId(1, index), name }))
  const workspace: FakeWorkspace = {
    runs: [],
    states: new Map(),
    tasks: new Map(),
    logs: new Map(),
    flows,
    deployments: flows.map((flow, index) => fakeDeployment(flow, index, now)),
    pools: [
      fakePool('default', 'process', 0, 10, 7, now),
      fakePool('gpu', 'kubernetes', 1, null, 2, now),
    ],
    queues: [
      fakeQueue('critical', 1, null, 3, now),
      fakeQueue('default', 2, 8, 4, now),
      fakeQueue('backfill', 3, 2, 0, now),
    ],
    workers: [
      {
        ...stored(5, 0, now),
        name: 'agent-ams-1',
        work_pool_id: fakeId(3, 0),
        last_heartbeat_time: iso(now - 4000),
        heartbeat_interval_seconds: 10,
        status: 'ONLINE',
      },
      {
        ...stored(5, 1, now),
        name: 'agent-ams-2',
        work_pool_id: fakeId(3, 0),
        last_heartbeat_time: iso(now - 5_400_000),
        heartbeat_interval_seconds: 10,
        status: 'OFFLINE',
      },
    ],
  }
  const gap = 86_400_000 / runCount
  for (let index = 0; index < runCount; index += 1) {
    const due = now - 4000 - index * gap - random() * gap * 0.8
    workspace.runs.push(fakeRun(index, due, now, random, workspace))
  }
  const subject = workspace.runs[2]
  if (subject) {
    workspace.logs.set(subject.id, fakeLogs(subject, logLines, now, random))
    workspace.tasks.set(subject.id, fakeTasks(subject, 48, now, random))
  }
  const failed = workspace.runs.find((run) => run.state_type === 'FAILED')
  if (failed) {
    workspace.logs.set(failed.id, fakeLogs(failed, 240, now, random))
    workspace.tasks.set(failed.id, fakeTasks(failed, 12, now, random))
  }
  return workspace
}

function stored(kind: number, index: number, now: number) {
  return { id: fakeId(kind, index), created: iso(now - 864e5), updated: iso(now) }
}

function fakeRun(
  index: number,
  due: number,
  now: number,
  random: () => number,
  workspace: FakeWorkspace,
): FlowRunRow {
  const flowIndex = Math.floor(random() * FLOWS.length)
  const [type, name] = stateOf(index, random())
  const wait = 120 + random() ** 4 * 40_000
  const length = 800 + random() ** 3 * 400_000
  const hasStarted = !['SCHEDULED', 'PENDING'].includes(type)
  const isOver = hasStarted && !['RUNNING', 'CANCELLING', 'PAUSED'].includes(type)
  const start = hasStarted ? due + wait : undefined
  const end = isOver && start !== undefined ? Math.min(start + length, now - 1000) : undefined
  const id = fakeId(2, index)
  const messages: Partial<Record<StateType, string>> = {
    FAILED:
      'Task load-page failed: HTTP 503 from https://api.example.com/orders?page=12 after 3 attempts',
    CRASHED: 'The process ended with exit code 137 (killed; out of memory?)',
  }
  const states = fakeStates(id, type, name, due, start, end, messages[type] ?? null)
  workspace.states.set(id, states)
  return {
    id,
    created: iso(due - 30_000),
    updated: iso(end ?? now),
    name: `${pick(ADJECTIVES, random())}-${pick(ANIMALS, random())}-${index}`,
    flow_id: fakeId(1, flowIndex),
    flow_name: FLOWS[flowIndex] ?? null,
    deployment_id: fakeId(4, flowIndex),
    deployment_name: DEPLOYMENTS[flowIndex] ?? null,
    deployment_version: null,
    work_queue_id: fakeId(6, 1),
    work_queue_name: pick(['critical', 'default', 'default', 'backfill'], random()),
    work_pool_id: fakeId(3, 0),
    work_pool_name: flowIndex === 2 ? 'gpu' : 'default',
    flow_version: 'a41c9e2',
    idempotency_key: null,
    empirical_policy: {
      max_retries: 0,
      retry_delay_seconds: 0,
      retries: 0,
      retry_delay: 0,
      pause_keys: null,
      resuming: null,
      retry_type: null,
      infrastructure_retries: null,
    },
    tags: flowIndex % 2 === 0 ? ['prod', 'team-data'] : ['prod'],
    labels: {},
    parent_task_run_id: null,
    state_id: states.at(-1)?.id ?? null,
    state_type: type,
    state_name: name,
    state_message: messages[type] ?? null,
    run_count: random() > 0.9 ? 2 : 1,
    expected_start_time: iso(due),
    next_scheduled_start_time: null,
    start_time: start === undefined ? null : iso(start),
    end_time: end === undefined ? null : iso(end),
    total_run_time: start === undefined ? 0 : ((end ?? now) - start) / 1000,
    estimated_run_time: 0,
    estimated_start_time_delta: 0,
    auto_scheduled: random() > 0.4,
    infrastructure_document_id: null,
    infrastructure_pid: '48213',
    created_by: null,
    concurrency_key: null,
    start_before: null,
    version: 1,
  }
}

function stateOf(index: number, random: number): [StateType, string] {
  if (index < 14) {
    const first: [StateType, string][] = [
      ['SCHEDULED', 'Late'],
      ['PENDING', 'Pending'],
      ['RUNNING', 'Running'],
      ['RUNNING', 'Running'],
      ['RUNNING', 'Retrying'],
      ['SCHEDULED', 'AwaitingConcurrencySlot'],
      ['COMPLETED', 'Completed'],
      ['CANCELLING', 'Cancelling'],
      ['FAILED', 'Failed'],
      ['COMPLETED', 'Completed'],
      ['PAUSED', 'Suspended'],
      ['COMPLETED', 'Cached'],
      ['CANCELLED', 'Cancelled'],
      ['CRASHED', 'Crashed'],
    ]
    return first[index] ?? ['COMPLETED', 'Completed']
  }
  if (random < 0.9) {
    return ['COMPLETED', 'Completed']
  }
  return random < 0.96
    ? ['FAILED', 'Failed']
    : random < 0.98
      ? ['CRASHED', 'Crashed']
      : ['CANCELLED', 'Cancelled']
}

function fakeStates(
  runId: string,
  type: StateType,
  name: string,
  due: number,
  start: number | undefined,
  end: number | undefined,
  message: string | null,
): State[] {
  const at = (index: number, stateType: StateType, stateName: string, time: number): State => ({
    id: `${runId.slice(0, 24)}${(Number.parseInt(runId.slice(24), 16) * 8 + index).toString(16).padStart(12, '0')}`,
    type: stateType,
    name: stateName,
    timestamp: iso(time),
    message: null,
    data: null,
    state_details: {},
  })
  const states = [at(0, 'SCHEDULED', 'Scheduled', due - 30_000)]
  if (start !== undefined) {
    states.push(
      at(1, 'PENDING', 'Pending', due + (start - due) * 0.4),
      at(2, 'RUNNING', 'Running', start),
    )
  }
  if (states.at(-1)?.name !== name) {
    states.push({ ...at(3, type, name, end ?? (start ?? due) + 2000), message })
  }
  return states
}

function fakeTasks(run: FlowRunRow, count: number, now: number, random: () => number): TaskRun[] {
  const from = Date.parse(run.start_time ?? run.created)
  const to = run.end_time === null ? now : Date.parse(run.end_time)
  return Array.from({ length: count }, (_, index) => {
    const start = from + ((to - from) * index) / count
    const isLast = index > count - 4
    const isLive = run.end_time === null && isLast
    const type: StateType = isLive
      ? 'RUNNING'
      : isLast && run.state_type === 'FAILED'
        ? 'FAILED'
        : 'COMPLETED'
    const end = isLive ? undefined : Math.min(to, start + random() * (to - from) * 0.2)
    const id = fakeId(7, index + Math.floor(from % 1000) * 1000)
    const name = type.charAt(0) + type.slice(1).toLowerCase()
    return {
      id,
      created: iso(start),
      updated: iso(end ?? now),
      name: `${pick(TASKS, random())}-${index}`,
      flow_run_id: run.id,
      task_key: 'etl.load_page',
      dynamic_key: String(index),
      cache_key: null,
      cache_expiration: null,
      task_version: null,
      empirical_policy: {},
      tags: [],
      labels: {},
      task_inputs: {},
      state_id: fakeId(8, index),
      state_type: type,
      state_name: name,
      state: {
        id: fakeId(8, index),
        type,
        name,
        timestamp: iso(end ?? start),
        message: null,
        data: null,
        state_details: {},
      },
      run_count: index % 9 === 4 ? 2 : 1,
      flow_run_run_count: 1,
      expected_start_time: iso(start),
      next_scheduled_start_time: null,
      start_time: iso(start),
      end_time: end === undefined ? null : iso(end),
      total_run_time: 1,
      estimated_run_time: 1,
      estimated_start_time_delta: 0,
    }
  })
}

const LINES = [
  'Fetched page 12 of 480 from https://api.example.com/orders?page=12 (200, 41 kB)',
  'Validated 500 rows, 0 refused',
  'Wrote 500 rows to warehouse.orders_raw in 182 ms',
  'Retrying in 2.4 s after HTTP 503 (attempt 2 of 3)',
  'Customer segment “returning” has 18,204 members, 312 more than yesterday',
]

function fakeLogs(
  run: FlowRunRow,
  count: number,
  now: number,
  random: () => number,
  first = 0,
): Log[] {
  const from = Date.parse(run.start_time ?? run.created)
  const to = run.end_time === null ? now : Date.parse(run.end_time)
  return Array.from({ length: count }, (_, index) => {
    const draw = random()
    const level = draw < 0.02 ? 40 : draw < 0.07 ? 30 : draw < 0.3 ? 10 : 20
    const message =
      level === 40
        ? `Page 12 failed\nTraceback (most recent call last):\n  File "/app/etl.py", line 84, in load_page\n    response.raise_for_status()\nHTTPError: 503 Server Error for url: https://api.example.com/orders?page=12`
        : `${pick(LINES, random())} [${first + index}]`
    return {
      ...stored(9, first + index, now),
      name: 'headgate.flow_runs',
      level,
      message,
      timestamp: iso(first > 0 ? now : from + ((to - from) * index) / count),
      flow_run_id: run.id,
      task_run_id: null,
    }
  })
}

function fakeDeployment(
  flow: { id: string; name: string },
  index: number,
  now: number,
): Deployment {
  return {
    ...stored(4, index, now),
    name: DEPLOYMENTS[index] ?? 'prod',
    version: null,
    description: null,
    flow_id: flow.id,
    paused: index === 3,
    schedules:
      index === 1
        ? []
        : [
            {
              ...stored(10, index, now),
              deployment_id: fakeId(4, index),
              schedule:
                index === 0
                  ? { cron: '0 2 * * *', timezone: 'Europe/Berlin' }
                  : { interval: 300 * (index + 1) },
              active: index !== 4,
              max_scheduled_runs: null,
              parameters: {},
              slug: null,
              missed_runs: null,
            },
          ],
    concurrency_limit: null,
    global_concurrency_limit: null,
    concurrency_options: null,
    concurrency_key: null,
    max_waiting_runs: null,
    start_within_seconds: null,
    signature: null,
    job_variables: {},
    parameters: { source: 'orders', window: { days: 7, include_today: false }, pages: [1, 2, 3] },
    tags: ['prod'],
    labels: {},
    work_queue_name: 'default',
    work_queue_id: fakeId(6, 1),
    work_pool_name: 'default',
    last_polled: null,
    parameter_openapi_schema: {
      type: 'object',
      properties: { dry_run: { type: 'boolean', default: false } },
      required: ['source'],
    },
    path: null,
    pull_steps: null,
    entrypoint: 'etl.ts:main',
    storage_document_id: null,
    infrastructure_document_id: null,
    created_by: null,
    updated_by: null,
    status: index === 2 ? 'NOT_READY' : 'READY',
    enforce_parameter_schema: true,
  }
}

function fakePool(
  name: string,
  type: string,
  index: number,
  limit: number | null,
  active: number,
  now: number,
): WorkPool {
  return {
    ...stored(3, index, now),
    name,
    description: index === 0 ? 'Processes on the two machines in Amsterdam' : null,
    type,
    base_job_template: {},
    is_paused: false,
    concurrency_limit: limit,
    status: index === 0 ? 'READY' : 'NOT_READY',
    default_queue_id: fakeId(6, 1),
    storage_configuration: NO_STORAGE,
    active_slots: active,
  }
}

function fakeQueue(
  name: string,
  priority: number,
  limit: number | null,
  active: number,
  now: number,
): WorkQueue {
  return {
    ...stored(6, priority - 1, now),
    name,
    description: null,
    is_paused: priority === 3,
    concurrency_limit: limit,
    priority,
    work_pool_id: fakeId(3, 0),
    work_pool_name: 'default',
    last_polled: iso(now - 3000),
    status: priority === 3 ? 'PAUSED' : 'READY',
    active_slots: active,
  }
}
