import { newState } from '../../../core/state.ts'
import { formatTimestamp, parseTimestamp } from '../../../core/time.ts'
import type { Deployment } from '../../../core/wire/deployment.ts'
import type { Event } from '../../../core/wire/event.ts'
import type { Flow } from '../../../core/wire/flow.ts'
import type { FlowRun } from '../../../core/wire/flow-run.ts'
import type { Log, LogCreate } from '../../../core/wire/log.ts'
import type { DeploymentSchedule, DeploymentScheduleCreate } from '../../../core/wire/schedule.ts'
import type { OrchestrationResult, State, StateCreate } from '../../../core/wire/state.ts'
import type { TaskRun, TaskRunCreate } from '../../../core/wire/task-run.ts'
import { NO_STORAGE, type WorkPool, type WorkPoolCreate } from '../../../core/wire/work-pool.ts'
import type { WorkQueue, WorkQueueCreate } from '../../../core/wire/work-queue.ts'
import { isTerminalType } from '../../../worker/domain/flow-run.ts'
import { aFlowRun, newUuid } from './wire-objects.ts'

/** What the fake API knows, in memory, and the rules that running code and the command line meet. */
export class FakeStore {
  readonly pools: WorkPool[] = []
  readonly queues: WorkQueue[] = []
  readonly flows: Flow[] = []
  readonly deployments: Deployment[] = []
  readonly flowRuns: FlowRun[] = []
  readonly taskRuns: TaskRun[] = []
  readonly logs: Log[] = []
  readonly events: Event[] = []
  /** Each state that a flow run took, in order. */
  readonly states: { flowRunId: string; state: State }[] = []
  #time = 0

  /** A time later than every one before. */
  now(): string {
    return formatTimestamp(this.#micros())
  }

  #micros(): number {
    this.#time = Math.max(this.#time + 1, Date.now() * 1000)
    return this.#time
  }

  stored(): { id: string; created: string; updated: string } {
    const now = this.now()
    return { id: newUuid(), created: now, updated: now }
  }

  flow(name: string): Flow {
    const known = this.flows.find((flow) => flow.name === name)
    if (known !== undefined) {
      return known
    }
    const flow = { ...this.stored(), name, tags: [], labels: {} }
    this.flows.push(flow)
    return flow
  }

  /** A flow run as a deployment makes it. */
  addFlowRun(fields: Partial<FlowRun> = {}, state: StateCreate = { type: 'PENDING' }): FlowRun {
    const flow_id = fields.flow_id ?? this.flow('a flow').id
    const run = aFlowRun({ ...this.stored(), ...fields, flow_id })
    this.flowRuns.push(run)
    this.enter(run, state)
    return run
  }

  addTaskRun(create: TaskRunCreate): TaskRun {
    const same = this.taskRuns.find(
      (run) =>
        run.flow_run_id === create.flow_run_id &&
        run.task_key === create.task_key &&
        run.dynamic_key === create.dynamic_key,
    )
    if (same !== undefined) {
      return same
    }
    const state = newState(create.state ?? { type: 'PENDING' }, newUuid(), this.#micros())
    const run: TaskRun = {
      ...this.stored(),
      name: create.name ?? create.task_key,
      flow_run_id: create.flow_run_id ?? null,
      task_key: create.task_key,
      dynamic_key: create.dynamic_key,
      cache_key: null,
      cache_expiration: null,
      task_version: null,
      empirical_policy: {},
      tags: [],
      labels: {},
      task_inputs: create.task_inputs ?? {},
      state_id: state.id,
      state_type: state.type,
      state_name: state.name,
      state,
      run_count: 0,
      flow_run_run_count: 0,
      expected_start_time: null,
      next_scheduled_start_time: null,
      start_time: null,
      end_time: null,
      total_run_time: 0,
      estimated_run_time: 0,
      estimated_start_time_delta: 0,
    }
    this.taskRuns.push(run)
    return run
  }

  addLog(run: Pick<FlowRun, 'id'>, message: string, values: Partial<LogCreate> = {}): void {
    const log = { name: 'headgate.flow_runs', level: 20, message, timestamp: this.now(), ...values }
    this.addLogs([{ ...log, flow_run_id: run.id }])
  }

  addLogs(logs: LogCreate[]): void {
    for (const log of logs) {
      const { flow_run_id = null, task_run_id = null, ...line } = log
      this.logs.push({ ...this.stored(), ...line, flow_run_id, task_run_id })
    }
  }

  addEvents(events: Event[]): void {
    const known = new Set(this.events.map(({ id }) => id))
    this.events.push(...events.filter(({ id }) => !known.has(id)))
  }

  addPool(given: WorkPoolCreate): WorkPool {
    const pool: WorkPool = {
      ...this.stored(),
      name: given.name,
      description: given.description ?? null,
      type: given.type ?? 'process',
      base_job_template: given.base_job_template ?? {},
      is_paused: given.is_paused ?? false,
      concurrency_limit: given.concurrency_limit ?? null,
      status: 'NOT_READY',
      default_queue_id: newUuid(),
      storage_configuration: NO_STORAGE,
      active_slots: 0,
    }
    this.pools.push(pool)
    this.addQueue(pool, { name: 'default' })
    return pool
  }

  addQueue(pool: WorkPool, given: WorkQueueCreate): WorkQueue {
    const queue: WorkQueue = {
      ...this.stored(),
      name: given.name,
      description: given.description ?? null,
      is_paused: given.is_paused ?? false,
      concurrency_limit: given.concurrency_limit ?? null,
      priority: given.priority ?? this.queues.length + 1,
      work_pool_id: pool.id,
      work_pool_name: pool.name,
      last_polled: null,
      status: 'NOT_READY',
      active_slots: 0,
    }
    this.queues.push(queue)
    return queue
  }

  toSchedule(deployment_id: string, given: DeploymentScheduleCreate): DeploymentSchedule {
    return {
      ...this.stored(),
      deployment_id,
      schedule: given.schedule,
      active: given.active ?? true,
      max_scheduled_runs: given.max_scheduled_runs ?? null,
      parameters: given.parameters ?? {},
      slug: given.slug ?? null,
      missed_runs: given.missed_runs ?? null,
    }
  }

  /** The names of the states that a flow run took. */
  stateNames(flowRunId: string): string[] {
    return this.states
      .filter((entry) => entry.flowRunId === flowRunId)
      .map(({ state }) => state.name)
  }

  /** The states that each task run was reported in, by the task run's name, in the order of their times. */
  taskRunStates(): Record<string, string[]> {
    const names: Record<string, string[]> = {}
    const ordered = this.events.toSorted((a, b) => (a.occurred < b.occurred ? -1 : 1))
    for (const { resource } of ordered) {
      const list = (names[resource['prefect.resource.name'] ?? ''] ??= [])
      list.push(resource['prefect.state-name'] ?? '')
    }
    return names
  }

  messages(): string[] {
    return this.logs.map(({ message }) => message)
  }

  /** Proposes a state for a flow run, by the rules of Prefect's CoreFlowPolicy that an engine and a command meet. */
  setState(run: FlowRun, proposed: StateCreate): OrchestrationResult {
    const now = this.#micros()
    const current = run.state
    const due = parseTimestamp(current?.state_details.scheduled_time ?? '') ?? 0
    const transition = proposed.state_details?.transition_id
    if (transition != null && current?.state_details.transition_id === transition) {
      return reject(current, 'This run has already made this state transition.')
    }
    if (isTerminalType(run.state_type) && proposed.type !== 'SCHEDULED') {
      return abort(current, `Run is already in terminal state ${String(run.state_type)}.`)
    }
    if (run.state_type === 'CANCELLING' && proposed.type !== 'CANCELLED') {
      return reject(current, 'Run is being cancelled.')
    }
    if (proposed.type === 'CANCELLING' && run.state_type === 'SCHEDULED') {
      return reject(this.enter(run, { type: 'CANCELLED' }), 'It has no infrastructure.')
    }
    if (proposed.type === 'PENDING' && run.state_type !== 'SCHEDULED') {
      return abort(current, 'This run cannot transition to a PENDING state.')
    }
    if (proposed.type === 'RUNNING' && due > now) {
      const delay_seconds = (due - now) / 1_000_000
      return {
        status: 'WAIT',
        state: current,
        details: { type: 'wait_details', delay_seconds, reason: 'Scheduled time is in the future' },
      }
    }
    const retries = run.empirical_policy.retries ?? 0
    if (proposed.type === 'FAILED' && run.state_type === 'RUNNING' && run.run_count <= retries) {
      const delay = (run.empirical_policy.retry_delay ?? 0) * 1_000_000
      const state = this.enter(run, {
        ...proposed,
        type: 'SCHEDULED',
        name: 'AwaitingRetry',
        state_details: { scheduled_time: formatTimestamp(now + delay) },
      })
      return reject(state, 'Retrying')
    }
    const state = this.enter(run, proposed)
    return { status: 'ACCEPT', state, details: { type: 'accept_details' } }
  }

  /** Brings a flow run into a state, whatever the rules say. */
  enter(run: FlowRun, proposed: StateCreate): State {
    const state = newState(proposed, newUuid(), this.#micros())
    const shown = { state, state_id: state.id, state_type: state.type, state_name: state.name }
    Object.assign(run, shown)
    run.run_count += state.type === 'RUNNING' ? 1 : 0
    this.states.push({ flowRunId: run.id, state })
    const parent = this.taskRuns.find(({ id }) => id === run.parent_task_run_id)
    if (parent !== undefined) {
      Object.assign(parent, shown)
    }
    return state
  }
}

function reject(state: State | null, reason: string): OrchestrationResult {
  return { status: 'REJECT', state, details: { type: 'reject_details', reason } }
}

function abort(state: State | null, reason: string): OrchestrationResult {
  return { status: 'ABORT', state, details: { type: 'abort_details', reason } }
}
