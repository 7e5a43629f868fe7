// oxlint-disable no-underscore-dangle -- the names of the wire: any_
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import { newState } from '../../../core/state.ts'
import { formatTimestamp, parseTimestamp } from '../../../core/time.ts'
import { uuidV7 } from '../../../core/uuid.ts'
import type { Json } from '../../../core/wire/common.ts'
import * as wireDeployment from '../../../core/wire/deployment.ts'
import { event, type Event } from '../../../core/wire/event.ts'
import { type Flow, flowCreate } from '../../../core/wire/flow.ts'
import { type FlowRun, flowRunCreate, flowRunUpdate } from '../../../core/wire/flow-run.ts'
import { logCreate, type LogCreate } from '../../../core/wire/log.ts'
import { flowRunsQuery } from '../../../core/wire/query.ts'
import {
  type OrchestrationResult,
  setState,
  type State,
  type StateCreate,
} from '../../../core/wire/state.ts'
import { type TaskRun, taskRunCreate } from '../../../core/wire/task-run.ts'

export interface FakeRequest {
  method: string
  /** Without the `/api`. */
  path: string
  body: unknown
  authorization: string | undefined
}

/** What a test lets the API do with a request instead of answering it. */
export type Fault =
  | { status: number; body?: Json; headers?: Record<string, string> }
  /** Cut the connection without an answer. */
  | 'cut'
  /** Do what was asked, then cut the connection. */
  | 'cut after'

type Deployment = wireDeployment.Deployment

/**
 * The far end for tests of the SDK and the agent: those of the API's routes that running code calls, over real HTTP, in
 * memory. Bodies are checked with the wire's strict schemas, and flow runs obey the orchestration rules that an engine meets.
 */
export class FakeApi {
  readonly key = 'hg_fake'
  readonly flows: Flow[] = []
  readonly flowRuns: FlowRun[] = []
  readonly taskRuns: TaskRun[] = []
  readonly deployments: Deployment[] = []
  readonly logs: LogCreate[] = []
  readonly events: Event[] = []
  /** Each state that a flow run took, in order. */
  readonly states: { flowRunId: string; state: State }[] = []
  readonly requests: FakeRequest[] = []
  /** Asked before each request is answered. */
  fault: (request: FakeRequest) => Fault | undefined = () => undefined
  #server = createServer((request, response) => void this.#receive(request, response))
  #time = 0
  #port = 0

  /** Listens and gives the API's address. */
  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(port, '127.0.0.1', resolve)
    })
    this.#port = (this.#server.address() as AddressInfo).port
    return this.url
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/api`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** The environment that leads a process here. */
  environment(): Record<string, string> {
    return { HEADGATE_API_URL: this.url, HEADGATE_API_KEY: this.key }
  }

  /** A flow run as a deployment makes it. */
  addFlowRun(fields: Partial<FlowRun> = {}, state: StateCreate = { type: 'PENDING' }): FlowRun {
    const flow = this.#flow('a flow')
    const run = { ...emptyFlowRun(flow.id, this.#now()), ...fields }
    this.flowRuns.push(run)
    this.#enter(run, state)
    return run
  }

  /** What the agent writes for a run's process. */
  contextOf(run: FlowRun, entrypoint: string | null = null): Json {
    const deployment =
      entrypoint === null ? null : { ...emptyDeployment(run.flow_id, 'd', this.#now()), entrypoint }
    const flow = this.flows.find(({ id }) => id === run.flow_id) ?? null
    return { flow_run: run, fence: 1, flow, deployment, job_configuration: {} } as unknown as Json
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

  /** Sets a state as a user does. */
  setState(run: FlowRun, state: StateCreate): OrchestrationResult {
    return this.#orchestrate(run, state, this.#now())
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) {
      chunks.push(chunk as Buffer)
    }
    const text = Buffer.concat(chunks).toString()
    const received: FakeRequest = {
      method: request.method ?? '',
      path: (request.url ?? '').replace(/^\/api/, ''),
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
      authorization: request.headers.authorization,
    }
    this.requests.push(received)
    const fault = this.fault(received)
    if (fault === 'cut') {
      request.socket.destroy()
      return
    }
    const answer = typeof fault === 'object' ? fault : this.#answer(received)
    if (fault === 'cut after') {
      request.socket.destroy()
      return
    }
    response.writeHead(answer.status, { 'Content-Type': 'application/json', ...answer.headers })
    response.end(answer.status === 204 ? undefined : JSON.stringify(answer.body ?? null))
  }

  #answer(request: FakeRequest): Exclude<Fault, string> {
    if (request.authorization !== `Bearer ${this.key}`) {
      return { status: 401, body: { detail: 'Unauthorized' } }
    }
    try {
      const found = this.#route(request)
      return found === undefined
        ? { status: 404, body: { detail: 'Not found' } }
        : { status: 200, body: found as Json }
    } catch (error) {
      return { status: 422, body: { exception_message: String(error) } }
    }
  }

  #route({ method, path, body }: FakeRequest): unknown {
    const [, area = '', id = '', verb = '', last = ''] = path
      .split('/')
      .map((part) => decodeURIComponent(part))
    switch (`${method} ${area}`) {
      case 'POST logs':
        this.logs.push(...z.array(logCreate).parse(body))
        return null
      case 'POST events':
        this.#takeEvents(z.array(event).parse(body))
        return null
      case 'POST flows':
        return this.#flow(flowCreate.parse(body).name)
      case 'POST task_runs':
        return this.#createTaskRun(body)
      case 'POST flow_runs':
        return this.#postFlowRuns(id, verb, body)
      case 'GET flow_runs':
        return this.flowRuns.find((run) => run.id === id)
      case 'PATCH flow_runs':
        return this.#updateFlowRun(id, body)
      case 'POST deployments':
        return this.#postDeployments(id, verb, body)
      case 'GET deployments':
        return id === 'name' ? this.#deploymentByName(verb, last) : this.#deployment(id)
      case 'PATCH deployments':
        return this.#updateDeployment(id, body)
      default:
        return undefined
    }
  }

  #takeEvents(events: Event[]): void {
    const known = new Set(this.events.map(({ id }) => id))
    this.events.push(...events.filter(({ id }) => !known.has(id)))
  }

  #flow(name: string): Flow {
    const known = this.flows.find((flow) => flow.name === name)
    if (known !== undefined) {
      return known
    }
    const flow = { ...this.#stored(), name, tags: [], labels: {} }
    this.flows.push(flow)
    return flow
  }

  #stored(): { id: string; created: string; updated: string } {
    const now = this.#now()
    return { id: newId(), created: now, updated: now }
  }

  #createTaskRun(body: unknown): TaskRun {
    const create = taskRunCreate.parse(body)
    const same = this.taskRuns.find(
      (run) =>
        run.flow_run_id === create.flow_run_id &&
        run.task_key === create.task_key &&
        run.dynamic_key === create.dynamic_key,
    )
    if (same !== undefined) {
      return same
    }
    const state = newState(create.state ?? { type: 'PENDING' }, newId(), this.#micros())
    const run: TaskRun = {
      ...this.#stored(),
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

  #postFlowRuns(id: string, verb: string, body: unknown): unknown {
    if (id === '') {
      return this.#createFlowRun(body)
    }
    if (id === 'filter') {
      const { flow_runs: wanted } = flowRunsQuery.parse(body)
      return this.flowRuns.filter(
        (run) =>
          isAny(wanted?.id?.any_, run.id) &&
          isAny(wanted?.state?.type?.any_, run.state_type ?? '') &&
          isAny(wanted?.parent_task_run_id?.any_, run.parent_task_run_id ?? ''),
      )
    }
    const run = this.flowRuns.find((one) => one.id === id)
    if (run === undefined || verb !== 'set_state') {
      return undefined
    }
    return this.#orchestrate(run, setState.parse(body).state, this.#now())
  }

  #createFlowRun(body: unknown): FlowRun {
    const create = flowRunCreate.parse(body)
    const same = this.flowRuns.find((run) => run.idempotency_key === create.idempotency_key)
    if (same !== undefined && create.idempotency_key != null) {
      return same
    }
    return this.addFlowRun(
      {
        flow_id: create.flow_id,
        parameters: create.parameters ?? {},
        tags: create.tags ?? [],
        idempotency_key: create.idempotency_key ?? null,
        parent_task_run_id: create.parent_task_run_id ?? null,
        empirical_policy: {
          ...emptyPolicy(),
          ...(create.empirical_policy as Partial<FlowRun['empirical_policy']>),
        },
      },
      create.state ?? { type: 'PENDING' },
    )
  }

  #updateFlowRun(id: string, body: unknown): unknown {
    const update = flowRunUpdate.parse(body)
    const run = this.flowRuns.find((one) => one.id === id)
    if (run !== undefined && update.empirical_policy !== undefined) {
      Object.assign(run.empirical_policy, update.empirical_policy)
    }
    return run === undefined ? undefined : null
  }

  /** The rules of Prefect's CoreFlowPolicy that an engine meets. */
  #orchestrate(run: FlowRun, proposed: StateCreate, now: string): OrchestrationResult {
    const current = run.state
    const due = parseTimestamp(current?.state_details.scheduled_time ?? '') ?? 0
    const transition = proposed.state_details?.transition_id
    if (transition != null && current?.state_details.transition_id === transition) {
      return reject(current, 'This run has already made this state transition.')
    }
    if (isTerminalType(run.state_type)) {
      return abort(current, `Run is already in terminal state ${String(run.state_type)}.`)
    }
    if (run.state_type === 'CANCELLING' && proposed.type !== 'CANCELLED') {
      return reject(current, 'Run is being cancelled.')
    }
    if (proposed.type === 'PENDING' && run.state_type !== 'SCHEDULED') {
      return abort(current, 'This run cannot transition to a PENDING state.')
    }
    if (proposed.type === 'RUNNING' && due > (parseTimestamp(now) ?? 0)) {
      const delay_seconds = (due - (parseTimestamp(now) ?? 0)) / 1_000_000
      return {
        status: 'WAIT',
        state: current,
        details: { type: 'wait_details', delay_seconds, reason: 'Scheduled time is in the future' },
      }
    }
    const retries = run.empirical_policy.retries ?? 0
    if (proposed.type === 'FAILED' && run.state_type === 'RUNNING' && run.run_count <= retries) {
      const delay = (run.empirical_policy.retry_delay ?? 0) * 1_000_000
      const state = this.#enter(run, {
        ...proposed,
        type: 'SCHEDULED',
        name: 'AwaitingRetry',
        state_details: { scheduled_time: formatTimestamp((parseTimestamp(now) ?? 0) + delay) },
      })
      return reject(state, 'Retrying')
    }
    const state = this.#enter(run, proposed)
    return { status: 'ACCEPT', state, details: { type: 'accept_details' } }
  }

  #enter(run: FlowRun, proposed: StateCreate): State {
    const state = newState(proposed, newId(), this.#micros())
    run.state = state
    run.state_id = state.id
    run.state_type = state.type
    run.state_name = state.name
    run.run_count += state.type === 'RUNNING' ? 1 : 0
    this.states.push({ flowRunId: run.id, state })
    const parent = this.taskRuns.find(({ id }) => id === run.parent_task_run_id)
    if (parent !== undefined) {
      parent.state = state
      parent.state_type = state.type
      parent.state_name = state.name
    }
    return state
  }

  #postDeployments(id: string, verb: string, body: unknown): unknown {
    if (id === '') {
      const create = wireDeployment.deploymentCreate.parse(body)
      const deployment = emptyDeployment(create.flow_id, create.name, this.#now())
      this.deployments.push(deployment)
      this.#applyDeployment(deployment, create as Partial<Deployment>)
      return deployment
    }
    if (id === 'get_scheduled_flow_runs') {
      const wanted = z
        .object({ deployment_ids: z.array(z.string()), limit: z.int() })
        .loose()
        .parse(body)
      return this.flowRuns
        .filter(
          (run) =>
            run.state_type === 'SCHEDULED' &&
            run.state_name !== 'AwaitingRetry' &&
            wanted.deployment_ids.includes(run.deployment_id ?? ''),
        )
        .slice(0, wanted.limit)
    }
    const deployment = this.#deployment(id)
    if (deployment === undefined || verb !== 'create_flow_run') {
      return undefined
    }
    const create = wireDeployment.deploymentFlowRunCreate.parse(body)
    return this.addFlowRun(
      {
        flow_id: deployment.flow_id,
        deployment_id: deployment.id,
        parameters: { ...deployment.parameters, ...create.parameters },
        parent_task_run_id: create.parent_task_run_id ?? null,
      },
      create.state ?? { type: 'SCHEDULED' },
    )
  }

  #deployment(id: string): Deployment | undefined {
    return this.deployments.find((deployment) => deployment.id === id)
  }

  #deploymentByName(flowName: string, name: string): Deployment | undefined {
    const flow = this.flows.find((one) => one.name === flowName)
    return this.deployments.find((one) => one.flow_id === flow?.id && one.name === name)
  }

  #updateDeployment(id: string, body: unknown): unknown {
    const update = wireDeployment.deploymentUpdate.parse(body)
    const deployment = this.#deployment(id)
    if (deployment === undefined) {
      return undefined
    }
    this.#applyDeployment(deployment, update as Partial<Deployment>)
    return null
  }

  #applyDeployment(deployment: Deployment, fields: Partial<Deployment>): void {
    Object.assign(deployment, fields, {
      schedules: (fields.schedules ?? deployment.schedules).map((schedule) => ({
        ...schedule,
        ...this.#stored(),
        deployment_id: deployment.id,
        max_scheduled_runs: null,
        active: schedule.active ?? true,
        parameters: schedule.parameters ?? {},
        slug: schedule.slug ?? null,
      })),
    })
  }

  #micros(): number {
    this.#time = Math.max(this.#time + 1, Date.now() * 1000)
    return this.#time
  }

  #now(): string {
    return formatTimestamp(this.#micros())
  }
}

function isAny(any: readonly string[] | null | undefined, value: string): boolean {
  return any === null || any === undefined || any.includes(value)
}

function isTerminalType(type: FlowRun['state_type']): boolean {
  return type !== null && ['COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED'].includes(type)
}

function reject(state: State | null, reason: string): OrchestrationResult {
  return { status: 'REJECT', state, details: { type: 'reject_details', reason } }
}

function abort(state: State | null, reason: string): OrchestrationResult {
  return { status: 'ABORT', state, details: { type: 'abort_details', reason } }
}

function newId(): string {
  return uuidV7(Date.now(), randomBytes(10))
}

function emptyPolicy(): FlowRun['empirical_policy'] {
  return {
    max_retries: 0,
    retry_delay_seconds: 0,
    retries: null,
    retry_delay: null,
    pause_keys: [],
    resuming: false,
    retry_type: null,
    infrastructure_retries: null,
  }
}

function emptyFlowRun(flowId: string, now: string): FlowRun {
  return {
    id: newId(),
    created: now,
    updated: now,
    name: `run-${randomUUID().slice(0, 8)}`,
    flow_id: flowId,
    deployment_id: null,
    deployment_version: null,
    work_queue_id: null,
    work_queue_name: null,
    work_pool_id: null,
    work_pool_name: null,
    flow_version: null,
    parameters: {},
    idempotency_key: null,
    context: {},
    empirical_policy: emptyPolicy(),
    tags: [],
    labels: {},
    parent_task_run_id: null,
    state_id: null,
    state_type: null,
    state_name: null,
    state: null,
    run_count: 0,
    expected_start_time: now,
    next_scheduled_start_time: null,
    start_time: null,
    end_time: null,
    total_run_time: 0,
    estimated_run_time: 0,
    estimated_start_time_delta: 0,
    auto_scheduled: false,
    infrastructure_document_id: null,
    infrastructure_pid: null,
    created_by: null,
    job_variables: {},
  }
}

function emptyDeployment(flowId: string, name: string, now: string): Deployment {
  return {
    id: newId(),
    created: now,
    updated: now,
    name,
    version: null,
    description: null,
    flow_id: flowId,
    paused: false,
    schedules: [],
    concurrency_limit: null,
    global_concurrency_limit: null,
    concurrency_options: null,
    job_variables: {},
    parameters: {},
    tags: [],
    labels: {},
    work_queue_name: null,
    work_queue_id: null,
    work_pool_name: null,
    last_polled: null,
    parameter_openapi_schema: null,
    path: null,
    pull_steps: null,
    entrypoint: null,
    storage_document_id: null,
    infrastructure_document_id: null,
    created_by: null,
    updated_by: null,
    status: null,
    enforce_parameter_schema: true,
  }
}
